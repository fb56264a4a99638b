//! One thread that answers datagrams.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::batch::Batch;
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
    pub fn run(mut self, stop: &AtomicBool) {
        let mut batch = Batch::new();
        while !stop.load(Ordering::Relaxed) {
            if self.step(&mut batch).is_err() {
                // Nothing that a peer does leads here; the machine is out of memory or the socket is gone.
                self.tracker.metrics.count(Counter::UdpReceiveFailed);
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    fn step(&mut self, batch: &mut Batch) -> io::Result<()> {
        let (tracker, handler) = (&*self.tracker, &mut self.handler);
        let received = batch.receive(&self.socket)?;
        handler.foresee(tracker, batch.datagrams());
        // Taken once per batch: ids and ages are counted in seconds.
        let now = tracker.moment();
        batch.answer(|datagram, from, out| handler.handle(tracker, datagram, from, now, out));
        if received.datagrams > 0 {
            tracker.load.note(received.datagrams == UDP_BATCH);
        }
        for _ in 0..received.too_long {
            tracker.metrics.count(Counter::UdpTooLong);
        }
        for _ in 0..batch.send(&self.socket) {
            tracker.metrics.count(Counter::UdpSendFailed);
        }
        Ok(())
    }
}
