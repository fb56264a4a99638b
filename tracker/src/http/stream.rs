//! A connection that the runtime watches only once it has to be waited for.
//!
//! Most clients have sent their request when they are accepted, get one answer and go. Putting such a connection into the
//! set of watched ones and taking it out again would cost two system calls and a wake-up of its task.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream as Unwatched};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream as Watched;

/// A TCP connection.
pub(super) struct Stream(State);

enum State {
    /// Nothing has had to wait so far.
    Fresh(Unwatched),
    /// The runtime tells when it goes on.
    Watched(Watched),
    /// It could not be watched.
    Lost,
}

impl Stream {
    /// A connection as it was accepted: not blocking.
    pub(super) fn fresh(stream: Unwatched) -> Self {
        Self(State::Fresh(stream))
    }

    /// What `at_once` makes of a fresh connection; nothing when that, or any watched one, has to be waited for.
    fn try_at_once<T>(&mut self, at_once: impl FnOnce(&mut &Unwatched) -> io::Result<T>) -> Option<io::Result<T>> {
        let State::Fresh(stream) = &self.0 else { return None };
        match at_once(&mut &*stream) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            done => Some(done),
        }
    }

    /// The connection under the runtime's eye.
    fn watched(&mut self) -> io::Result<Pin<&mut Watched>> {
        self.0 = match std::mem::replace(&mut self.0, State::Lost) {
            State::Fresh(stream) => State::Watched(Watched::from_std(stream)?),
            state => state,
        };
        match &mut self.0 {
            State::Watched(stream) => Ok(Pin::new(stream)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.try_at_once(|stream| stream.read(buffer.initialize_unfilled())) {
            Some(length) => Poll::Ready(length.map(|length| buffer.advance(length))),
            None => self.watched()?.poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.try_at_once(|stream| stream.write(bytes)) {
            Some(length) => Poll::Ready(length),
            None => self.watched()?.poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is kept here.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.try_at_once(|stream| stream.shutdown(Shutdown::Write)) {
            Some(done) => Poll::Ready(done),
            None => self.watched()?.poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn pair() -> (Unwatched, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Unwatched::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        (client, Stream::fresh(stream))
    }

    #[tokio::test]
    async fn what_is_there_is_read_and_answered_without_a_wait() {
        let (mut client, mut stream) = pair();
        client.write_all(b"ask").unwrap();
        let mut asked = [0; 3];
        stream.read_exact(&mut asked).await.unwrap();
        stream.write_all(b"answer").await.unwrap();
        assert!(matches!(stream.0, State::Fresh(_)));
        drop(stream);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!((&asked, answer.as_str()), (b"ask", "answer"));
    }

    #[tokio::test]
    async fn what_is_not_there_yet_is_waited_for() {
        let (mut client, mut stream) = pair();
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            all
        });
        tokio::task::yield_now().await;
        client.write_all(b"late").unwrap();
        drop(client);
        assert_eq!(reading.await.unwrap(), b"late");
    }

    #[tokio::test]
    async fn what_the_client_does_not_take_at_once_is_written_when_it_does() {
        let (mut client, mut stream) = pair();
        let sent = vec![7; 16 << 20];
        let writing = tokio::spawn({
            let sent = sent.clone();
            async move {
                stream.write_all(&sent).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        let reading = tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            client.read_to_end(&mut all).unwrap();
            all
        });
        assert!(reading.await.unwrap() == sent);
        writing.await.unwrap();
    }
}
