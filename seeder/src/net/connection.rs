//! Drives one connection: bytes between a socket and the pure machine, events and commands between it and the engine.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use peerfeed_protocol::peer::{Event, Moment};
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::admission::Guest;
use super::clock::Clock;
use super::hold::{self, Asker};
use super::throttle::{PIECE_BYTES, RECORD_OVERHEAD_BYTES, Throttle, Turn};
use crate::swarm::{Command, ConnectionId, Ended, Input, Link};

/// A connection tells that it has drained each time it has sent so much.
const DRAINED_STEP_BYTES: usize = 1 << 20;

/// How long the last words of a closed connection may take.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(2);

/// The way to command a connection. Commands are boxed because a channel keeps room for 32 of them as long as it lives.
pub type Commander = mpsc::UnboundedSender<Box<Command>>;

thread_local! {
    /// What was just received: one for all connections that a thread drives, since those that are idle hold none.
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a connection says to the engine's task.
#[derive(Debug)]
pub enum Report {
    /// A connection that came in has finished its handshake: this is the way to command it.
    Arrived(ConnectionId, SocketAddr, Commander),
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
    pub commands: mpsc::UnboundedReceiver<Box<Command>>,
    /// What it takes to let it in, for one that came in.
    pub guest: Option<Guest>,
    /// How much may pass.
    pub rates: Rates,
    /// Once it was let in by a code: the engine hears nothing of such a connection.
    pub asker: Option<Asker>,
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
    pub async fn run(mut self, stream: TcpStream, mut link: Box<Link>) {
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
            if self.asker.is_none() {
                let _ = self.reports.send(Report::Input(self.id, Input::Ended(ended))).await;
            }
            let _ = tokio::time::timeout(LAST_WORDS, flush(&stream, &mut link, self.clock)).await;
        }
    }

    async fn drive(&mut self, stream: &TcpStream, link: &mut Link) -> Result<Ended, Gone> {
        let mut output = Output::default();
        let mut told_bytes = 0;
        // Where the rate is limited, the engine looks closer at what has left.
        let step = if self.rates.up.is_limited() { 4 * self.rates.up.piece_bytes() } else { DRAINED_STEP_BYTES };
        let mut next_turn = None;
        let mut read_at = Moment::START;
        loop {
            if let Some(ended) = self.pass_events_on(link).await? {
                return Ok(ended);
            }
            self.refill(&mut output, link, &mut next_turn);
            let buffered = link.buffered_bytes();
            let drained = buffered / step < told_bytes / step || buffered == 0 && told_bytes > 0;
            if drained && self.asker.is_none() {
                place(&self.reports).await?.send(Report::Input(self.id, Input::Drained(buffered)));
            }
            told_bytes = buffered;
            let readable = (self.clock.now() >= read_at).then_some(Interest::READABLE);
            let writable = (!output.is_empty()).then_some(Interest::WRITABLE);
            let interest =
                readable.map_or(writable, |readable| Some(writable.map_or(readable, |both| both | readable)));
            let sends_at = next_turn.filter(|_| output.is_empty()).map(|turn: Turn| turn.at);
            let turn = [sends_at, readable.map_or(Some(read_at), |_| None)];
            let timeout = link.connection().poll_timeout();
            tokio::select! {
                ready = ready(stream, interest) => {
                    let outcome = ready.and_then(|ready| {
                        if ready.is_writable() {
                            output.write(stream)?;
                        }
                        if ready.is_readable() { self.read(stream, link) } else { Ok(None) }
                    });
                    match outcome {
                        Ok(None) => {}
                        Ok(Some(0)) => return Ok(Ended::Broken("it closed the connection".to_owned())),
                        Ok(Some(bytes)) => read_at = self.rates.down.reserve(self.clock.now(), bytes),
                        Err(error) => return Ok(Ended::Broken(error.to_string())),
                    }
                }
                command = self.commands.recv() => {
                    let Some(command) = command else { return Err(Gone) };
                    link.apply(self.clock.now(), *command);
                    // What is waiting belongs together: one flight, not one each.
                    while let Ok(command) = self.commands.try_recv() {
                        link.apply(self.clock.now(), *command);
                    }
                }
                () = sleep_until(self.clock, turn.into_iter().flatten().min()) => {}
                () = sleep_until(self.clock, timeout) => link.connection().handle_timeout(self.clock.now()),
            }
        }
    }

    /// Hands the machine's events to the engine; the end of the connection if it was among them.
    async fn pass_events_on(&mut self, link: &mut Link) -> Result<Option<Ended>, Gone> {
        while link.has_event() {
            let room = place(&self.reports).await?;
            let Some((event, ticket)) = link.poll_event() else { break };
            match event {
                Event::Closed(closed) => return Ok(Some(Ended::Closed(closed))),
                Event::FirstMessage(first) => {
                    let admitted = self.guest.as_mut().and_then(|guest| guest.admit(self.clock, &first));
                    let Some(feed) = admitted else {
                        return Ok(Some(Ended::Broken("a stranger".to_owned())));
                    };
                    // Not that of the moment when it came: what is held, and who is a seeder, may have changed since.
                    link.connection().prove(self.guest.as_ref().and_then(Guest::witness));
                    // A handshake that does not fit is told as an event.
                    let _ = link.connection().admit(&feed);
                    let wishes = self.guest.as_ref().and_then(|guest| guest.wishes(feed));
                    self.asker = wishes.map(|wishes| Asker { code: feed, wishes, commands: None });
                }
                event if self.asker.is_some() => {
                    drop(room);
                    if let Some(ended) = self.hear_asker(event, link).await {
                        return Ok(Some(ended));
                    }
                }
                Event::Established { node } => {
                    let mut room = room;
                    if let Some((address, commands)) = self.guest.as_mut().and_then(Guest::establish) {
                        room.send(Report::Arrived(self.id, address, commands));
                        room = place(&self.reports).await?;
                    }
                    room.send(Report::Input(self.id, Input::Event(Event::Established { node }, ticket)));
                }
                event => room.send(Report::Input(self.id, Input::Event(event, ticket))),
            }
        }
        Ok(None)
    }

    /// What somebody says whom a code let in.
    async fn hear_asker(&mut self, event: Event, link: &mut Link) -> Option<Ended> {
        let asker = self.asker.as_mut()?;
        if let (Event::Established { .. }, Some(guest)) = (&event, &mut self.guest) {
            asker.commands = guest.establish().map(|(_, commands)| commands);
        }
        hold::hear(asker, event, link).await
    }

    /// Encrypts the next piece once the one before is gone and it is its turn. What is urgent does not wait for a turn.
    fn refill(&self, output: &mut Output, link: &mut Link, next_turn: &mut Option<Turn>) {
        if !output.is_empty() {
            return;
        }
        if link.buffered_bytes() == 0 {
            // An idle connection holds no buffer, and waits for no turn: one whose words have all passed as urgent ones
            // would be woken by its turn again and again.
            *next_turn = None;
            *output = Output::default();
            return;
        }
        let (now, up) = (self.clock.now(), &self.rates.up);
        let urgent = link.connection().urgent_bytes();
        let turn = *next_turn.get_or_insert_with(|| up.turn(now, link.buffered_bytes()));
        if turn.at <= now {
            *next_turn = None;
            output.refill(link, self.clock, turn.bytes);
        } else if urgent > 0 && up.may_overtake(now) {
            output.refill(link, self.clock, (urgent + RECORD_OVERHEAD_BYTES).min(PIECE_BYTES));
            up.reserve(now, output.bytes.len());
        }
    }

    /// Hands what has come to the machine; how many bytes that was, 0 at the end of the stream, none if nothing came.
    fn read(&self, stream: &TcpStream, link: &mut Link) -> io::Result<Option<usize>> {
        INPUT.with_borrow_mut(|input| {
            input.resize(PIECE_BYTES, 0);
            match stream.try_read(input) {
                Ok(bytes) => {
                    // The machine tells a violation again, as an event.
                    let _ = link.connection().handle_bytes(self.clock.now(), &input[..bytes]);
                    Ok(Some(bytes))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(error) => Err(error),
            }
        })
    }
}

/// A place for one report: first this, then what is to be reported, so that who waits for it holds nothing.
async fn place(reports: &mpsc::Sender<Report>) -> Result<mpsc::Permit<'_, Report>, Gone> {
    reports.reserve().await.map_err(|_| Gone)
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
