//! One announce over HTTP or HTTPS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use peerfeed_protocol::announce::http::{announce_target, decode_announce};
use peerfeed_protocol::announce::limits::REPLY_BYTES_MAX;
use peerfeed_protocol::announce::{AnnounceReply, AnnounceRequest, Scheme, TrackerUrl};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::TrackerError;

/// Bytes of head that are read before a tracker is given up: a dozen headers are 1 KiB.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The public certificate authorities, ring's ciphers, session tickets kept for the next announce.
pub(super) fn tls_config() -> Arc<rustls::ClientConfig> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring offers the cipher suites of the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Announces to this address of the tracker; the caller bounds the time.
pub(super) async fn announce(
    address: SocketAddr,
    tracker: &TrackerUrl,
    request: &AnnounceRequest,
    tls: Option<&Arc<rustls::ClientConfig>>,
) -> Result<AnnounceReply, TrackerError> {
    let stream = TcpStream::connect(address).await.map_err(TrackerError::Connect)?;
    let Some(tls) = tls else { return exchange(stream, tracker, request).await };
    let name = ServerName::try_from(tracker.host().to_owned())
        .map_err(|error| TrackerError::Tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.map_err(TrackerError::Tls)?;
    exchange(stream, tracker, request).await
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    tracker: &TrackerUrl,
    request: &AnnounceRequest,
) -> Result<AnnounceReply, TrackerError> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(TrackerError::Http)?;
    let question = Request::get(announce_target(tracker, request, None))
        .header(HOST, host(tracker))
        .header(USER_AGENT, concat!("peerfeed/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .expect("a tracker's URL holds only printable ASCII");
    let answering = async {
        let answer = sender.send_request(question).await.map_err(TrackerError::Http)?;
        let status = answer.status();
        let body = match Limited::new(answer.into_body(), REPLY_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(TrackerError::TooLarge),
            Err(error) => return Err(TrackerError::Broken(io::Error::other(error))),
        };
        match decode_announce(&body) {
            Ok(reply) => Ok(reply),
            // Some trackers send their reason along with an error status.
            Err(error) if status == StatusCode::OK => Err(error.into()),
            Err(error) => match TrackerError::from(error) {
                refused @ TrackerError::Refused(_) => Err(refused),
                _ => Err(TrackerError::Status(status.as_u16())),
            },
        }
    };
    tokio::pin!(answering);
    // The connection is driven from here, so that nothing of it outlives the answer.
    tokio::select! {
        outcome = &mut answering => outcome,
        ended = connection => match ended {
            // The answer may be complete although its connection is not there any more.
            Ok(()) => answering.await,
            Err(error) => Err(TrackerError::Http(error)),
        },
    }
}

/// `Host` as browsers write it: without the port that the scheme implies.
fn host(tracker: &TrackerUrl) -> String {
    let implied = match tracker.scheme() {
        Scheme::Https => 443,
        _ => 80,
    };
    let authority = tracker.authority();
    match authority.strip_suffix(&format!(":{implied}")) {
        Some(host) if tracker.port() == implied => host.to_owned(),
        _ => authority,
    }
}
