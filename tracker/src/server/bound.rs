//! Addresses on which a server listens.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use super::BindError;

/// One address on which a server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Over what.
    pub transport: Transport,
    /// Where; never port 0.
    pub address: SocketAddr,
}

/// What carries requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTP/1.1.
    Http,
    /// HTTP/1.1 within TLS.
    Https,
    /// Datagrams.
    Udp,
    /// HTTP/1.1, for operators.
    Status,
}

/// The address as a client writes it.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transport, address } = self;
        match transport {
            Transport::Http => write!(f, "http://{address}/announce"),
            Transport::Https => write!(f, "https://{address}/announce"),
            Transport::Udp => write!(f, "udp://{address}"),
            Transport::Status => write!(f, "http://{address}/"),
        }
    }
}

/// Binds one address. `[::]` takes IPv4 as well, unless `0.0.0.0` is listed for the same port; on a machine without IPv6
/// `0.0.0.0` takes its place.
pub(super) fn listen<T>(
    transport: Transport,
    address: SocketAddr,
    listed: &[SocketAddr],
    bind: impl Fn(SocketAddr, bool) -> io::Result<T>,
) -> Result<T, BindError> {
    let any_v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    let is_any_v6 = address.is_ipv6() && address.ip().is_unspecified();
    let only_v6 = !is_any_v6 || listed.contains(&any_v4);
    let bound = match bind(address, only_v6) {
        Err(error) if is_any_v6 && !only_v6 && lacks_ipv6(&error) => bind(any_v4, false),
        bound => bound,
    };
    bound.map_err(|source| BindError::Listen { transport, address, source })
}

fn lacks_ipv6(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let errors = [Errno::EAFNOSUPPORT, Errno::EADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| errors.contains(&Errno::from_raw(code)))
}
