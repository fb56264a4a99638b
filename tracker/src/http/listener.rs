//! Accepting connections and speaking HTTP/1.1 on them.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rand_chacha::ChaCha8Rng;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time;

use super::request::{Answer, answer, refuse};
use crate::limit::{
    ACCEPT_PAUSE, HTTP_BACKLOG, HTTP_CONNECTION_LIFETIME, HTTP_HEAD_BYTES_MAX, HTTP_HEAD_TIMEOUT, HTTP_HEADERS_MAX,
    SHUTDOWN_GRACE,
};
use crate::metrics::Counter;
use crate::tracker::{NoRandomness, Tracker, worker_rng};

/// One HTTP address of the tracker.
pub struct Listener {
    socket: TcpListener,
    tracker: Arc<Tracker>,
    /// One place per connection, shared by all listeners.
    places: Arc<Semaphore>,
}

/// Binds `address`; port 0 takes a free one. A listener on `[::]` takes IPv4 too, unless `only_v6`.
pub fn bind(address: SocketAddr, only_v6: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    // Connections of an earlier run that linger must not keep a restarted tracker from its port.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(HTTP_BACKLOG).unwrap_or(i32::MAX))?;
    TcpListener::from_std(socket.into())
}

impl Listener {
    /// A listener on `socket`.
    pub fn new(socket: TcpListener, tracker: Arc<Tracker>, places: Arc<Semaphore>) -> Self {
        Self { socket, tracker, places }
    }

    /// Serves until `stop` turns true, then gives open connections [`SHUTDOWN_GRACE`] to finish their request.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        while let Some(stream) = self.accept(&mut stop).await {
            let Ok(place) = self.places.clone().acquire_owned().await else { break };
            let (tracker, stop) = (self.tracker.clone(), stop.clone());
            connections.spawn(async move {
                serve(stream, tracker, stop).await;
                drop(place);
            });
            // Finished connections are forgotten as new ones come.
            while connections.try_join_next().is_some() {}
        }
        drop(self.socket);
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = time::timeout(SHUTDOWN_GRACE, all).await;
    }

    /// The next connection; `None` when the tracker ends.
    async fn accept(&self, stop: &mut watch::Receiver<bool>) -> Option<TcpStream> {
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = stop.wait_for(|&stop| stop) => return None,
            };
            if let Ok((stream, _)) = accepted {
                self.tracker.metrics.count(Counter::HttpConnection);
                return Some(stream);
            }
            self.tracker.metrics.count(Counter::HttpAcceptFailed);
            time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// Serves one connection to its end.
async fn serve(stream: TcpStream, tracker: Arc<Tracker>, mut stop: watch::Receiver<bool>) {
    let (Ok(peer), Ok(session)) = (stream.peer_addr(), Session::new(tracker.clone())) else { return };
    let ip = peer.ip().to_canonical();
    // Replies are one small write each: waiting for more to say would only delay them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(session.respond(&request, ip))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HTTP_HEAD_TIMEOUT)
        .max_buf_size(HTTP_HEAD_BYTES_MAX)
        .max_headers(HTTP_HEADERS_MAX)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        result = connection.as_mut() => Some(result),
        () = time::sleep(HTTP_CONNECTION_LIFETIME) => None,
        _ = stop.wait_for(|&stop| stop) => None,
    };
    let result = if let Some(result) = ended {
        result
    } else {
        connection.as_mut().graceful_shutdown();
        match time::timeout(SHUTDOWN_GRACE, connection).await {
            Ok(result) => result,
            Err(_) => return tracker.metrics.count(Counter::HttpOverdue),
        }
    };
    if result.is_err() {
        tracker.metrics.count(Counter::HttpBroken);
    }
}

/// What the requests of one connection share.
struct Session {
    tracker: Arc<Tracker>,
    rng: Mutex<ChaCha8Rng>,
}

impl Session {
    fn new(tracker: Arc<Tracker>) -> Result<Self, NoRandomness> {
        Ok(Self { tracker, rng: Mutex::new(worker_rng()?) })
    }

    fn respond(&self, request: &Request<Incoming>, ip: IpAddr) -> Response<Full<Bytes>> {
        let answer = match *request.method() {
            Method::GET | Method::HEAD => {
                let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
                let query = request.uri().query().unwrap_or_default();
                answer(&self.tracker, request.uri().path(), query.as_bytes(), ip, &mut rng)
            }
            _ => refuse(&self.tracker, "only GET is understood"),
        };
        let (status, body) = match answer {
            Answer::Bencoded(body) => (StatusCode::OK, Bytes::from(body)),
            Answer::Page(text) => (StatusCode::OK, Bytes::from_static(text.as_bytes())),
            Answer::NotFound(text) => (StatusCode::NOT_FOUND, Bytes::from_static(text.as_bytes())),
        };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        response
    }
}
