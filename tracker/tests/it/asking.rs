//! Announces by hand, over a plain connection or TLS, with whatever a proxy puts in front.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use peerfeed_protocol::announce::AnnounceReply;
use peerfeed_protocol::announce::http::{HttpReplyError, decode_announce};
use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName};

/// The hash that is announced, in the only form that needs no escapes.
pub(crate) const HASH: &str = "aaaaaaaaaaaaaaaaaaaa";

/// An open connection.
pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// One that comes from another address of this machine.
pub(crate) fn connect_from(from: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket.into()
}

/// A TLS session with a server that must show `trusted` for `localhost`.
pub(crate) fn secure(stream: TcpStream, trusted: &CertificateDer<'static>) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
}

/// What comes back; `None` when the connection is closed unanswered.
type Answer = Option<Result<AnnounceReply, HttpReplyError>>;

/// Announces [`HASH`] with this port.
pub(crate) fn announce(stream: impl Read + Write, port: u16, headers: &str) -> Answer {
    announce_as(stream, &format!("port={port}&left=1"), headers)
}

/// Announces [`HASH`] with these parameters.
pub(crate) fn announce_as(mut stream: impl Read + Write, parameters: &str, headers: &str) -> Answer {
    let target = format!("/announce?info_hash={HASH}&peer_id=bbbbbbbbbbbbbbbbbbbb&{parameters}");
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    // A tracker that refuses the connection may close it before the request is there.
    let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.flush());
    let mut reply = vec![];
    let _ = stream.read_to_end(&mut reply);
    let head = reply.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(decode_announce(&reply[head + 4..]))
}

/// Writes a self-signed certificate for `localhost` into `folder`: its file, that of its key, and itself.
pub(crate) fn certificate(folder: &Path) -> (PathBuf, PathBuf, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (certificate, key, made.cert.der().clone())
}
