//! Accepting connections.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use socket2::{Socket, Type};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time;

use super::connection::Session;
use super::places::{NoPlace, Place, Places};
use super::queue::Queue;
use super::request::Handler;
use super::stream::Stream;
use crate::limit::{ACCEPT_PAUSE, HTTP_BACKLOG, HTTP_HEAD_TIMEOUT, SHUTDOWN_GRACE, TLS_HANDSHAKE_BYTES};
use crate::metrics::Counter;
use crate::proxy::{Networks, read_source};
use crate::sockets;
use crate::tls::Acceptor;
use crate::tracker::{NoRandomness, Tracker, worker_rng};

/// One HTTP address of the tracker.
pub struct Listener {
    socket: TcpListener,
    host: Host,
}

/// A listener whose runtime tells it of connections.
pub struct Watching {
    queue: Queue,
    host: Host,
}

/// What all its connections share.
struct Host {
    tracker: Arc<Tracker>,
    places: Arc<Places>,
    front: Arc<Front>,
    handler: Arc<Mutex<Handler>>,
}

/// What stands between clients and their requests; nothing by default.
#[derive(Default)]
pub struct Front {
    /// Every connection begins with a TLS handshake.
    pub tls: Option<Acceptor>,
    /// Every connection begins with a PROXY protocol header, and comes from a trusted network.
    pub proxy_protocol: bool,
    /// Whose `X-Forwarded-For` and PROXY protocol headers are believed.
    pub trusted: Arc<Networks>,
}

/// Binds `count` sockets to `address` as `sockets::bind` does, on which connections can be made from now on.
pub fn bind(address: SocketAddr, only_v6: bool, count: usize) -> io::Result<Vec<TcpListener>> {
    let prepare = |socket: &Socket| {
        // Connections of an earlier run that linger must not keep a restarted tracker from its port.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        // Replies are one small write each: waiting for more to say would only delay them. Connections take it over.
        socket.set_tcp_nodelay(true)
    };
    let listen = |socket: Socket| {
        socket.listen(i32::try_from(HTTP_BACKLOG).unwrap_or(i32::MAX))?;
        Ok(socket.into())
    };
    sockets::bind(Type::STREAM, address, only_v6, count, prepare)?.into_iter().map(listen).collect()
}

impl Listener {
    /// A listener on `socket`.
    pub fn new(
        socket: TcpListener,
        tracker: Arc<Tracker>,
        places: Arc<Places>,
        front: Arc<Front>,
    ) -> Result<Self, NoRandomness> {
        let handler = Arc::new(Mutex::new(Handler::new(worker_rng()?)));
        Ok(Self { socket, host: Host { tracker, places, front, handler } })
    }

    /// Has the runtime that this is called in watch for connections.
    pub fn watch(self) -> io::Result<Watching> {
        Ok(Watching { queue: Queue::of(self.socket)?, host: self.host })
    }
}

impl Watching {
    /// Serves until `stop` turns true, then gives open connections [`SHUTDOWN_GRACE`] to finish their request.
    ///
    /// A connection for which there is no place is closed at once, so that the next one is never kept waiting.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let Self { queue, host } = self;
        let mut connections = JoinSet::new();
        while let Some((stream, peer)) = host.accept(&queue, &mut stop).await {
            if let Some(place) = host.place(peer) {
                connections.spawn(host.serve(stream, peer, place, stop.clone()));
            }
            // Finished connections are forgotten as new ones come.
            while connections.try_join_next().is_some() {}
        }
        drop(queue);
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = time::timeout(SHUTDOWN_GRACE, all).await;
    }
}

impl Host {
    /// The next connection and from where it comes; `None` when the tracker ends.
    async fn accept(&self, queue: &Queue, stop: &mut watch::Receiver<bool>) -> Option<(Stream, IpAddr)> {
        loop {
            let accepted = tokio::select! {
                accepted = queue.next() => accepted,
                _ = stop.wait_for(|&stop| stop) => return None,
            };
            if let Ok((stream, peer)) = accepted {
                self.tracker.metrics.count(Counter::HttpConnection);
                return Some((Stream::fresh(stream), peer.ip().to_canonical()));
            }
            self.tracker.metrics.count(Counter::HttpAcceptFailed);
            time::sleep(ACCEPT_PAUSE).await;
        }
    }

    fn place(&self, peer: IpAddr) -> Option<Place> {
        let is_counted = self.tracker.guard.limits(peer) && !self.front.trusted.contain(peer);
        let taken = self.places.take(peer, is_counted, self.front.tls.is_some());
        self.tracker.load.note(matches!(taken, Err(NoPlace::Full)));
        let counter = match taken {
            Ok(place) => return Some(place),
            Err(NoPlace::Full) => Counter::HttpFull,
            Err(NoPlace::Share) => Counter::HttpShare,
        };
        self.tracker.metrics.count(counter);
        None
    }

    /// Serves one connection to its end.
    fn serve(
        &self,
        mut stream: Stream,
        mut peer: IpAddr,
        place: Place,
        stop: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (tracker, front, handler) = (self.tracker.clone(), self.front.clone(), self.handler.clone());
        async move {
            if front.proxy_protocol {
                if !front.trusted.contain(peer) {
                    return tracker.metrics.count(Counter::HttpProxyUntrusted);
                }
                match read_source(&mut stream, HTTP_HEAD_TIMEOUT).await {
                    Ok(source) => peer = source.map_or(peer, |source| source.ip().to_canonical()),
                    Err(_) => return tracker.metrics.count(Counter::HttpProxyHeader),
                }
            }
            let session = Session { tracker, front: front.clone(), handler, peer, place, stop };
            match &front.tls {
                None => session.serve(stream).await,
                // Its state is large; a plain connection should not have to carry it.
                Some(acceptor) => Box::pin(serve_tls(session, acceptor, stream)).await,
            }
        }
    }
}

async fn serve_tls(session: Session, acceptor: &Acceptor, stream: Stream) {
    let metrics = &session.tracker.metrics;
    let Some(shaking) = session.place.charge(TLS_HANDSHAKE_BYTES) else {
        return metrics.count(Counter::HttpNoMemory);
    };
    let Ok(stream) = acceptor.accept(stream, HTTP_HEAD_TIMEOUT).await else {
        return metrics.count(Counter::HttpTls);
    };
    drop(shaking);
    session.serve(stream).await;
}
