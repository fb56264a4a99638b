//! The sockets of one UDP address.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Socket, Type};

use crate::limit::{UDP_RECEIVE_BUFFER_BYTES, UDP_WAKE};

/// Binds `count` sockets to `address`, among which the kernel spreads the clients; port 0 takes a free one, the same for
/// all. A socket for `[::]` takes IPv4 too, unless `only_v6`.
pub fn bind(address: SocketAddr, only_v6: bool, count: usize) -> io::Result<Vec<UdpSocket>> {
    // Without SO_REUSEPORT first: with it, a second tracker on the port would silently take half of the datagrams.
    let probe = open(address, only_v6)?;
    probe.bind(&address.into())?;
    let address = probe.local_addr()?.as_socket().unwrap_or(address);
    drop(probe);
    (0..count.max(1))
        .map(|_| {
            let socket = open(address, only_v6)?;
            socket.set_reuse_port(true)?;
            socket.bind(&address.into())?;
            // What the kernel does not grant is no reason not to start.
            let _ = socket.set_recv_buffer_size(UDP_RECEIVE_BUFFER_BYTES);
            socket.set_read_timeout(Some(UDP_WAKE))?;
            // On which of the machine's addresses did a datagram come in? The reply has to leave from there. A socket of one
            // address needs no telling.
            match address.ip() {
                ip if !ip.is_unspecified() => {}
                IpAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
                IpAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            }
            Ok(socket.into())
        })
        .collect()
}

fn open(address: SocketAddr, only_v6: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_sockets_share_one_port_but_nobody_else_gets_it() {
        let sockets = bind("127.0.0.1:0".parse().unwrap(), false, 3).unwrap();
        let address = sockets[0].local_addr().unwrap();
        assert!(sockets.iter().all(|socket| socket.local_addr().unwrap() == address));
        assert_eq!(bind(address, false, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
