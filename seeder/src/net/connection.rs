//! Drives one connection: bytes between a socket and the pure machine, events and commands between it and the engine.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use peerfeed_protocol::peer::{Event, Moment};
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::admission::Guest;
use super::clock::Clock;
use super::throttle::{PIECE_BYTES, Throttle};
use crate::swarm::{Command, ConnectionId, Ended, Input, Link};

/// What a record adds to a message: room for that is left where only urgent messages are to be sent.
const RECORD_OVERHEAD_BYTES: usize = 64;

/// A connection tells that it has drained each time it has sent so much.
const DRAINED_STEP_BYTES: usize = 1 << 20;

/// How long the last words of a closed connection may take.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(2);

/// What a connection says to the engine's task.
#[derive(Debug)]
pub enum Report {
    /// A connection that came in has finished its handshake: this is the way to command it.
    Arrived(ConnectionId, SocketAddr, mpsc::UnboundedSender<Command>),
    /// Something happened on it.
    Input(ConnectionId, Input),
}

/// One end of a TCP connection with all that drives it.
pub struct Driver {
    /// Its number.
    pub id: ConnectionId,
    /// The clock.
    pub clock: Clock,
    /// Where it reports.
    pub reports: mpsc::Sender<Report>,
    /// What it is commanded.
    pub commands: mpsc::UnboundedReceiver<Command>,
    /// What it takes to let it in, for one that came in.
    pub guest: Option<Guest>,
    /// How much may pass.
    pub rates: Rates,
}

/// What all connections together may send and receive.
#[derive(Clone, Default)]
pub struct Rates {
    /// Out of this machine.
    pub up: Arc<Throttle>,
    /// Into it.
    pub down: Arc<Throttle>,
}

/// The engine's task is gone: nothing is left to do.
struct Gone;

impl Driver {
    /// Drives the connection to its end.
    pub async fn run(mut self, stream: TcpStream, mut link: Link) {
        let ended = match self.drive(&stream, &mut link).await {
            Ok(ended) => ended,
            Err(Gone) => return,
        };
        let known = self.guest.as_ref().is_none_or(Guest::is_known);
        if let Some(guest) = &mut self.guest {
            guest.leave(self.clock.now());
        }
        if known {
            // The engine hears of the end first, so that nothing is sent to who is gone.
            let _ = self.reports.send(Report::Input(self.id, Input::Ended(ended))).await;
            let _ = tokio::time::timeout(LAST_WORDS, flush(&stream, &mut link, self.clock)).await;
        }
    }

    async fn drive(&mut self, stream: &TcpStream, link: &mut Link) -> Result<Ended, Gone> {
        let mut input = vec![0; PIECE_BYTES];
        let mut output = Output::default();
        let mut told_bytes = 0;
        let mut send_at = None;
        let mut read_at = Moment::START;
        loop {
            if let Some(ended) = self.pass_events_on(link).await? {
                return Ok(ended);
            }
            self.refill(&mut output, link, &mut send_at);
            let buffered = link.buffered_bytes();
            if buffered / DRAINED_STEP_BYTES < told_bytes / DRAINED_STEP_BYTES || buffered == 0 && told_bytes > 0 {
                self.report(Input::Drained(buffered)).await?;
            }
            told_bytes = buffered;
            let readable = (self.clock.now() >= read_at).then_some(Interest::READABLE);
            let writable = (!output.is_empty()).then_some(Interest::WRITABLE);
            let interest =
                readable.map_or(writable, |readable| Some(writable.map_or(readable, |both| both | readable)));
            let turn = [send_at.filter(|_| output.is_empty()), readable.map_or(Some(read_at), |_| None)];
            let timeout = link.connection().poll_timeout();
            tokio::select! {
                ready = ready(stream, interest) => {
                    let outcome = ready.and_then(|ready| {
                        if ready.is_writable() {
                            output.write(stream)?;
                        }
                        if ready.is_readable() { read(stream, &mut input) } else { Ok(None) }
                    });
                    match outcome {
                        Ok(None) => {}
                        Ok(Some(0)) => return Ok(Ended::Broken("it closed the connection".to_owned())),
                        // The machine tells the violation again, as an event.
                        Ok(Some(bytes)) => {
                            read_at = self.rates.down.reserve(self.clock.now(), bytes);
                            let _ = link.connection().handle_bytes(self.clock.now(), &input[..bytes]);
                        }
                        Err(error) => return Ok(Ended::Broken(error.to_string())),
                    }
                }
                command = self.commands.recv() => {
                    let Some(command) = command else { return Err(Gone) };
                    link.apply(self.clock.now(), command);
                    // What is waiting belongs together: one flight, not one each.
                    while let Ok(command) = self.commands.try_recv() {
                        link.apply(self.clock.now(), command);
                    }
                }
                () = sleep_until(self.clock, turn.into_iter().flatten().min()) => {}
                () = sleep_until(self.clock, timeout) => link.connection().handle_timeout(self.clock.now()),
            }
        }
    }

    /// Hands the machine's events to the engine; the end of the connection if it was among them.
    async fn pass_events_on(&mut self, link: &mut Link) -> Result<Option<Ended>, Gone> {
        while let Some((event, ticket)) = link.poll_event() {
            match event {
                Event::Closed(closed) => return Ok(Some(Ended::Closed(closed))),
                Event::FirstMessage(first) => {
                    let admitted = self.guest.as_mut().and_then(|guest| guest.admit(self.clock, &first));
                    let Some(feed) = admitted else {
                        return Ok(Some(Ended::Broken("a stranger".to_owned())));
                    };
                    // A handshake that does not fit is told as an event.
                    let _ = link.connection().admit(&feed);
                }
                Event::Established { .. } => {
                    if let Some((address, commands)) = self.guest.as_mut().and_then(Guest::establish) {
                        let arrived = Report::Arrived(self.id, address, commands);
                        self.reports.send(arrived).await.map_err(|_| Gone)?;
                    }
                    self.report(Input::Event(event, ticket)).await?;
                }
                event => self.report(Input::Event(event, ticket)).await?,
            }
        }
        Ok(None)
    }

    /// Encrypts the next piece once the one before is gone and it is its turn. What is urgent does not wait for a turn.
    fn refill(&self, output: &mut Output, link: &mut Link, send_at: &mut Option<Moment>) {
        if !output.is_empty() || link.buffered_bytes() == 0 {
            return;
        }
        let (now, up) = (self.clock.now(), &self.rates.up);
        let urgent = link.connection().urgent_bytes();
        let turn = *send_at.get_or_insert_with(|| up.reserve(now, up.piece_bytes()));
        if turn <= now {
            *send_at = None;
            output.refill(link, self.clock, up.piece_bytes());
        } else if urgent > 0 && up.may_overtake(now) {
            output.refill(link, self.clock, (urgent + RECORD_OVERHEAD_BYTES).min(PIECE_BYTES));
            up.reserve(now, output.bytes.len());
        }
    }

    async fn report(&self, input: Input) -> Result<(), Gone> {
        self.reports.send(Report::Input(self.id, input)).await.map_err(|_| Gone)
    }
}

/// Bytes that the socket has not taken yet.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    sent: usize,
}

impl Output {
    fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Encrypts the next piece once the one before is gone.
    fn refill(&mut self, link: &mut Link, clock: Clock, bytes_max: usize) {
        if self.is_empty() {
            self.bytes.clear();
            self.sent = 0;
            link.connection().poll_transmit(clock.now(), &mut self.bytes, bytes_max);
        }
    }

    fn write(&mut self, stream: &TcpStream) -> io::Result<()> {
        match stream.try_write(&self.bytes[self.sent..]) {
            Ok(bytes) => self.sent += bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn read(stream: &TcpStream, input: &mut [u8]) -> io::Result<Option<usize>> {
    match stream.try_read(input) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sends what a connection that is over still has to say.
async fn flush(stream: &TcpStream, link: &mut Link, clock: Clock) -> io::Result<()> {
    let mut output = Output::default();
    loop {
        output.refill(link, clock, PIECE_BYTES);
        if output.is_empty() {
            return Ok(());
        }
        stream.writable().await?;
        output.write(stream)?;
    }
}

/// Waits until one of these is possible; for ever when nothing is wanted.
async fn ready(stream: &TcpStream, interest: Option<Interest>) -> io::Result<Ready> {
    match interest {
        Some(interest) => stream.ready(interest).await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(clock: Clock, moment: Option<Moment>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(clock.instant(moment)).await,
        None => std::future::pending().await,
    }
}
