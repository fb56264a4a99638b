//! Reading a PROXY protocol header from a connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time;

use super::v2::{FIXED_BYTES, Fixed, HeaderError};

/// Why no header came.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// What came is none.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// It did not come in time.
    #[error("no PROXY protocol header within {0:?}")]
    TooSlow(Duration),
    /// The connection ended first.
    #[error("the connection ended within the PROXY protocol header")]
    Broken(#[source] io::Error),
}

/// Reads one header, and not a byte beyond it, within `patience`: for whom the connection speaks, `None` for the proxy
/// itself.
pub async fn read_source(
    stream: &mut (impl AsyncRead + Unpin),
    patience: Duration,
) -> Result<Option<SocketAddr>, ReadError> {
    let read = async {
        let mut fixed = [0; FIXED_BYTES];
        stream.read_exact(&mut fixed).await.map_err(ReadError::Broken)?;
        let fixed = Fixed::decode(&fixed)?;
        let mut rest = vec![0; fixed.rest_bytes];
        stream.read_exact(&mut rest).await.map_err(ReadError::Broken)?;
        Ok(fixed.source(&rest)?)
    };
    time::timeout(patience, read).await.unwrap_or(Err(ReadError::TooSlow(patience)))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::super::v2::tests::{V4, header};
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn what_follows_the_header_stays_in_the_connection() {
        let (mut proxy, mut tracker) = duplex(1024);
        // In pieces, as a network may deliver it.
        let bytes = [header(0x21, 0x11, &V4), b"GET /announce".to_vec()].concat();
        for piece in bytes.chunks(5) {
            proxy.write_all(piece).await.unwrap();
        }
        drop(proxy);
        let source = read_source(&mut tracker, PATIENCE).await.unwrap();
        assert_eq!(source, Some("198.51.100.7:4711".parse().unwrap()));
        let mut rest = String::new();
        tracker.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "GET /announce");
    }

    #[tokio::test(start_paused = true)]
    async fn a_proxy_that_sends_half_a_header_is_not_waited_for() {
        let (mut proxy, mut tracker) = duplex(1024);
        proxy.write_all(&header(0x21, 0x11, &V4)[..20]).await.unwrap();
        assert!(matches!(read_source(&mut tracker, PATIENCE).await, Err(ReadError::TooSlow(_))));
    }

    #[tokio::test]
    async fn a_plain_request_and_a_broken_connection_are_told_apart() {
        let (mut client, mut tracker) = duplex(1024);
        client.write_all(b"GET /announce HTTP/1.1\r\n").await.unwrap();
        let error = read_source(&mut tracker, PATIENCE).await.unwrap_err();
        assert!(matches!(error, ReadError::Header(HeaderError::Signature)));
        let (mut client, mut tracker) = duplex(1024);
        client.write_all(b"\r\n\r\n").await.unwrap();
        drop(client);
        assert!(matches!(read_source(&mut tracker, PATIENCE).await, Err(ReadError::Broken(_))));
    }
}
