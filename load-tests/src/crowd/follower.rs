//! One follower of a crowd.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use peerfeed_protocol::feed::UnverifiedHead;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::message::{Interest, State};
use peerfeed_protocol::peer::{Connection, Event, Moment, NodeSecret, Options};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::Plan;
use super::tally::Tally;

/// The first port that a follower says it listens on.
const FIRST_PORT: u16 = 20_000;

/// One connection to one seeder.
pub(super) struct Follower {
    seeder: SocketAddr,
    feed: FeedId,
    secret: [u8; 32],
    listen_port: Option<u16>,
    tally: Rc<Tally>,
    started: Instant,
}

impl Follower {
    pub(super) fn new(plan: &Plan, number: u32, tally: Rc<Tally>) -> Self {
        let seeder = plan.seeders[number as usize % plan.seeders.len()];
        let mut secret = [3; 32];
        secret[..4].copy_from_slice(&number.to_be_bytes());
        let port = u16::try_from(number % 40_000).expect("it is below 65,536") + FIRST_PORT;
        let listen_port = plan.listening.then_some(port);
        Self { seeder, feed: plan.feed, secret, listen_port, tally, started: Instant::now() }
    }

    /// Connects and stays, until the connection ends.
    pub(super) async fn live(self) {
        let Err(error) = self.follow().await;
        println!("lost {error:#}");
    }

    async fn follow(&self) -> Result<std::convert::Infallible> {
        let mut shaking = Some(self.tally.handshakes.acquire().await?);
        let mut stream = TcpStream::connect(self.seeder).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let mut options = Options::new(NodeSecret::from_bytes(self.secret));
        options.listen_port = self.listen_port;
        let mut connection = Connection::initiator(&self.feed, options, self.secret, self.now(), unix_day());
        connection.open(self.feed, Interest::default())?;
        loop {
            while let Some(event) = connection.poll_event() {
                match event {
                    Event::Closed(closed) => bail!("{closed:?}"),
                    Event::Refused { code, .. } => bail!("the feed was refused: {code:?}"),
                    Event::Opened { channel, .. } => connection.send_state(channel, State::default())?,
                    Event::State { .. } => {
                        let is_first = shaking.take().is_some();
                        if is_first {
                            self.tally.connected();
                        }
                    }
                    // The entry was proven against the head by now.
                    Event::HeadPushed { head, .. } if head.entry.is_some() => {
                        self.tally.saw(UnverifiedHead::decode(&head.news.record)?.size());
                    }
                    _ => {}
                }
            }
            let mut output = Vec::new();
            while connection.poll_transmit(self.now(), &mut output, 64 << 10) > 0 {}
            stream.write_all(&output).await.context("cannot send")?;
            let due = connection.poll_timeout().map(|due| self.started + due.since(Moment::START));
            tokio::select! {
                ready = stream.readable() => {
                    ready?;
                    self.read(&stream, &mut connection)?;
                }
                () = sleep_until(due) => connection.handle_timeout(self.now()),
            }
        }
    }

    fn read(&self, stream: &TcpStream, connection: &mut Connection) -> Result<()> {
        let mut input = [0; 16 << 10];
        match stream.try_read(&mut input) {
            Ok(0) => bail!("it closed the connection"),
            Ok(bytes) => {
                self.tally.received(bytes);
                // What breaks the protocol is told again as an event.
                connection.handle_bytes(self.now(), &input[..bytes]).ok();
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn now(&self) -> Moment {
        Moment::START.after(self.started.elapsed())
    }
}

fn unix_day() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400)
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
