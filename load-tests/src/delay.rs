//! A link with a delay: a TCP proxy on loopback that holds everything back for a while.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::results::median;

/// Pieces under way in one direction: with pieces of 64 KiB, more than any window that is measured here.
const UNDER_WAY_MAX: usize = 4096;

/// What a client did over links with a delay.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// From its start to its end.
    pub seconds: f64,
    /// Flights that it sent, on the connection that had most of them.
    pub flights: u64,
    /// Bytes to the others.
    pub up_bytes: u64,
    /// Bytes from them.
    pub down_bytes: u64,
}

/// A table of medians over so many rounds at each round-trip time (milliseconds). The first is what the others are compared
/// with, to see what the delay alone costs. `pass` is told the round-trip time and a name for each.
#[expect(clippy::cast_precision_loss, reason = "bytes are shown in a table")]
pub fn table(
    round_trips_ms: &[u32],
    rounds: usize,
    mut pass: impl FnMut(Duration, &str) -> Result<Passage>,
) -> Result<String> {
    let mut table = String::from(
        "| round-trip time | seconds | beyond the first, in round trips | flights | bytes up | bytes down |\n|---|---|---|---|---|---|\n",
    );
    let mut first = None;
    for &rtt_ms in round_trips_ms {
        let passages = (0..rounds)
            .map(|round| pass(Duration::from_millis(rtt_ms.into()), &format!("{rtt_ms}-{round}")))
            .collect::<Result<Vec<_>>>()?;
        let of = |what: fn(&Passage) -> f64| median(&passages.iter().map(what).collect::<Vec<_>>());
        let seconds = of(|passage| passage.seconds);
        let base = *first.get_or_insert(seconds);
        let round_trips = if rtt_ms == 0 { 0.0 } else { (seconds - base) * 1000.0 / f64::from(rtt_ms) };
        writeln!(
            table,
            "| {rtt_ms} ms | {seconds:.3} | {round_trips:.2} | {} | {} | {} |",
            of(|passage| passage.flights as f64),
            of(|passage| passage.up_bytes as f64),
            of(|passage| passage.down_bytes as f64),
        )?;
    }
    writeln!(table, "\nThe proxies charge the round trip of the TCP handshake to a connection's first bytes.")?;
    Ok(table)
}

/// A proxy in front of one address. It accepts until it is dropped.
#[derive(Debug)]
pub struct DelayedLink {
    /// Where clients connect.
    pub address: SocketAddr,
    counts: Arc<Counts>,
    ended: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    up_bytes: AtomicU64,
    down_bytes: AtomicU64,
    flights: AtomicU64,
    last_was_up: Mutex<Option<bool>>,
}

impl DelayedLink {
    /// Starts a proxy to `target` over which a byte takes `one_way`. The handshake of TCP itself takes no time here,
    /// so the round trip that it would cost is added to a connection's first bytes.
    pub fn start(target: SocketAddr, one_way: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let ended = Arc::new(AtomicBool::new(false));
        let (its_counts, its_end) = (Arc::clone(&counts), Arc::clone(&ended));
        thread::spawn(move || {
            for client in listener.incoming() {
                if its_end.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(target)) else {
                    continue;
                };
                its_counts.connections.fetch_add(1, Ordering::Relaxed);
                // A connection that cannot be carried is closed by dropping both ends.
                carry(client, server, one_way, &its_counts).ok();
            }
        });
        Ok(Self { address, counts, ended })
    }

    /// Connections that clients have made.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Bytes from clients, and to them.
    pub fn bytes(&self) -> (u64, u64) {
        (self.counts.up_bytes.load(Ordering::Relaxed), self.counts.down_bytes.load(Ordering::Relaxed))
    }

    /// How often the direction changed from silence or answering to asking: flights that a client sent.
    pub fn flights(&self) -> u64 {
        self.counts.flights.load(Ordering::Relaxed)
    }
}

impl Drop for DelayedLink {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the listener, so that its thread sees the end; if that fails, it is gone already.
        TcpStream::connect(self.address).ok();
    }
}

fn carry(client: TcpStream, server: TcpStream, one_way: Duration, counts: &Arc<Counts>) -> Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let up = (client.try_clone()?, server.try_clone()?);
    spawn_direction(up.0, up.1, one_way, one_way * 2, Arc::clone(counts), true);
    spawn_direction(server, client, one_way, Duration::ZERO, Arc::clone(counts), false);
    Ok(())
}

fn spawn_direction(
    from: TcpStream,
    to: TcpStream,
    one_way: Duration,
    extra_first: Duration,
    counts: Arc<Counts>,
    is_up: bool,
) {
    let (sender, receiver) = sync_channel(UNDER_WAY_MAX);
    thread::spawn(move || take(from, &sender, one_way, extra_first, &counts, is_up));
    thread::spawn(move || deliver(to, &receiver));
}

/// Reads what is sent and notes when it is due at the other end.
fn take(
    mut from: TcpStream,
    sender: &SyncSender<(Instant, Vec<u8>)>,
    one_way: Duration,
    extra_first: Duration,
    counts: &Counts,
    is_up: bool,
) {
    let began = Instant::now();
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 {
            break;
        }
        let bytes = if is_up { &counts.up_bytes } else { &counts.down_bytes };
        bytes.fetch_add(count as u64, Ordering::Relaxed);
        let before = counts.last_was_up.lock().unwrap_or_else(PoisonError::into_inner).replace(is_up);
        if is_up && before != Some(true) {
            counts.flights.fetch_add(1, Ordering::Relaxed);
        }
        let due = (Instant::now() + one_way).max(began + one_way + extra_first);
        if sender.send((due, buffer[..count].to_vec())).is_err() {
            break;
        }
    }
}

fn deliver(mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>) {
    for (due, bytes) in receiver {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            return;
        }
    }
    // The other end has closed already when this fails.
    to.shutdown(Shutdown::Write).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_takes_two_round_trips_with_its_handshake() {
        let echo = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = echo.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = echo.accept().unwrap();
            let mut buffer = [0; 4];
            stream.read_exact(&mut buffer).unwrap();
            stream.write_all(&buffer).unwrap();
        });
        let link = DelayedLink::start(target, Duration::from_millis(30)).unwrap();
        let started = Instant::now();
        let mut client = TcpStream::connect(link.address).unwrap();
        client.write_all(b"ping").unwrap();
        let mut buffer = [0; 4];
        client.read_exact(&mut buffer).unwrap();
        assert!(started.elapsed() >= Duration::from_millis(120), "{:?}", started.elapsed());
        assert_eq!((&buffer, link.bytes(), link.flights()), (b"ping", (4, 4), 1));
    }
}
