//! What lies between a stream and hyper: every wait and every byte kept has a bound.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

use super::head::{end_of_head, is_strict, rewrite};
use super::places::Bytes;
use crate::limit::{
    HTTP_HEAD_BYTES_MAX, HTTP_HEAD_TIMEOUT, HTTP_INPUT_BYTES, HTTP_LINGER, HTTP_LINGER_BYTES_MAX, HTTP_WRITE_TIMEOUT,
};
use crate::metrics::Counter;

/// The query that stands for a head that was too long; who sends it himself gets the same answer.
pub(super) const TOO_LONG: &str = "too-long";

/// A stream whose heads are gathered, bounded and [rewritten](rewrite), have to come in time, and whose writes have to be
/// read in time. The next head is given only when the answers before it have been written, so that hyper never gathers
/// answers. A head that comes alone and is strict already is passed on where it lies.
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
    /// When the next head has to be there.
    head_by: Instant,
    /// Runs while a head is waited for, towards this or an earlier `head_by`: setting it anew for every request would cost
    /// more than waking up once in a while.
    late: Option<Pin<Box<Sleep>>>,
    /// Runs while somebody does not read.
    unread: Option<Pin<Box<Sleep>>>,
    /// Why it was ended from here.
    cause: Option<Counter>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// A wire over `stream` that charges long heads to `charge`; the first head has to be there after `patience`.
    pub(super) fn new(stream: S, charge: Bytes, patience: Duration) -> Self {
        Self {
            stream,
            input: Vec::new(),
            seen: 0,
            ready: Vec::new(),
            given: 0,
            has_ended: false,
            charge,
            head_by: Instant::now() + patience,
            late: None,
            unread: None,
            cause: None,
        }
    }

    /// Waits until a head can be read; false when the connection has ended before.
    pub(super) fn poll_first_head(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let filled = ready!(self.poll_fill(cx));
        Poll::Ready(filled.is_ok() && self.given < self.ready.len())
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
                if end == self.input.len() && is_strict(&self.input) {
                    self.ready = std::mem::take(&mut self.input);
                } else {
                    rewrite(&self.input[..end], &mut self.ready);
                    self.input.drain(..end);
                    if self.input.is_empty() {
                        self.input = Vec::new();
                    }
                }
                self.seen = 0;
                self.head_by = Instant::now() + HTTP_HEAD_TIMEOUT;
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
        if ready!(self.poll_stream(cx, &mut buffer))? {
            self.input.extend_from_slice(buffer.filled());
        }
        Poll::Ready(Ok(()))
    }

    /// Reads a head straight into `buffer`, if it comes alone and nothing has to be changed in it; true if so. What came
    /// otherwise is in `input`.
    fn poll_strict(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(HTTP_INPUT_BYTES));
        if !ready!(self.poll_stream(cx, &mut part))? {
            return Poll::Ready(Ok(false));
        }
        let came = part.filled();
        let is_head = came[0].is_ascii_uppercase() && end_of_head(came, 0) == Some(came.len()) && is_strict(came);
        if is_head {
            let head_bytes = came.len();
            buffer.advance(head_bytes);
            self.head_by = Instant::now() + HTTP_HEAD_TIMEOUT;
        } else {
            self.input.extend_from_slice(came);
        }
        Poll::Ready(Ok(is_head))
    }

    /// Reads what is there; false when the client has ended its side, or waited for too long.
    fn poll_stream(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        let before = buffer.filled().len();
        if Pin::new(&mut self.stream).poll_read(cx, buffer)?.is_pending() {
            ready!(self.poll_late(cx));
            let cause = if self.has_begun() { Counter::HttpHeadSlow } else { Counter::HttpSilent };
            (self.has_ended, self.cause) = (true, Some(cause));
        } else if buffer.filled().len() == before {
            (self.has_ended, self.cause) = (true, self.has_begun().then_some(Counter::HttpReset));
        }
        Poll::Ready(Ok(!self.has_ended))
    }

    /// Waits until `head_by`.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let late = self.late.get_or_insert_with(|| Box::pin(sleep_until(self.head_by)));
        while late.as_mut().poll(cx).is_ready() {
            if late.deadline() >= self.head_by {
                return Poll::Ready(());
            }
            late.as_mut().reset(self.head_by);
        }
        Poll::Pending
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
        let this = &mut *self;
        let is_empty = this.given == this.ready.len() && this.input.is_empty();
        if is_empty && !this.has_ended && this.unread.is_none() && buffer.remaining() >= HTTP_INPUT_BYTES {
            (this.ready, this.given) = (Vec::new(), 0);
            if ready!(this.poll_strict(cx, buffer))? {
                return Poll::Ready(Ok(()));
            }
        }
        ready!(this.poll_fill(cx))?;
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
        if matches!(flushed, Poll::Ready(Ok(()))) && self.unread.take().is_some() {
            self.head_by = Instant::now() + HTTP_HEAD_TIMEOUT;
        }
        self.poll_read_in_time(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.poll_read_in_time(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::super::places::Places;
    use super::*;

    #[tokio::test]
    async fn a_head_has_its_limit_however_much_of_it_the_reader_would_take_at_once() {
        for (length, is_too_long) in [(900, false), (HTTP_HEAD_BYTES_MAX - 100, false), (40_000, true)] {
            let head = format!("GET /announce?{} HTTP/1.1\r\n\r\n", "a".repeat(length));
            let (mut client, server) = tokio::io::duplex(1 << 17);
            client.write_all(head.as_bytes()).await.unwrap();
            let place = Places::new(2, 1 << 20).take(IpAddr::from([192, 0, 2, 1]), true, false).unwrap();
            let mut wire = Wire::new(server, place.charge(0).unwrap(), Duration::from_secs(60));
            let mut given = vec![0; 1 << 17];
            let count = wire.read(&mut given).await.unwrap();
            let expected = if is_too_long { Some(Counter::HttpHeadTooLong) } else { None };
            assert_eq!(wire.cause(), expected, "{length}");
            let is_whole = &given[..count] == head.as_bytes();
            assert_eq!(is_whole, !is_too_long, "{length}");
        }
    }
}
