//! Connects to an address.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::swarm::limits::DIAL_TIMEOUT;

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

/// Connects to `HOST:PORT`: to each address of the name in turn until one answers.
pub async fn dial(address: &str) -> Result<(TcpStream, SocketAddr), DialError> {
    timeout(DIAL_TIMEOUT, connect(address)).await.unwrap_or(Err(DialError::TimedOut))
}

async fn connect(address: &str) -> Result<(TcpStream, SocketAddr), DialError> {
    let mut last = DialError::NoAddress;
    for address in lookup_host(address).await.map_err(DialError::Name)? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                prepare(&stream);
                return Ok((stream, address));
            }
            Err(error) => last = DialError::Refused(error),
        }
    }
    Err(last)
}

/// Small messages leave at once. A system that cannot do it is merely slower.
pub(super) fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
}
