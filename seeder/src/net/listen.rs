//! Listens for connections.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::dial::prepare;

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 256;

/// Pause after the system refused to accept, as when there are no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Binds an address; IPv6 addresses take no IPv4 connections, so that both can be listened on by themselves.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    bind_socket(address, true)
}

/// Binds all addresses of both families at this port, or the IPv4 ones where there is no IPv6.
pub fn bind_everywhere(port: u16) -> io::Result<TcpListener> {
    match bind_socket((Ipv6Addr::UNSPECIFIED, port).into(), false) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            bind_socket((Ipv4Addr::UNSPECIFIED, port).into(), true)
        }
        bound => bound,
    }
}

fn bind_socket(address: SocketAddr, only_v6: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    // A restarted daemon gets its port back at once.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts connections for ever.
pub async fn accept(listener: TcpListener, mut come: impl FnMut(TcpStream, SocketAddr)) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                prepare(&stream);
                come(stream, SocketAddr::new(address.ip().to_canonical(), address.port()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
