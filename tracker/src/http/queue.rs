//! The connections that wait to be accepted.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::net::{SocketFlags, acceptfrom_with};
use tokio::io::Interest;

/// A listening socket whose connections come as the kernel gives them, so that the runtime need not watch each.
///
/// tokio's own listener puts every connection under watch. A socket is a socket: as the stream that it is here, it is never
/// read, and tells when somebody waits to be accepted.
pub(super) struct Queue(tokio::net::TcpStream);

impl Queue {
    /// The queue of a listening socket that does not block. Must be called within a tokio runtime.
    pub(super) fn of(socket: TcpListener) -> io::Result<Self> {
        let stream = TcpStream::from(OwnedFd::from(socket));
        tokio::net::TcpStream::from_std(stream).map(Self)
    }

    /// The next connection, which does not block either, and from where it comes.
    pub(super) async fn next(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accept = || acceptfrom_with(&self.0, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC).map_err(io::Error::from);
        let (stream, peer) = self.0.async_io(Interest::READABLE, accept).await?;
        let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok((stream.into(), peer))
    }
}
