//! Servers that do nothing but answer: what no tracker can be cheaper than.

use std::convert::Infallible;
use std::io::{IoSlice, IoSliceMut, Write as _};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd as _;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};
use tokio::net::TcpListener;

const BATCH: usize = 64;

/// Answers datagrams in batches, looks nothing up and checks nothing: a connect with an id, everything else with `peers`
/// peers. Prints its address and never ends.
pub fn udp(peers: usize) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20)?;
    writeln!(std::io::stdout(), "listening on udp://{}", socket.local_addr()?)?;
    let mut incoming = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut outgoing = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut buffers = vec![[0; 512]; BATCH];
    let mut answers = vec![vec![0; 20 + 6 * peers]; BATCH];
    let fd = socket.as_raw_fd();
    loop {
        let mut lengths = [0; BATCH];
        let mut to = [None; BATCH];
        let mut slices: Vec<_> = buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let received = recvmmsg(fd, &mut incoming, slices.iter_mut(), MsgFlags::MSG_WAITFORONE, None)?;
        let mut count = 0;
        for message in received {
            let Some(datagram) = message.iovs().next().filter(|datagram| datagram.len() >= 16) else { continue };
            let is_connect = datagram[8..12] == [0; 4];
            answers[count][..4].copy_from_slice(&datagram[8..12]);
            answers[count][4..8].copy_from_slice(&datagram[12..16]);
            lengths[count] = if is_connect { 16 } else { 20 + 6 * peers };
            to[count] = message.address;
            count += 1;
        }
        let slices: Vec<_> =
            answers.iter().zip(lengths).take(count).map(|(answer, length)| [IoSlice::new(&answer[..length])]).collect();
        let sent = sendmmsg(fd, &mut outgoing, slices.iter(), &to[..count], [], MsgFlags::empty())?.count();
        anyhow::ensure!(sent == count, "{sent} of {count} answers left");
    }
}

/// hyper with one answer for everything, on one thread. Prints its address and never ends.
pub fn http(peers: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        writeln!(std::io::stdout(), "listening on http://{}/announce", listener.local_addr()?)?;
        let mut body = format!("d8:completei1e10:incompletei1e8:intervali1800e5:peers{}:", 6 * peers).into_bytes();
        body.resize(body.len() + 6 * peers, 1);
        body.push(b'e');
        let body = Bytes::from(body);
        loop {
            let (stream, _) = listener.accept().await.context("cannot accept")?;
            stream.set_nodelay(true)?;
            let body = body.clone();
            tokio::spawn(async move {
                let answer =
                    service_fn(|_| std::future::ready(Ok::<_, Infallible>(Response::new(Full::new(body.clone())))));
                // A client may go away as it likes.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    })
}
