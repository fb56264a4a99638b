//! Why a tracker gave no peers.

use std::io;

use peerfeed_protocol::announce::http::HttpReplyError;
use peerfeed_protocol::announce::udp::ExchangeError;
use peerfeed_protocol::announce::{RetryIn, TrackerFailure};

/// Why a tracker gave no peers. One line for a person; the tracker itself is named by who prints it.
#[derive(Debug, thiserror::Error)]
pub enum TrackerError {
    /// Its name leads nowhere.
    #[error("its name cannot be resolved")]
    Resolve(#[source] io::Error),
    /// Its name has neither an IPv4 nor an IPv6 address.
    #[error("its name has no address")]
    NoAddress,
    /// Nobody listens there, or no way leads there.
    #[error("no connection: {}", .0.kind())]
    Connect(#[source] io::Error),
    /// The connection broke.
    #[error("the connection broke: {}", .0.kind())]
    Broken(#[source] io::Error),
    /// The secure connection was refused on either side.
    #[error("no secure connection: {0}")]
    Tls(io::Error),
    /// What it speaks is not HTTP.
    #[error("it does not answer in HTTP")]
    Http(#[source] hyper::Error),
    /// It answered, but neither with peers nor with a reason.
    #[error("it answered with HTTP status {0}")]
    Status(u16),
    /// It sent more than any tracker has to say.
    #[error("its answer is larger than {} KiB", peerfeed_protocol::announce::limits::REPLY_BYTES_MAX / 1024)]
    TooLarge,
    /// What it sent is no tracker's answer.
    #[error("its answer makes no sense: {0}")]
    Reply(HttpReplyError),
    /// It said no.
    #[error(transparent)]
    Refused(#[from] TrackerFailure),
    /// Nothing came in time.
    #[error("it does not answer")]
    TimedOut,
}

impl TrackerError {
    /// Whether it asked never to be asked again.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused(TrackerFailure { retry_in: Some(RetryIn::Never), .. }))
    }
}

impl From<HttpReplyError> for TrackerError {
    fn from(error: HttpReplyError) -> Self {
        match error {
            HttpReplyError::Refused(failure) => Self::Refused(failure),
            other => Self::Reply(other),
        }
    }
}

impl From<ExchangeError> for TrackerError {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Refused(failure) => Self::Refused(failure),
            ExchangeError::NoAnswer { .. } => Self::TimedOut,
        }
    }
}
