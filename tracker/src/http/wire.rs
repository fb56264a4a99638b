//! What lies between a stream and hyper: every wait and every byte kept has a bound.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Sleep, sleep, timeout};

use super::head::{end_of_head, rewrite};
use super::places::Bytes;
use crate::limit::{HTTP_HEAD_BYTES_MAX, HTTP_INPUT_BYTES, HTTP_LINGER, HTTP_LINGER_BYTES_MAX, HTTP_WRITE_TIMEOUT};
use crate::metrics::Counter;

/// The query that stands for a head that was too long; who sends it himself gets the same answer.
pub(super) const TOO_LONG: &str = "too-long";

/// A stream whose heads are gathered, bounded and [rewritten](rewrite), and whose writes have to be read in time. The
/// next head is given only when the answers before it have been written, so that hyper never gathers answers.
///
/// A body is not told from a next head: whoever serves a request that has one must close the connection behind it.
pub(super) struct Wire<S> {
    stream: S,
    /// What came and is not yet a whole head.
    input: Vec<u8>,
    /// Bytes of `input` that hold no end.
    seen: usize,
    /// What the reader gets next, from `given` on.
    ready: Vec<u8>,
    given: usize,
    has_ended: bool,
    charge: Bytes,
    /// Runs while somebody does not read.
    unread: Option<Pin<Box<Sleep>>>,
    /// Why it was ended from here.
    cause: Option<Counter>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// A wire over `stream` that charges long heads to `charge`.
    pub(super) fn new(stream: S, charge: Bytes) -> Self {
        let (input, ready) = (Vec::new(), Vec::new());
        Self { stream, input, seen: 0, ready, given: 0, has_ended: false, charge, unread: None, cause: None }
    }

    /// Waits until a head can be read; false when the connection has ended before.
    pub(super) async fn first_head(&mut self) -> bool {
        let filled = poll_fn(|cx| self.poll_fill(cx)).await;
        filled.is_ok() && self.given < self.ready.len()
    }

    /// Whether part of a head has come.
    pub(super) fn has_begun(&self) -> bool {
        !self.input.is_empty()
    }

    /// Why it was ended from here, if it was.
    pub(super) fn cause(&self) -> Option<Counter> {
        self.cause
    }

    /// Ends the connection so that the client gets what was written: closing with unread bytes would reset it.
    pub(super) async fn linger(mut self) {
        let end = async {
            self.stream.shutdown().await?;
            let mut rest = (&mut self.stream).take(HTTP_LINGER_BYTES_MAX);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
        };
        // Whatever happens now, the connection ends.
        let _ = timeout(HTTP_LINGER, end).await;
    }

    /// Makes the next head ready, unless there still is one.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.given == self.ready.len() && !self.has_ended {
            if self.given > 0 {
                (self.ready, self.given) = (Vec::new(), 0);
            }
            if self.unread.is_some() {
                // Whoever writes is woken when that goes on, and reads again then.
                return Poll::Pending;
            }
            // Some clients send empty lines between requests.
            let blank = self.input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.input.drain(..blank);
            if self.input.first().is_some_and(|first| !first.is_ascii_uppercase()) {
                // No method begins like this: TLS, or a peer's handshake.
                self.end(Counter::HttpNotHttp);
            } else if let Some(end) = end_of_head(&self.input, self.seen) {
                rewrite(&self.input[..end], &mut self.ready);
                self.input.drain(..end);
                self.seen = 0;
                if self.input.is_empty() {
                    self.input = Vec::new();
                }
            } else if self.input.len() >= HTTP_HEAD_BYTES_MAX {
                self.end(Counter::HttpHeadTooLong);
                self.ready = format!("GET /announce?{TOO_LONG} HTTP/1.1\r\nConnection: close\r\n\r\n").into_bytes();
            } else {
                self.seen = self.input.len();
                ready!(self.poll_input(cx))?;
            }
            // Gathered bytes, and escapes up to three times as long.
            if !self.charge.raise_to((4 * self.input.len()).saturating_sub(4 * HTTP_INPUT_BYTES)) {
                self.ready = Vec::new();
                self.end(Counter::HttpNoMemory);
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut chunk = [0; HTTP_INPUT_BYTES];
        let mut buffer = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        if buffer.filled().is_empty() {
            self.has_ended = true;
            self.cause = self.has_begun().then_some(Counter::HttpReset);
        }
        self.input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }

    fn end(&mut self, cause: Counter) {
        (self.has_ended, self.cause, self.input) = (true, Some(cause), Vec::new());
    }

    /// Passes a result of writing on; an error when the client has not read for too long.
    fn poll_read_in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_pending() {
            let unread = self.unread.get_or_insert_with(|| Box::pin(sleep(HTTP_WRITE_TIMEOUT)));
            ready!(unread.as_mut().poll(cx));
            self.cause = Some(Counter::HttpUnread);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_fill(cx))?;
        let this = &mut *self;
        let rest = &this.ready[this.given..];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        this.given += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.poll_read_in_time(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        // Only here is an answer written as a whole: who reads a byte now and then is not reading.
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.unread = None;
        }
        self.poll_read_in_time(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.poll_read_in_time(cx, shut)
    }
}
