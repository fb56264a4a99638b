//! Handshakes.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::{CertificateError, CertificateFiles};

/// Most bytes of answers that a connection keeps for a client that does not read.
pub(crate) const UNSENT_BYTES_MAX: usize = 64 * 1024;

/// Makes TLS connections of TCP ones.
///
/// TLS 1.3 and 1.2. A client that comes back within 12 hours resumes its session without a new signature, the most
/// expensive part of a handshake; its state is with the client, so that a million clients cost no memory.
#[derive(Clone)]
pub struct Acceptor {
    tls: TlsAcceptor,
    certificate: Arc<Exchangeable>,
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// It took too long.
    #[error("no TLS handshake within {0:?}")]
    TooSlow(Duration),
    /// The client broke off, or does not speak TLS.
    #[error("the TLS handshake failed")]
    Broken(#[source] io::Error),
}

/// Shows neither keys nor certificates.
impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptor")
    }
}

#[derive(Debug)]
struct Exchangeable(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Exchangeable {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Acceptor {
    /// Reads the certificate. Needs an operating system that gives random bytes.
    pub fn load(files: &CertificateFiles) -> Result<Self, CertificateError> {
        let provider = Arc::new(ring::default_provider());
        let unusable = |source| CertificateError::Unusable { files: files.clone(), source };
        let certificate = Arc::new(Exchangeable(ArcSwap::from_pointee(files.read(&provider)?)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(certificate.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.ticketer = ring::Ticketer::new().map_err(unusable)?;
        // A client announces over one connection at a time: one ticket serves it.
        config.send_tls13_tickets = 1;
        Ok(Self { tls: TlsAcceptor::from(Arc::new(config)), certificate })
    }

    /// Reads the certificate anew and uses it for coming handshakes; when it cannot be used, the old one stays.
    ///
    /// Open connections and sessions to be resumed go on.
    pub fn reload(&self, files: &CertificateFiles) -> Result<(), CertificateError> {
        self.certificate.0.store(Arc::new(files.read(&ring::default_provider())?));
        Ok(())
    }

    /// Shakes hands within `patience`.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        patience: Duration,
    ) -> Result<TlsStream<S>, HandshakeError> {
        let handshake = self.tls.accept_with(stream, |connection| connection.set_buffer_limit(Some(UNSENT_BYTES_MAX)));
        match time::timeout(patience, handshake).await {
            Ok(result) => result.map_err(HandshakeError::Broken),
            Err(_) => Err(HandshakeError::TooSlow(patience)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, HandshakeKind, RootCertStore};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio_rustls::{TlsConnector, client};

    use super::super::certificate::tests::certificate;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn connector(trusted: &[&CertificateDer<'static>]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        for certificate in trusted {
            roots.add((*certificate).clone()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }

    async fn connect(
        acceptor: &Acceptor,
        connector: &TlsConnector,
    ) -> io::Result<(client::TlsStream<DuplexStream>, TlsStream<DuplexStream>)> {
        let (near, far) = duplex(64 * 1024);
        let name = ServerName::try_from("tracker.example").unwrap();
        let (client, server) = tokio::join!(connector.connect(name, near), acceptor.accept(far, PATIENCE));
        let (mut client, mut server) = (client?, server.map_err(io::Error::other)?);
        // The ticket comes with the first bytes.
        server.write_all(b"hello").await?;
        client.read_exact(&mut [0; 5]).await?;
        Ok((client, server))
    }

    #[tokio::test]
    async fn a_client_that_comes_back_resumes_its_session_also_after_a_reload() {
        let folder = tempfile::tempdir().unwrap();
        let (files, trusted) = certificate(folder.path(), "tracker.example");
        let acceptor = Acceptor::load(&files).unwrap();
        let connector = connector(&[&trusted]);
        let kind = |(client, _): (client::TlsStream<DuplexStream>, _)| client.get_ref().1.handshake_kind();
        assert_eq!(kind(connect(&acceptor, &connector).await.unwrap()), Some(HandshakeKind::Full));
        assert_eq!(kind(connect(&acceptor, &connector).await.unwrap()), Some(HandshakeKind::Resumed));
        acceptor.reload(&files).unwrap();
        assert_eq!(kind(connect(&acceptor, &connector).await.unwrap()), Some(HandshakeKind::Resumed));
    }

    #[tokio::test]
    async fn a_new_certificate_serves_new_connections_and_old_ones_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let (files, old) = certificate(folder.path(), "tracker.example");
        let acceptor = Acceptor::load(&files).unwrap();
        let (mut client, mut server) = connect(&acceptor, &connector(&[&old])).await.unwrap();
        let (_, new) = certificate(folder.path(), "tracker.example");
        acceptor.reload(&files).unwrap();
        assert!(connect(&acceptor, &connector(&[&old])).await.is_err(), "the old certificate is gone");
        connect(&acceptor, &connector(&[&new])).await.unwrap();
        client.write_all(b"still here").await.unwrap();
        let mut text = [0; 10];
        server.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"still here");
    }

    #[tokio::test]
    async fn a_broken_certificate_leaves_the_old_one_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let (files, trusted) = certificate(folder.path(), "tracker.example");
        let acceptor = Acceptor::load(&files).unwrap();
        std::fs::write(&files.key, "").unwrap();
        assert!(acceptor.reload(&files).is_err());
        connect(&acceptor, &connector(&[&trusted])).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_plain_http_do_not_hold_a_connection() {
        let folder = tempfile::tempdir().unwrap();
        let (files, _) = certificate(folder.path(), "tracker.example");
        let acceptor = Acceptor::load(&files).unwrap();
        let (_silent, far) = duplex(1024);
        assert!(matches!(acceptor.accept(far, PATIENCE).await, Err(HandshakeError::TooSlow(_))));
        let (mut plain, far) = duplex(1024);
        plain.write_all(b"GET /announce HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(matches!(acceptor.accept(far, PATIENCE).await, Err(HandshakeError::Broken(_))));
    }
}
