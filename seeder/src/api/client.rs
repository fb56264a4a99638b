//! A command's side of the local API.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request as HttpRequest;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::limits::MAX_LINE_BYTES;
use super::{Answers, Call, Failure, Replies, Reply};

/// A daemon that answered on its socket.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
}

/// No daemon answers.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no socket, or nobody listens on it any more.
    #[error("no daemon runs on this data folder")]
    NotRunning,
    /// The socket is there but may not be opened: the operator's matter.
    #[error("cannot open the socket {}", path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Client {
    /// Finds out whether a daemon listens.
    pub async fn connect(path: &Path) -> Result<Self, ConnectError> {
        match UnixStream::connect(path).await {
            Ok(_) => Ok(Self { path: path.to_owned() }),
            Err(error) => match error.kind() {
                // Nobody can listen on a path that is longer than the system takes.
                std::io::ErrorKind::NotFound
                | std::io::ErrorKind::ConnectionRefused
                | std::io::ErrorKind::InvalidInput => Err(ConnectError::NotRunning),
                _ => Err(ConnectError::Refused { path: path.to_owned(), source: error }),
            },
        }
    }

    /// Starts a call.
    pub fn call(&self, call: Call) -> Answers {
        let path = self.path.clone();
        Answers::spawn(move |replies| async move {
            if let Err(failure) = exchange(&path, &call, &replies).await {
                replies.send(Reply::Error(failure)).await;
            }
        })
    }
}

async fn exchange(path: &Path, call: &Call, replies: &Replies) -> Result<(), Failure> {
    let lost = |error: &(dyn std::error::Error + 'static)| {
        let cause = Failure::of(error).message;
        Failure::failed(format!("the daemon went away: {cause}")).hint("start it again with `peerfeed run`")
    };
    let stream = UnixStream::connect(path).await.map_err(|error| lost(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
    let body = serde_json::to_vec(call).expect("a call has only string keys");
    let request = HttpRequest::post("/v1/call")
        .header("host", "peerfeed")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .expect("the request is valid");
    let respond = async {
        let response = sender.send_request(request).await.map_err(|error| lost(&error))?;
        let mut body = response.into_body();
        let mut lines = Lines::default();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { break };
            let Ok(data) = frame.into_data() else { continue };
            for reply in lines.push(&data)? {
                let is_end = matches!(reply, Reply::Done | Reply::Error(_));
                replies.send(reply).await;
                if is_end {
                    return Ok(());
                }
            }
        }
        Err(Failure::failed("the daemon was stopped meanwhile").hint("`peerfeed run` starts it again"))
    };
    // Not spawned: dropping the answers must close the connection, so that the daemon stops working for nobody.
    let mut respond = std::pin::pin!(respond);
    tokio::select! {
        biased;
        outcome = &mut respond => outcome,
        _ = connection => respond.await,
    }
}

/// Cuts a byte stream into replies.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    fn push(&mut self, data: &[u8]) -> Result<Vec<Reply>, Failure> {
        let mut replies = Vec::new();
        for part in data.split_inclusive(|byte| *byte == b'\n') {
            if self.rest.len() + part.len() > MAX_LINE_BYTES {
                return Err(Failure::failed("the daemon sent a line that is too long"));
            }
            self.rest.extend_from_slice(part);
            if self.rest.last() == Some(&b'\n') {
                let reply = serde_json::from_slice(&self.rest).map_err(|_| {
                    Failure::failed("the daemon answered something that this version does not understand")
                        .hint("stop the daemon and start it again, so that both are of one version")
                })?;
                replies.push(reply);
                self.rest.clear();
            }
        }
        Ok(replies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_cut_out_wherever_the_bytes_break() {
        let text = b"{\"event\":\"note\",\"text\":\"a\"}\n{\"event\":\"done\"}\n";
        for cut in 0..text.len() {
            let mut lines = Lines::default();
            let mut replies = lines.push(&text[..cut]).unwrap();
            replies.extend(lines.push(&text[cut..]).unwrap());
            assert_eq!(replies, [Reply::Note { text: "a".into() }, Reply::Done], "cut at {cut}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut lines = Lines::default();
        let part = vec![b'x'; 1 << 20];
        let refused = (0..64).any(|_| lines.push(&part).is_err());
        assert!(refused && lines.rest.len() <= MAX_LINE_BYTES);
    }
}
