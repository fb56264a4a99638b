//! The daemon's side of the local API: HTTP/1.1 on a Unix socket that only its owner may open.

use std::convert::Infallible;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request as HttpRequest, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::limits::{MAX_CALL_BYTES, MAX_CLIENTS};
use super::{Answers, Call, Failure, Handle, Reply, answer};

/// A bound socket; the file goes when this is dropped.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

/// The socket could not be opened: the operator's matter.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The socket file could not be made.
    #[error("cannot open the socket {}", path.display())]
    Bind {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Server {
    /// Opens the socket with mode 0600. A file left by a daemon that was killed is replaced: whoever calls this holds
    /// the folder's lock, so no other daemon can own it.
    pub fn bind(path: &Path) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Bind { path: path.to_owned(), source };
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        // The folder is 0700, so nobody else can connect between these two lines.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves until dropped.
    pub async fn run<H: Handle>(self, handler: Arc<H>) {
        let slots = Arc::new(Semaphore::new(MAX_CLIENTS));
        let mut clients = JoinSet::new();
        loop {
            let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore is never closed");
            while clients.try_join_next().is_some() {}
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let handler = Arc::clone(&handler);
                    clients.spawn(async move {
                        serve_client(stream, handler).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    // Out of descriptors: they come back when connections end.
                    tracing::warn!(%error, "a command could not connect");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).ok();
    }
}

async fn serve_client<H: Handle>(stream: UnixStream, handler: Arc<H>) {
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(respond(request, handler).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a command went away");
    }
}

type Body = Either<Full<Bytes>, Lines>;

async fn respond<H: Handle>(request: HttpRequest<Incoming>, handler: Arc<H>) -> Response<Body> {
    if request.uri().path() != "/v1/call" {
        return refusal(StatusCode::NOT_FOUND, "there is only /v1/call");
    }
    if request.method() != Method::POST {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "calls are posted");
    }
    let Ok(body) = Limited::new(request.into_body(), MAX_CALL_BYTES).collect().await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the call is too long");
    };
    match serde_json::from_slice::<Call>(&body.to_bytes()) {
        Ok(call) => Response::builder()
            .header("content-type", "application/x-ndjson")
            .body(Either::Right(Lines { answers: answer(handler, call) }))
            .expect("the header is valid"),
        Err(error) => refusal(StatusCode::BAD_REQUEST, &format!("the daemon does not understand this call: {error}")),
    }
}

fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    let failure = Failure::failed(message).hint("stop the daemon and start it again if it is of another version");
    let mut response = Response::new(Either::Left(Full::new(line(&Reply::Error(failure)))));
    *response.status_mut() = status;
    response
}

/// The answer as a body: one reply, one line, one frame.
struct Lines {
    answers: Answers,
}

impl hyper::body::Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.answers.poll_next(context).map(|reply| reply.map(|reply| Ok(Frame::data(line(&reply)))))
    }
}

fn line(reply: &Reply) -> Bytes {
    let mut line = serde_json::to_vec(reply).expect("a reply has only string keys");
    line.push(b'\n');
    BytesMut::from(&line[..]).freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Client, Replies, Request};

    struct Echo;

    impl Handle for Echo {
        async fn handle(&self, call: Call, replies: Replies) -> Result<(), Failure> {
            match call.request {
                Request::Id {} => {
                    replies.note("one").await;
                    replies.note("two").await;
                    Ok(())
                }
                _ => Err(Failure::no("not that").hint("try `peerfeed id`")),
            }
        }
    }

    fn call(request: Request) -> Call {
        Call { trackers: vec![], passphrase: None, words: None, request }
    }

    #[tokio::test]
    async fn replies_cross_the_socket_in_order_and_end_with_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let server = Server::bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let running = tokio::spawn(server.run(Arc::new(Echo)));
        let client = Client::connect(&path).await.unwrap();
        let mut answers = client.call(call(Request::Id {}));
        let mut seen = vec![];
        while let Some(reply) = answers.next().await {
            seen.push(reply);
        }
        let note = |text: &str| Reply::Note { text: text.into() };
        assert_eq!(seen, [note("one"), note("two"), Reply::Done]);
        running.abort();
        running.await.unwrap_err();
        assert!(!path.exists(), "the socket file is gone");
    }

    #[tokio::test]
    async fn a_failure_crosses_the_socket_with_its_hint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        tokio::spawn(Server::bind(&path).unwrap().run(Arc::new(Echo)));
        let client = Client::connect(&path).await.unwrap();
        let mut answers = client.call(call(Request::Status {}));
        let Some(Reply::Error(failure)) = answers.next().await else { panic!("no error") };
        assert_eq!(failure.hint.as_deref(), Some("try `peerfeed id`"));
        assert_eq!(failure.exit_code(), 1);
        assert!(answers.next().await.is_none());
    }

    #[tokio::test]
    async fn a_socket_that_a_killed_daemon_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        assert!(Client::connect(&path).await.is_err());
        let server = Server::bind(&path).unwrap();
        tokio::spawn(server.run(Arc::new(Echo)));
        assert!(Client::connect(&path).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_no_call_is_refused_and_the_next_one_is_answered() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        tokio::spawn(Server::bind(&path).unwrap().run(Arc::new(Echo)));
        let long =
            format!("POST /v1/call HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n{}", "x".repeat(2 << 20));
        for (sent, status) in [
            ("GET /v1/call HTTP/1.1\r\nhost: x\r\n\r\n", "405"),
            ("POST /else HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", "404"),
            ("POST /v1/call HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}", "400"),
            (long.as_str(), "413"),
            ("\0\x01\x02 nonsense\r\n\r\n", "400"),
        ] {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            // The refusal may come before all was sent.
            stream.write_all(sent.as_bytes()).await.ok();
            let mut head = [0; 12];
            stream.read_exact(&mut head).await.unwrap();
            assert_eq!(&head, format!("HTTP/1.1 {status}").as_bytes());
        }
        let mut answers = Client::connect(&path).await.unwrap().call(call(Request::Id {}));
        assert_eq!(answers.next().await, Some(Reply::Note { text: "one".into() }));
    }
}
