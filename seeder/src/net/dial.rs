//! Connects to an address.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use socket2::SockRef;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::swarm::limits::{DIAL_ATTEMPT_DELAY, DIAL_TIMEOUT};

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Bytes that the system takes beyond what it has sent (`TCP_NOTSENT_LOWAT`): a piece on its way out and the next one, so
/// that a link is kept busy and an urgent message has to wait behind no more than that.
const UNSENT_BYTES: u32 = 128 << 10;

/// Why nobody is connected: one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("its name cannot be resolved")]
    Name(#[source] io::Error),
    /// The name has no address at all.
    #[error("its name has no address")]
    NoAddress,
    /// It did not answer.
    #[error("it did not answer within {} seconds", DIAL_TIMEOUT.as_secs())]
    TimedOut,
    /// It refused, or there is no way to it.
    #[error("{}", reason(.0))]
    Refused(#[source] io::Error),
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => "there is no way to it".to_owned(),
        _ => error.to_string(),
    }
}

/// Connects to `HOST:PORT`: to whichever address of the name answers first.
pub async fn dial(address: &str) -> Result<(TcpStream, SocketAddr), DialError> {
    timeout(DIAL_TIMEOUT, connect(address)).await.unwrap_or(Err(DialError::TimedOut))
}

async fn connect(address: &str) -> Result<(TcpStream, SocketAddr), DialError> {
    connect_any(in_turn(lookup_host(address).await.map_err(DialError::Name)?)).await
}

/// Tries one address after the other, each a moment after the one before or as soon as that has failed; the first that
/// answers is taken (RFC 8305).
async fn connect_any(addresses: Vec<SocketAddr>) -> Result<(TcpStream, SocketAddr), DialError> {
    let mut waiting = addresses.into_iter();
    // What is still being tried ends with the set.
    let mut tries = JoinSet::new();
    let mut last = DialError::NoAddress;
    loop {
        match waiting.next() {
            Some(address) => drop(tries.spawn(async move { (address, TcpStream::connect(address).await) })),
            None if tries.is_empty() => return Err(last),
            None => {}
        }
        let ended = if waiting.len() > 0 {
            timeout(DIAL_ATTEMPT_DELAY, tries.join_next()).await.ok().flatten()
        } else {
            tries.join_next().await
        };
        match ended.map(|ended| ended.expect("connecting does not panic")) {
            Some((address, Ok(stream))) => {
                prepare(&stream);
                return Ok((stream, address));
            }
            Some((_, Err(error))) => last = DialError::Refused(error),
            None => {}
        }
    }
}

/// The families by turns, IPv6 first; no more than a name sensibly has.
fn in_turn(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let (mut v6, mut v4): (VecDeque<_>, VecDeque<_>) = addresses.partition(SocketAddr::is_ipv6);
    let mut turns = Vec::new();
    while turns.len() < ADDRESSES_MAX && !(v6.is_empty() && v4.is_empty()) {
        turns.extend(v6.pop_front());
        turns.extend(v4.pop_front());
    }
    turns
}

/// Small messages leave at once, and little waits in the system where nothing can pass it any more. A system that cannot
/// do it is merely slower.
pub(super) fn prepare(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    if let Err(error) = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_notsent_lowat(UNSENT_BYTES)) {
        tracing::debug!(%error, "a connection could not be prepared");
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn families_take_turns_and_ipv6_begins() {
        let of = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let resolved = of(&["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1", "[2001:db8::1]:1"]);
        let turns = of(&["[2001:db8::1]:1", "192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"]);
        assert_eq!(in_turn(resolved.into_iter()), turns);
        let many = (0..100).map(|port| SocketAddr::from(([192, 0, 2, 1], port)));
        assert_eq!(in_turn(many).len(), ADDRESSES_MAX);
    }

    #[tokio::test]
    async fn an_address_that_refuses_does_not_keep_from_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (good, refused) = (listener.local_addr().unwrap(), gone.local_addr().unwrap());
        drop(gone);
        assert_eq!(connect_any(vec![refused, good]).await.unwrap().1, good);
        assert!(matches!(connect_any(vec![refused, refused]).await, Err(DialError::Refused(_))));
        assert!(matches!(connect_any(Vec::new()).await, Err(DialError::NoAddress)));
    }

    #[tokio::test]
    async fn an_address_that_says_nothing_does_not_keep_from_the_next() {
        // A listener that accepts nobody: once its queue is full, the system does not answer either.
        let silent = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        silent.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        silent.listen(0).unwrap();
        let silent_at = silent.local_addr().unwrap().as_socket().unwrap();
        let mut queued = Vec::new();
        while let Ok(Ok(stream)) = timeout(DIAL_ATTEMPT_DELAY, TcpStream::connect(silent_at)).await {
            queued.push(stream);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let dialled = timeout(DIAL_TIMEOUT, connect_any(vec![silent_at, good])).await;
        assert_eq!(dialled.expect("the other one answers").unwrap().1, good);
    }

    #[tokio::test]
    async fn what_is_not_sent_yet_waits_where_urgent_messages_can_pass_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (stream, _) = connect_any(vec![listener.local_addr().unwrap()]).await.unwrap();
        assert_eq!(SockRef::from(&stream).tcp_notsent_lowat().unwrap(), UNSENT_BYTES);
        assert!(stream.nodelay().unwrap());
    }
}
