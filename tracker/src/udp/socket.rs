//! The sockets of one UDP address.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use nix::sys::socket::{setsockopt, sockopt};
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
use socket2::{Socket, Type};

use crate::limit::{UDP_RECEIVE_BUFFER_BYTES, UDP_WAKE};
use crate::sockets;

/// Binds `count` sockets to `address` as `sockets::bind` does.
pub fn bind(address: SocketAddr, only_v6: bool, count: usize) -> io::Result<Vec<UdpSocket>> {
    let prepare = |socket: &Socket| {
        // What the kernel does not grant is no reason not to start.
        let _ = socket.set_recv_buffer_size(UDP_RECEIVE_BUFFER_BYTES);
        socket.set_read_timeout(Some(UDP_WAKE))?;
        // Every answer fits the narrowest path that IPv6 allows and travels in one piece. Where it may not be cut, the kernel
        // looks for no number by which its pieces are known, and a report of a narrow path, which anybody can send, changes
        // nothing. Where this cannot be set, answers go out all the same.
        let _ = set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::PROBE);
        // On which of the machine's addresses did a datagram come in? The reply has to leave from there. A socket of one
        // address needs no telling.
        match address.ip() {
            ip if !ip.is_unspecified() => {}
            IpAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?,
            IpAddr::V4(_) => setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?,
        }
        Ok(())
    };
    Ok(sockets::bind(Type::DGRAM, address, only_v6, count, prepare)?.into_iter().map(Into::into).collect())
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
