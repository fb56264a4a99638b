//! HTTPS: certificates that can be exchanged while the tracker runs, and handshakes that end in time.

mod acceptor;
mod certificate;

pub use acceptor::{Acceptor, HandshakeError};
pub use certificate::{CertificateError, CertificateFiles};
