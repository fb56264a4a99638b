//! One thread that answers datagrams.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::socket::{SockaddrIn, SockaddrIn6};

use super::batch::{Address, Batch};
use super::handler::Handler;
use crate::limit::UDP_BATCH;
use crate::metrics::Counter;
use crate::tracker::{NoRandomness, Tracker, worker_rng};

/// A socket and what is needed to answer on it.
pub struct Worker {
    socket: UdpSocket,
    tracker: Arc<Tracker>,
    handler: Handler,
}

impl Worker {
    /// A worker on `socket`.
    pub fn new(socket: UdpSocket, tracker: Arc<Tracker>) -> Result<Self, NoRandomness> {
        Ok(Self { socket, tracker, handler: Handler::new(worker_rng()?) })
    }

    /// Answers until `stop` is set; blocks its thread.
    pub fn run(self, stop: &AtomicBool) {
        if self.socket.local_addr().is_ok_and(|address| address.is_ipv4()) {
            self.run_with(Batch::<SockaddrIn>::new(), stop);
        } else {
            self.run_with(Batch::<SockaddrIn6>::new(), stop);
        }
    }

    fn run_with(mut self, mut batch: Batch<impl Address>, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            if self.step(&mut batch).is_err() {
                // Nothing that a peer does leads here; the machine is out of memory or the socket is gone.
                self.tracker.metrics.count(Counter::UdpReceiveFailed);
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    fn step(&mut self, batch: &mut Batch<impl Address>) -> io::Result<()> {
        let (tracker, handler) = (&*self.tracker, &mut self.handler);
        let Batch { incoming, outgoing } = batch;
        let received = incoming.receive(&self.socket)?;
        let terms = &tracker.terms();
        let asked: Vec<_> =
            incoming.datagrams().map(|(bytes, from)| handler.read(tracker, terms, bytes, from)).collect();
        handler.foresee(tracker);
        for (request, asked) in incoming.requests().iter().zip(&asked) {
            outgoing.answer(request, |out| handler.answer(tracker, asked, terms, out));
        }
        handler.report(tracker);
        if received.datagrams > 0 {
            tracker.load.note(received.datagrams == UDP_BATCH);
        }
        for _ in 0..received.too_long {
            tracker.metrics.count(Counter::UdpTooLong);
        }
        for _ in 0..outgoing.send(&self.socket) {
            tracker.metrics.count(Counter::UdpSendFailed);
        }
        Ok(())
    }
}
