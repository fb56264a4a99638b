//! A connection for one errand: to bring a packet to somebody's mailbox, to fetch one's own, to have a feed held.
//! spec: MAIL-19, HOLD-3

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use peerfeed_protocol::crypto::{DeviceKey, HoldKey};
use peerfeed_protocol::ids::{FeedId, WitnessKey};
use peerfeed_protocol::peer::message::{Admission, Interest, MailAnswer, MailWanted, RejectCode};
use peerfeed_protocol::peer::{ChannelId, Connection, Event, NodeSecret, Options, RequestId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::clock::Clock;
use super::dial::{DialError, dial};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes that are read and written at once.
const PIECE_BYTES: usize = 64 << 10;

/// Why an errand came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Nobody is connected.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness(#[source] getrandom::Error),
    /// It does not hold the feed.
    #[error("it does not hold this feed")]
    UnknownFeed,
    /// Somebody else is there.
    #[error("it is not the seeder that the feed names")]
    OtherSeeder,
    /// It said no.
    #[error("{}", refusal(*.0))]
    Rejected(RejectCode),
    /// The connection ended.
    #[error("the connection broke")]
    Broken,
    /// It said nothing.
    #[error("it did not answer in time")]
    TimedOut,
}

fn refusal(code: RejectCode) -> &'static str {
    match code {
        RejectCode::NotHeld => "it keeps no mailbox for this feed",
        RejectCode::OverLimit => "the mailbox there is full",
        RejectCode::NotAdmitted => "it lets nothing in by this",
        _ => "it is busy",
    }
}

impl LineError {
    /// Whether trying again is in vain: the mailbox does not let this packet in.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Rejected(RejectCode::NotAdmitted))
    }
}

/// An open channel for one feed, or for one code, with a seeder.
pub struct Line {
    stream: TcpStream,
    connection: Connection,
    channel: ChannelId,
    clock: Clock,
}

impl Line {
    /// Connects to `address` as a reader of `feed` whom nobody knows. With `witness`, it must be the seeder with this key.
    pub async fn open(feed: FeedId, address: &str, witness: Option<WitnessKey>) -> Result<Self, LineError> {
        let (stream, _) = dial(address).await?;
        let clock = Clock::start();
        let (mut node, mut seed) = ([0; 32], [0; 32]);
        getrandom::fill(&mut node).map_err(LineError::Randomness)?;
        getrandom::fill(&mut seed).map_err(LineError::Randomness)?;
        let options = Options::new(NodeSecret::from_bytes(node));
        let mut connection = Connection::initiator(&feed, options, seed, clock.now(), clock.unix_day());
        // It has and wants nothing of the feed itself.
        let newest = u64::try_from(i64::MAX).expect("it is positive");
        let interest = Interest { manifest: newest, roster: newest, ..Interest::default() };
        let channel = connection.open(feed, interest).map_err(|_| LineError::Broken)?;
        let mut line = Self { stream, connection, channel, clock };
        loop {
            match line.next(PATIENCE).await? {
                Event::Hello(hello) if witness.is_some() && hello.witness != witness => {
                    return Err(LineError::OtherSeeder);
                }
                Event::Opened { .. } => return Ok(line),
                Event::Refused { .. } => return Err(LineError::UnknownFeed),
                _ => {}
            }
        }
    }

    /// Brings a packet, and waits until it is on the disk there.
    pub async fn put(&mut self, packet: Bytes, admission: Admission) -> Result<(), LineError> {
        let now = self.clock.now();
        let put = self.connection.put_packet(now, self.channel, packet, admission).map_err(|_| LineError::Broken)?;
        self.answer(put, |event| matches!(event, Event::Kept { .. }).then_some(())).await
    }

    /// Fetches what is behind a cursor.
    pub async fn get(&mut self, device: &Arc<DeviceKey>, wanted: MailWanted) -> Result<MailAnswer, LineError> {
        let now = self.clock.now();
        let get = self.connection.get_mail(now, self.channel, device, wanted).map_err(|_| LineError::Broken)?;
        self.answer(get, |event| match event {
            Event::Mail { answer, .. } => Some(answer),
            _ => None,
        })
        .await
    }

    /// Has a feed held, over a line that was opened for a code.
    pub async fn hold(&mut self, code: &HoldKey, feed: FeedId) -> Result<(), LineError> {
        let now = self.clock.now();
        let asked = self.connection.ask_to_hold(now, self.channel, code, feed).map_err(|_| LineError::Broken)?;
        self.answer(asked, |event| matches!(event, Event::Held { .. }).then_some(())).await
    }

    /// Waits until a packet comes, or for so long.
    pub async fn wait(&mut self, patience: Duration) -> Result<(), LineError> {
        loop {
            match self.next(patience).await {
                Ok(Event::MailCame { .. }) | Err(LineError::TimedOut) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn answer<T>(&mut self, request: RequestId, take: impl Fn(Event) -> Option<T>) -> Result<T, LineError> {
        loop {
            match self.next(PATIENCE).await? {
                Event::Rejected { request: rejected, code, .. } if rejected == request => {
                    return Err(LineError::Rejected(code));
                }
                event => {
                    if let Some(answer) = take(event) {
                        return Ok(answer);
                    }
                }
            }
        }
    }

    /// The next event within so long.
    async fn next(&mut self, patience: Duration) -> Result<Event, LineError> {
        timeout(patience, self.drive()).await.unwrap_or(Err(LineError::TimedOut))
    }

    async fn drive(&mut self) -> Result<Event, LineError> {
        let mut input = vec![0; PIECE_BYTES];
        loop {
            let mut output = Vec::new();
            while self.connection.poll_transmit(self.clock.now(), &mut output, PIECE_BYTES) > 0 {
                self.stream.write_all(&output).await.map_err(|_| LineError::Broken)?;
                output.clear();
            }
            match self.connection.poll_event() {
                Some(Event::Closed(_)) => return Err(LineError::Broken),
                Some(event) => return Ok(event),
                None => {}
            }
            let deadline = self.connection.poll_timeout().map(|moment| self.clock.instant(moment));
            tokio::select! {
                read = self.stream.read(&mut input) => match read {
                    Ok(0) | Err(_) => return Err(LineError::Broken),
                    // A violation is told again, as an event.
                    Ok(bytes) => drop(self.connection.handle_bytes(self.clock.now(), &input[..bytes])),
                },
                () = sleep_until(deadline) => self.connection.handle_timeout(self.clock.now()),
            }
        }
    }
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
