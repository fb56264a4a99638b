//! One connection: requests in, answers out.

use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::listener::Front;
use super::places::Place;
use super::request::{self, Answer};
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
    /// Of the listener; each request takes a seed.
    pub(super) rng: Arc<Mutex<ChaCha8Rng>>,
    /// The client, or the proxy in front of it.
    pub(super) peer: IpAddr,
    pub(super) place: Place,
    pub(super) stop: watch::Receiver<bool>,
}

impl Session {
    /// Answers requests until one side has enough.
    pub(super) async fn serve(mut self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        if let Err(cause) = self.answer_all(stream).await {
            self.tracker.metrics.count(cause);
        }
    }

    async fn answer_all(&mut self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Counter> {
        // hyper takes its buffers at once, so it begins only where there is a request.
        let charge = self.place.charge(0).ok_or(Counter::HttpNoMemory)?;
        let mut wire = Wire::new(stream, charge);
        let patience = if self.place.is_scarce() { HTTP_SCARCE_TIMEOUT } else { HTTP_HEAD_TIMEOUT };
        let first = tokio::select! {
            first = timeout(patience, wire.first_head()) => first,
            _ = self.stop.wait_for(|&stop| stop) => return Ok(()),
        };
        match first {
            Ok(true) => {}
            Ok(false) => return wire.cause().map_or(Ok(()), Err),
            Err(_) if wire.has_begun() => return Err(Counter::HttpHeadSlow),
            Err(_) => return Err(Counter::HttpSilent),
        }
        let _serving = self.place.charge(HTTP_SERVING_BYTES).ok_or(Counter::HttpNoMemory)?;
        self.speak(wire).await
    }

    /// Lets hyper speak from the first head on.
    async fn speak(&self, wire: Wire<impl AsyncRead + AsyncWrite + Unpin>) -> Result<(), Counter> {
        let started = Instant::now();
        let is_satisfied = AtomicBool::new(false);
        let service = service_fn(|request| {
            is_satisfied.store(wants_no_more(&request), Ordering::Relaxed);
            ready(Ok::<_, Infallible>(self.respond(&request, started)))
        });
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HTTP_HEAD_TIMEOUT)
            // Escapes may make a head three times as long.
            .max_buf_size(4 * HTTP_HEAD_BYTES_MAX)
            // Header lines that nobody understands are no reason to refuse an announce.
            .ignore_invalid_headers(true)
            .half_close(true)
            .serve_connection(TokioIo::new(wire), service);
        let mut stop = self.stop.clone();
        let ended = tokio::select! {
            result = poll_fn(|cx| connection.poll_without_shutdown(cx)) => Some(result),
            _ = stop.wait_for(|&stop| stop) => None,
        };
        let result = if let Some(result) = ended {
            result
        } else {
            Pin::new(&mut connection).graceful_shutdown();
            let rest = poll_fn(|cx| connection.poll_without_shutdown(cx));
            timeout(SHUTDOWN_GRACE, rest).await.unwrap_or(Ok(()))
        };
        let wire = connection.into_parts().io.into_inner();
        let cause = wire.cause().or_else(|| result.err().map(|error| cause_of(&error, wire.has_begun())));
        // Who wanted one answer and has sent nothing else is not cut off by a close, and most clients are like that.
        let is_satisfied = is_satisfied.into_inner() && cause.is_none() && !wire.has_begun();
        if result_is_to_be_read(cause) && !is_satisfied {
            wire.linger().await;
        }
        // Silence behind an answer is how a kept connection ends.
        cause.filter(|&cause| cause != Counter::HttpSilent).map_or(Ok(()), Err)
    }

    fn respond(&self, request: &Request<Incoming>, started: Instant) -> Response<Full<Bytes>> {
        let answer = self.answer(request);
        let (status, body) = match answer {
            Answer::Bencoded(body) => (StatusCode::OK, Bytes::from(body)),
            Answer::Page(text) => (StatusCode::OK, Bytes::from_static(text.as_bytes())),
            Answer::NotFound(text) => (StatusCode::NOT_FOUND, Bytes::from_static(text.as_bytes())),
        };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        // A body is not read, so the connection cannot go on behind it.
        let is_last = !request.body().is_end_stream()
            || self.place.is_scarce()
            || started.elapsed() >= HTTP_CONNECTION_LIFETIME
            || *self.stop.borrow();
        if is_last {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn answer(&self, request: &Request<Incoming>) -> Answer {
        let tracker = &*self.tracker;
        let forwarded_for = request.headers().get_all(forwarded::HEADER);
        let client = forwarded::client(self.peer, forwarded_for.iter().map(HeaderValue::as_bytes), &self.front.trusted);
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
                let mut rng = ChaCha8Rng::from_rng(&mut *self.rng.lock().unwrap_or_else(PoisonError::into_inner));
                request::answer(tracker, request.uri().path().as_bytes(), query.as_bytes(), ip, &mut rng)
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

fn cause_of(error: &hyper::Error, has_begun: bool) -> Counter {
    match () {
        () if error.is_timeout() && has_begun => Counter::HttpHeadSlow,
        () if error.is_timeout() => Counter::HttpSilent,
        () if error.is_parse() => Counter::HttpMalformed,
        () => Counter::HttpReset,
    }
}
