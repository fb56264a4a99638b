//! Sockets of strangers.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};
use peerfeed_protocol::announce::connection_id::ConnectionId;
use peerfeed_protocol::announce::udp::{Family, Reply, Request};
use socket2::{Domain, Socket, Type};

use crate::tracker::Tracker;

/// Where the tracker is.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) http: SocketAddr,
    pub(super) udp: SocketAddr,
    pub(super) status: SocketAddr,
}

impl Target {
    pub(super) fn of(tracker: &Tracker) -> Result<Self> {
        let address = |url: &str| -> Result<SocketAddr> {
            let (_, rest) = url.split_once("://").context("an address without a scheme")?;
            rest.split('/').next().unwrap_or_default().parse().with_context(|| format!("{url} is no address"))
        };
        let output = String::from_utf8(tracker.daemon.output())?;
        let page = output.lines().find_map(|line| line.strip_prefix("status page on "));
        let status = address(page.context("the tracker shows no status page")?)?;
        Ok(Self { http: address(&tracker.http_url)?, udp: address(&tracker.udp_url)?, status })
    }
}

/// A TCP connection from this address; nothing waits longer than `patience`.
pub(super) fn tcp(from: Ipv4Addr, to: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // A port is chosen together with the other end, so that many connections have enough of them.
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect_timeout(&to.into(), patience)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    Ok(stream)
}

/// A UDP socket at this address that hears the tracker alone.
pub(super) fn udp(from: Ipv4Addr, to: SocketAddr, patience: Duration) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((from, 0))?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(patience))?;
    Ok(socket)
}

/// The connection id that the tracker gives to this socket.
pub(super) fn connection_id(socket: &UdpSocket) -> Option<ConnectionId> {
    socket.send(&Request::Connect { transaction_id: 1 }.encode()).ok()?;
    let mut reply = [0; 64];
    let length = socket.recv(&mut reply).ok()?;
    match Reply::decode(&reply[..length], Family::V4) {
        Ok(Reply::Connect { connection_id, .. }) => Some(connection_id),
        _ => None,
    }
}
