//! The stream of replies between the engine and a command.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::limits::MAX_QUEUED_REPLIES;
use super::{Call, Failure, Progress, Reply};

/// What answers calls.
pub trait Handle: Send + Sync + 'static {
    /// Handles one call; everything but `done` and `error` goes through `replies`. Dropped when the caller went away.
    fn handle(&self, call: Call, replies: Replies) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// The engine's end.
#[derive(Clone, Debug)]
pub struct Replies {
    sender: mpsc::Sender<Reply>,
}

impl Replies {
    /// Sends a reply; waits while the caller is slow. A caller that went away is noticed by [`answer`].
    pub async fn send(&self, reply: Reply) {
        // A failed send means that the caller is gone: `answer` drops the handler at its next await.
        self.sender.send(reply).await.ok();
    }

    /// Sends a sentence for the person.
    pub async fn note(&self, text: impl Into<String>) {
        self.send(Reply::Note { text: text.into() }).await;
    }

    /// Sends progress, unless the caller is behind: the next one tells more.
    pub fn progress(&self, progress: Progress) {
        self.sender.try_send(Reply::Progress(progress)).ok();
    }
}

/// The caller's end; dropping it ends the handling.
#[derive(Debug)]
pub struct Answers {
    receiver: mpsc::Receiver<Reply>,
    task: JoinHandle<()>,
}

impl Answers {
    /// Starts a task that fills the stream.
    pub fn spawn<F, T>(fill: F) -> Self
    where
        F: FnOnce(Replies) -> T,
        T: Future<Output = ()> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(MAX_QUEUED_REPLIES);
        let task = tokio::spawn(fill(Replies { sender }));
        Self { receiver, task }
    }

    /// The next reply; none after `done` or `error`.
    pub async fn next(&mut self) -> Option<Reply> {
        self.receiver.recv().await
    }

    /// As [`Self::next`], for hand-written futures.
    pub fn poll_next(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Option<Reply>> {
        self.receiver.poll_recv(context)
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs a handler on a call; the stream ends with `done` or `error`.
pub fn answer<H: Handle>(handler: Arc<H>, call: Call) -> Answers {
    Answers::spawn(move |replies| async move {
        let end = match handler.handle(call, replies.clone()).await {
            Ok(()) => Reply::Done,
            Err(failure) => Reply::Error(failure),
        };
        replies.send(end).await;
    })
}
