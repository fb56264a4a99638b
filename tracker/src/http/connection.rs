//! One connection: requests in, answers out.

use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::io::Cursor;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::listener::Front;
use super::places::Place;
use super::request::{self, Answer, Handler};
use super::wire::{TOO_LONG, Wire};
use crate::limit::{
    HTTP_CONNECTION_LIFETIME, HTTP_HEAD_BYTES_MAX, HTTP_HEAD_TIMEOUT, HTTP_SCARCE_TIMEOUT, HTTP_SERVING_BYTES,
    SHUTDOWN_GRACE,
};
use crate::metrics::Counter;
use crate::proxy::forwarded;
use crate::tracker::Tracker;

/// What a connection needs besides its stream.
pub(super) struct Session {
    pub(super) tracker: Arc<Tracker>,
    pub(super) front: Arc<Front>,
    /// Of the listener, whose connections take turns.
    pub(super) handler: Arc<Mutex<Handler>>,
    /// The client, or the proxy in front of it.
    pub(super) peer: IpAddr,
    pub(super) place: Place,
    pub(super) stop: watch::Receiver<bool>,
}

impl Session {
    /// Answers requests until one side has enough.
    pub(super) async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        if let Err(cause) = self.answer_all(stream).await {
            self.tracker.metrics.count(cause);
        }
    }

    async fn answer_all(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Counter> {
        // hyper takes its buffers at once, so it begins only where there is a request.
        let charge = self.place.charge(0).ok_or(Counter::HttpNoMemory)?;
        let patience = if self.place.is_scarce() { HTTP_SCARCE_TIMEOUT } else { HTTP_HEAD_TIMEOUT };
        let mut wire = Wire::new(stream, charge, patience);
        let mut stop = pin!(stopped(self.stop.clone()));
        let mut stop = Signal { stopped: stop.as_mut(), state: &self.stop, is_heard: false };
        let first = poll_fn(|cx| if stop.poll(cx) { Poll::Ready(None) } else { wire.poll_first_head(cx).map(Some) });
        match first.await {
            Some(true) => {}
            Some(false) => return wire.cause().map_or(Ok(()), Err),
            None => return Ok(()),
        }
        let _serving = self.place.charge(HTTP_SERVING_BYTES).ok_or(Counter::HttpNoMemory)?;
        self.speak(wire, stop).await
    }

    /// Lets hyper speak from the first head on.
    async fn speak<F: Future<Output = ()>>(
        &self,
        wire: Wire<impl AsyncRead + AsyncWrite + Unpin>,
        mut stop: Signal<'_, F>,
    ) -> Result<(), Counter> {
        let started = Instant::now();
        let is_satisfied = AtomicBool::new(false);
        let service = service_fn(|request| {
            is_satisfied.store(wants_no_more(&request), Ordering::Relaxed);
            ready(Ok::<_, Infallible>(self.respond(request, started)))
        });
        let mut connection = http1::Builder::new()
            // Escapes may make a head three times as long.
            .max_buf_size(4 * HTTP_HEAD_BYTES_MAX)
            // Header lines that nobody understands are no reason to refuse an announce.
            .ignore_invalid_headers(true)
            .half_close(true)
            .serve_connection(TokioIo::new(wire), service);
        let ended =
            poll_fn(
                |cx| {
                    if stop.poll(cx) { Poll::Ready(None) } else { connection.poll_without_shutdown(cx).map(Some) }
                },
            );
        let result = if let Some(result) = ended.await {
            result
        } else {
            Pin::new(&mut connection).graceful_shutdown();
            let rest = poll_fn(|cx| connection.poll_without_shutdown(cx));
            timeout(SHUTDOWN_GRACE, rest).await.unwrap_or(Ok(()))
        };
        let wire = connection.into_parts().io.into_inner();
        let cause = wire.cause().or_else(|| result.err().map(|error| cause_of(&error)));
        // Who wanted one answer and has sent nothing else is not cut off by a close, and most clients are like that.
        let is_satisfied = is_satisfied.into_inner() && cause.is_none() && !wire.has_begun();
        if result_is_to_be_read(cause) && !is_satisfied {
            wire.linger().await;
        }
        // Silence behind an answer is how a kept connection ends.
        cause.filter(|&cause| cause != Counter::HttpSilent).map_or(Ok(()), Err)
    }

    fn respond(&self, mut request: Request<Incoming>, started: Instant) -> Response<Full<Cursor<Vec<u8>>>> {
        let (status, body) = match self.answer(&request) {
            Answer::Bencoded(body) => (StatusCode::OK, body),
            Answer::Page(text) => (StatusCode::OK, text.into()),
            Answer::NotFound(text) => (StatusCode::NOT_FOUND, text.into()),
        };
        let mut response = Response::new(Full::new(Cursor::new(body)));
        *response.status_mut() = status;
        // The request's table of headers serves for the answer's: one fewer to be made.
        let headers = response.headers_mut();
        std::mem::swap(headers, request.headers_mut());
        headers.clear();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        // A body is not read, so the connection cannot go on behind it.
        let is_last = !request.body().is_end_stream()
            || self.place.is_scarce()
            || started.elapsed() >= HTTP_CONNECTION_LIFETIME
            || self.stop.has_changed().unwrap_or(true);
        if is_last {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn answer(&self, request: &Request<Incoming>) -> Answer {
        let tracker = &*self.tracker;
        let client = if self.front.trusted.is_empty() {
            Ok(self.peer)
        } else {
            let forwarded_for = request.headers().get_all(forwarded::HEADER);
            forwarded::client(self.peer, forwarded_for.iter().map(HeaderValue::as_bytes), &self.front.trusted)
        };
        let query = request.uri().query().unwrap_or_default();
        match (client, request.method()) {
            (Err(error), _) => {
                tracker.metrics.count(Counter::HttpForwarded);
                request::refusal(tracker, &error.to_string())
            }
            // Transmission asks for less in one scrape when it is told so in these words.
            (Ok(_), _) if query == TOO_LONG => {
                let reason = format!("GET string too long: a request has at most {HTTP_HEAD_BYTES_MAX} bytes");
                request::refusal(tracker, &reason)
            }
            (Ok(ip), &Method::GET | &Method::HEAD) => {
                let mut handler = self.handler.lock().unwrap_or_else(PoisonError::into_inner);
                handler.answer(tracker, request.uri().path().as_bytes(), query.as_bytes(), ip)
            }
            (Ok(_), _) => {
                tracker.metrics.count(Counter::HttpMethod);
                request::refusal(tracker, "only GET is understood")
            }
        }
    }
}

/// Whether the client itself closes behind this request, and sends nothing with it that will not be read.
fn wants_no_more(request: &Request<Incoming>) -> bool {
    let is_close = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
    request.body().is_end_stream() && request.headers().get(CONNECTION).is_some_and(is_close)
}

/// Whether the client may still be reading its last answer.
fn result_is_to_be_read(cause: Option<Counter>) -> bool {
    !matches!(cause, Some(Counter::HttpUnread | Counter::HttpReset | Counter::HttpSilent))
}

fn cause_of(error: &hyper::Error) -> Counter {
    if error.is_parse() { Counter::HttpMalformed } else { Counter::HttpReset }
}

/// Ends when the tracker does.
async fn stopped(mut state: watch::Receiver<bool>) {
    // Without a sender, there is nobody left to go on for.
    let _ = state.wait_for(|&stop| stop).await;
}

/// Tells a connection's task that the tracker ends. Asks for the wake-up once: the task that polls it stays the same, and
/// asking again at each of its requests would take a lock that all connections share.
struct Signal<'a, F> {
    stopped: Pin<&'a mut F>,
    state: &'a watch::Receiver<bool>,
    is_heard: bool,
}

impl<F: Future<Output = ()>> Signal<'_, F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let is_due = !self.is_heard || self.state.has_changed().unwrap_or(true);
        self.is_heard = true;
        is_due && self.stopped.as_mut().poll(cx).is_ready()
    }
}
