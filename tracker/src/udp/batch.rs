//! Receiving and sending many datagrams with one system call each.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::libc::{in_pktinfo, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg,
    sendmmsg,
};

use peerfeed_protocol::announce::limits::UDP_REPLY_BYTES_MAX;

use crate::limit::{UDP_BATCH, UDP_BUFFER_BYTES};

/// Addresses of the family of a socket, as the kernel has them: what has room for any family is eight times as long.
pub(super) trait Address: SockaddrLike + Copy {
    fn to_std(self) -> SocketAddr;
}

impl Address for SockaddrIn {
    fn to_std(self) -> SocketAddr {
        SocketAddr::V4(self.into())
    }
}

impl Address for SockaddrIn6 {
    fn to_std(self) -> SocketAddr {
        SocketAddr::V6(self.into())
    }
}

/// Room for one batch in each direction, used again and again.
pub(super) struct Batch<A> {
    pub(super) incoming: Incoming<A>,
    pub(super) outgoing: Outgoing<A>,
}

/// Datagrams that have come.
pub(super) struct Incoming<A> {
    headers: MultiHeaders<A>,
    buffers: Vec<[u8; UDP_BUFFER_BYTES]>,
    requests: Vec<Request<A>>,
}

/// Answers on their way.
pub(super) struct Outgoing<A> {
    /// With room for one [`Local`].
    headers: MultiHeaders<A>,
    /// Without.
    headers_plain: MultiHeaders<A>,
    replies: Vec<Reply<A>>,
    /// Of all answers, one behind the other.
    bytes: Vec<u8>,
}

/// Where one datagram that has come is, and where its answer has to go.
pub(super) struct Request<A> {
    from: A,
    local: Local,
    /// Which buffer holds how many bytes of it.
    place: (usize, usize),
}

/// One answer on its way.
struct Reply<A> {
    to: A,
    local: Local,
    /// Where its bytes are.
    place: Range<usize>,
}

/// On which of the machine's addresses a datagram came in, so that its answer leaves from there (spec: ANN-29).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Local {
    V4(in_pktinfo),
    V6(in6_pktinfo),
    /// The kernel did not say.
    Unknown,
}

/// What a batch brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Received {
    /// Datagrams, those too long included.
    pub(super) datagrams: usize,
    /// Datagrams longer than any request, which were dropped.
    pub(super) too_long: usize,
}

impl<A: Address> Batch<A> {
    pub(super) fn new() -> Self {
        let with_local = || Some(nix::cmsg_space!(in6_pktinfo));
        Self {
            incoming: Incoming {
                headers: MultiHeaders::preallocate(UDP_BATCH, with_local()),
                buffers: vec![[0; UDP_BUFFER_BYTES]; UDP_BATCH],
                requests: Vec::with_capacity(UDP_BATCH),
            },
            outgoing: Outgoing {
                headers: MultiHeaders::preallocate(UDP_BATCH, with_local()),
                headers_plain: MultiHeaders::preallocate(UDP_BATCH, None),
                replies: Vec::with_capacity(UDP_BATCH),
                bytes: Vec::with_capacity(UDP_BATCH * UDP_REPLY_BYTES_MAX),
            },
        }
    }
}

impl<A: Address> Incoming<A> {
    /// Waits for datagrams until the socket's read timeout and takes all that are there.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<Received> {
        self.requests.clear();
        let mut slices: Vec<_> = self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let received =
            recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), MsgFlags::MSG_WAITFORONE, None);
        let messages = match received {
            Ok(messages) => messages,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(Received::default()),
            Err(error) => return Err(error.into()),
        };
        let mut counts = Received::default();
        for (buffer, message) in messages.enumerate() {
            counts.datagrams += 1;
            let Some(from) = message.address else { continue };
            if message.flags.contains(MsgFlags::MSG_TRUNC) {
                counts.too_long += 1;
                continue;
            }
            let local = message.cmsgs().map_or(Local::Unknown, |mut cmsgs| {
                cmsgs.find_map(|message| local_of(&message)).unwrap_or(Local::Unknown)
            });
            self.requests.push(Request { from, local, place: (buffer, message.bytes) });
        }
        Ok(counts)
    }

    /// The datagrams that have come, and from where.
    pub(super) fn datagrams(&self) -> impl ExactSizeIterator<Item = (&[u8], SocketAddr)> {
        let bytes = |request: &Request<A>| &self.buffers[request.place.0][..request.place.1];
        self.requests.iter().map(move |request| (bytes(request), request.from.to_std()))
    }

    /// The same, to be answered.
    pub(super) fn requests(&self) -> &[Request<A>] {
        &self.requests
    }
}

impl<A: Address> Outgoing<A> {
    /// Lets `write` append what a request is answered with, or nothing. [`send`](Self::send) sends it.
    pub(super) fn answer(&mut self, request: &Request<A>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        if self.bytes.len() > start {
            self.replies.push(Reply { to: request.from, local: request.local, place: start..self.bytes.len() });
        }
    }

    /// Sends the answers, those from one local address together; returns how many the kernel did not take.
    pub(super) fn send(&mut self, socket: &UdpSocket) -> usize {
        let mut failed = 0;
        let mut replies = std::mem::take(&mut self.replies);
        // On most machines all clients ask at the same address.
        if replies.windows(2).any(|pair| pair[0].local != pair[1].local) {
            replies.sort_by_key(|reply| reply.local.order());
        }
        for group in replies.chunk_by(|a, b| a.local == b.local) {
            let mut left = group;
            while !left.is_empty() {
                // A reply that cannot be sent (no route, forbidden) stops the call: skip it and go on behind it.
                let sent = self.send_group(socket, left).unwrap_or(0);
                failed += usize::from(sent == 0);
                left = &left[sent.max(1)..];
            }
        }
        self.replies = replies;
        self.replies.clear();
        self.bytes.clear();
        failed
    }

    fn send_group(&mut self, socket: &UdpSocket, group: &[Reply<A>]) -> Result<usize, Errno> {
        let slices: Vec<_> = group.iter().map(|reply| [IoSlice::new(&self.bytes[reply.place.clone()])]).collect();
        let to: Vec<_> = group.iter().map(|reply| Some(reply.to)).collect();
        let fd = socket.as_raw_fd();
        let none = MsgFlags::empty();
        let sent = match &group[0].local {
            Local::V4(info) => {
                let from = [ControlMessage::Ipv4PacketInfo(info)];
                sendmmsg(fd, &mut self.headers, slices.iter(), to, from, none)?.count()
            }
            Local::V6(info) => {
                let from = [ControlMessage::Ipv6PacketInfo(info)];
                sendmmsg(fd, &mut self.headers, slices.iter(), to, from, none)?.count()
            }
            Local::Unknown => sendmmsg(fd, &mut self.headers_plain, slices.iter(), to, [], none)?.count(),
        };
        Ok(sent)
    }
}

impl Local {
    /// Any order that puts equal ones together.
    fn order(&self) -> [u8; 16] {
        match self {
            Self::V4(info) => {
                std::net::Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)).to_ipv6_mapped().octets()
            }
            Self::V6(info) => info.ipi6_addr.s6_addr,
            Self::Unknown => [0; 16],
        }
    }
}

fn local_of(message: &ControlMessageOwned) -> Option<Local> {
    match *message {
        // The interface is left to the routing table: answers may have to leave by another one than requests came in.
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(Local::V4(in_pktinfo { ipi_ifindex: 0, ..info })),
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let is_link_local = info.ipi6_addr.s6_addr[0] == 0xfe && info.ipi6_addr.s6_addr[1] & 0xc0 == 0x80;
            let ipi6_ifindex = if is_link_local { info.ipi6_ifindex } else { 0 };
            Some(Local::V6(in6_pktinfo { ipi6_ifindex, ..info }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV4;

    use super::super::socket::bind;
    use super::*;

    /// Sends `datagrams` to `to` on a socket of its own each and answers them in batches with their own bytes.
    fn echo<A: Address>(server: &UdpSocket, to: &[SocketAddr], datagrams: usize) -> Vec<UdpSocket> {
        let clients: Vec<_> = (0..datagrams)
            .map(|n| {
                let to = to[n % to.len()];
                let any = if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
                let client = UdpSocket::bind(any).unwrap();
                client.connect(to).unwrap();
                client.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
                client.send(&n.to_be_bytes()).unwrap();
                client
            })
            .collect();
        let mut batch = Batch::<A>::new();
        let mut seen = 0;
        while seen < datagrams {
            seen += batch.incoming.receive(server).unwrap().datagrams;
            for (request, (bytes, _)) in batch.incoming.requests().iter().zip(batch.incoming.datagrams()) {
                batch.outgoing.answer(request, |out| out.extend_from_slice(bytes));
            }
            assert_eq!(batch.outgoing.send(server), 0);
        }
        clients
    }

    #[test]
    fn every_client_gets_its_own_answer_from_the_address_that_it_asked() {
        // A connected client hears only the address that it sent to: 127.0.0.3 is not where a reply leaves by itself.
        for (bound, asked) in [
            ("0.0.0.0:0", &["127.0.0.1", "127.0.0.3", "127.9.9.9"][..]),
            ("[::]:0", &["127.0.0.1", "127.0.0.3", "::1"]),
            ("127.0.0.2:0", &["127.0.0.2"]),
        ] {
            let server = bind(bound.parse().unwrap(), false, 1).unwrap().remove(0);
            let port = server.local_addr().unwrap().port();
            let to: Vec<_> = asked.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect();
            let echo = if server.local_addr().unwrap().is_ipv4() { echo::<SockaddrIn> } else { echo::<SockaddrIn6> };
            for (n, client) in echo(&server, &to, 200).iter().enumerate() {
                let mut reply = [0; 16];
                let length = client.recv(&mut reply).unwrap_or_else(|error| panic!("{n} at {bound}: {error}"));
                assert_eq!(reply[..length], n.to_be_bytes(), "{bound}");
            }
        }
    }

    #[test]
    fn a_datagram_that_is_too_long_is_dropped_and_counted() {
        let server = bind("127.0.0.1:0".parse().unwrap(), false, 1).unwrap().remove(0);
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        client.send(&[0; UDP_BUFFER_BYTES + 1]).unwrap();
        client.send(&[0; UDP_BUFFER_BYTES]).unwrap();
        let mut batch = Batch::<SockaddrIn>::new();
        let (mut answered, mut counts) = (0, Received::default());
        while counts.datagrams < 2 {
            let more = batch.incoming.receive(&server).unwrap();
            answered += batch.incoming.requests().len();
            counts =
                Received { datagrams: counts.datagrams + more.datagrams, too_long: counts.too_long + more.too_long };
        }
        assert_eq!((answered, counts.too_long), (1, 1));
    }

    #[test]
    fn one_answer_that_cannot_be_sent_does_not_hold_up_the_others() {
        let server = bind("127.0.0.1:0".parse().unwrap(), false, 1).unwrap().remove(0);
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        let to = |address: SocketAddrV4| Reply { to: SockaddrIn::from(address), local: Local::Unknown, place: 0..1 };
        let SocketAddr::V4(good) = client.local_addr().unwrap() else { panic!() };
        let mut outgoing = Batch::new().outgoing;
        outgoing.bytes = b"x".to_vec();
        outgoing.replies = vec![to(good), to("127.0.0.1:0".parse().unwrap()), to(good)];
        assert_eq!(outgoing.send(&server), 1);
        for _ in 0..2 {
            assert_eq!(client.recv(&mut [0; 2]).unwrap(), 1);
        }
    }
}
