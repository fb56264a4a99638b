//! Serving the page and the numbers.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time;

use super::history::{History, PERIOD, Range};
use super::snapshot::{Snapshot, Source};
use super::{json, page, prometheus};

/// Most open connections: a few people and collectors.
pub const CONNECTIONS_MAX: usize = 64;

/// How long a connection may live, and how long it may stay silent.
pub const CONNECTION_LIFETIME: Duration = Duration::from_secs(60);

/// How long a client may take to send a request's head.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Request line and headers: what browsers send.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// How old numbers may be: taking them looks at every part of the swarm map.
pub const SNAPSHOT_AGE_MAX: Duration = Duration::from_secs(1);

/// A pause after an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Takes snapshots, remembers them, and answers.
pub struct Status<S> {
    source: S,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    history: History,
    recent: Option<(Instant, Snapshot)>,
}

/// Binds `address`; port 0 takes a free one. Must be called within a tokio runtime.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(128)?;
    TcpListener::from_std(socket.into())
}

impl<S: Source> Status<S> {
    /// Shows `source`.
    pub fn new(source: S) -> Self {
        Self { source, seen: Mutex::default() }
    }

    /// Takes a snapshot every [`PERIOD`] for the plots, until `stop` turns true.
    pub async fn remember(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ticks = time::interval(PERIOD);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.wait_for(|&stop| stop) => return,
            }
            let snapshot = self.source.snapshot();
            self.seen().history.push(snapshot);
        }
    }

    /// Serves on `socket` until `stop` turns true.
    pub async fn run(self: Arc<Self>, socket: TcpListener, mut stop: watch::Receiver<bool>) {
        let is_local = socket.local_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback());
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let accept = async {
            loop {
                let Ok(place) = places.clone().acquire_owned().await else { return };
                match socket.accept().await {
                    Ok((stream, _)) => {
                        let status = self.clone();
                        tokio::spawn(async move {
                            let _ = time::timeout(CONNECTION_LIFETIME, status.serve(stream, is_local)).await;
                            drop(place);
                        });
                    }
                    Err(_) => time::sleep(ACCEPT_PAUSE).await,
                }
            }
        };
        tokio::select! {
            () = accept => {}
            _ = stop.wait_for(|&stop| stop) => {}
        }
    }

    async fn serve(&self, stream: TcpStream, is_local: bool) {
        let service = service_fn(|request: Request<Incoming>| {
            std::future::ready(Ok::<_, Infallible>(self.respond(&request, is_local)))
        });
        // Broken connections are the other side's affair.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    fn respond<B>(&self, request: &Request<B>, is_local: bool) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is understood\n");
        }
        // A page from elsewhere can make a browser ask this address under a name of its own, and read the answer.
        if is_local && !request.headers().get(HOST).is_none_or(names_this_machine) {
            return text(StatusCode::MISDIRECTED_REQUEST, "ask for localhost, or for this machine's address\n");
        }
        match request.uri().path() {
            "/" => self.page(request.uri().query().unwrap_or_default()),
            "/metrics" => answer(prometheus::MEDIA_TYPE, prometheus::render(&self.snapshot())),
            "/stats.json" => {
                let snapshot = self.snapshot();
                answer("application/json", json::render(&snapshot, &self.seen().history))
            }
            "/health" => text(StatusCode::OK, "ok\n"),
            _ => text(StatusCode::NOT_FOUND, "there are /, /metrics, /stats.json and /health\n"),
        }
    }

    fn page(&self, query: &str) -> Response<Full<Bytes>> {
        let wanted = query.split('&').find_map(|pair| pair.strip_prefix("range="));
        let range = Range::ALL.into_iter().find(|range| Some(range.name()) == wanted).unwrap_or_default();
        let mut random = [0; 16];
        if getrandom::fill(&mut random).is_err() {
            return text(StatusCode::INTERNAL_SERVER_ERROR, "the operating system gives no random bytes\n");
        }
        let nonce = format!("{:032x}", u128::from_ne_bytes(random));
        let snapshot = self.snapshot();
        let html = page::render(&snapshot, &self.seen().history, range, &nonce);
        let mut response = answer("text/html; charset=utf-8", html);
        let policy = format!(
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let policy = HeaderValue::try_from(policy).expect("hexadecimal digits and fixed text");
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        response
    }

    /// How things stand, or stood a moment ago.
    fn snapshot(&self) -> Snapshot {
        let mut seen = self.seen();
        if let Some((taken, snapshot)) = &seen.recent
            && taken.elapsed() < SNAPSHOT_AGE_MAX
        {
            return snapshot.clone();
        }
        let snapshot = self.source.snapshot();
        seen.recent = Some((Instant::now(), snapshot.clone()));
        snapshot
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a `Host` header has an address or `localhost`, not a name that somebody else may own.
fn names_this_machine(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = answer("text/plain; charset=utf-8", text.to_owned());
    *response.status_mut() = status;
    response
}

fn answer(media_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    let headers: [(HeaderName, &'static str); 4] = [
        (CONTENT_TYPE, media_type),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use http_body_util::BodyExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::snapshot::tests::busy;
    use super::*;

    /// Counts how often it was looked at.
    #[derive(Default)]
    struct Made(Arc<AtomicU64>);

    impl Source for Made {
        fn snapshot(&self) -> Snapshot {
            busy(10 * self.0.fetch_add(1, Ordering::Relaxed))
        }
    }

    fn ask(status: &Status<Made>, target: &str, host: &str, is_local: bool) -> (u16, String, String) {
        let request = Request::builder().uri(target).header("host", host).body(()).unwrap();
        let response = status.respond(&request, is_local);
        let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (code, policy) = (response.status().as_u16(), header("content-security-policy") + &header("content-type"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let body = runtime.block_on(response.into_body().collect()).unwrap().to_bytes();
        (code, policy, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn each_form_has_its_address_and_all_else_is_named_unknown() {
        let status = Status::new(Made::default());
        for (target, code, kind, part) in [
            ("/", 200, "text/html", "Swarms"),
            ("/?range=day", 200, "text/html", "class=\"now\" aria-current=\"true\">Day"),
            ("/?range=../../etc", 200, "text/html", "class=\"now\" aria-current=\"true\">Hour"),
            ("/metrics", 200, "version=0.0.4", "peerfeed_tracker_peers{family=\"ipv4\"} 3000000\n"),
            ("/stats.json", 200, "application/json", "\"up_seconds\""),
            ("/health", 200, "text/plain", "ok\n"),
            ("/announce", 404, "text/plain", "/metrics"),
        ] {
            let (has, header, body) = ask(&status, target, "localhost:6970", true);
            assert_eq!(has, code, "{target}");
            assert!(header.contains(kind) && body.contains(part), "{target}: {header}");
        }
    }

    #[test]
    fn the_script_is_allowed_by_a_number_of_its_own_for_each_answer() {
        let status = Status::new(Made::default());
        let mut nonces = vec![];
        for _ in 0..2 {
            let (_, policy, body) = ask(&status, "/", "127.0.0.1", true);
            let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
            assert!(body.contains(&format!("<script nonce=\"{nonce}\">")) && policy.contains("default-src 'none'"));
            nonces.push(nonce);
        }
        assert_ne!(nonces[0], nonces[1]);
    }

    #[test]
    fn a_name_that_somebody_else_may_own_is_refused_on_a_local_listener_only() {
        let status = Status::new(Made::default());
        for host in ["localhost:6970", "LOCALHOST", "127.0.0.1:6970", "[::1]:6970", "192.0.2.1"] {
            assert_eq!(ask(&status, "/health", host, true).0, 200, "{host}");
        }
        for host in ["evil.example:6970", "localhost.evil.example", "", "[evil"] {
            assert_eq!(ask(&status, "/health", host, true).0, 421, "{host}");
            assert_eq!(ask(&status, "/health", host, false).0, 200, "{host}");
        }
    }

    #[test]
    fn many_askers_share_one_look_at_the_tracker() {
        let looks = Arc::new(AtomicU64::new(0));
        let status = Status::new(Made(looks.clone()));
        for _ in 0..50 {
            ask(&status, "/metrics", "localhost", true);
        }
        assert!(looks.load(Ordering::Relaxed) <= 2, "a busy machine may take a second for this");
    }

    #[tokio::test]
    async fn it_answers_over_a_socket_until_it_is_stopped() {
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let stop = watch::channel(false).0;
        let running = tokio::spawn(Arc::new(Status::new(Made::default())).run(socket, stop.subscribe()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        stream.write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 405 ") && text.contains("HTTP/1.1 200 OK"), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "HEAD has no body: {text}");
        stop.send_replace(true);
        running.await.unwrap();
    }
}
