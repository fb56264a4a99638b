//! By what requests are answered.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::Guard;
use peerfeed_protocol::announce::{AnnounceRequest, Event, InfoHash};

use crate::access::{ListsInForce, Refusal};
use crate::config::Config;

/// By what requests are answered: taken once for all that are answered together.
#[derive(Debug)]
pub struct Terms {
    /// When they are answered.
    pub now: Moment,
    pub(crate) lists: ListsInForce,
    pub(crate) answers: Guard<Arc<Answers>>,
}

/// The time, as handlers need it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Since the tracker started.
    pub up: Duration,
    /// Since the Unix epoch: trackers that share a key must agree on it.
    pub unix: Duration,
}

/// What replies say besides peers.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    pub(crate) interval: Duration,
    pub(crate) min_interval: Duration,
    /// Goes with the interval.
    pub(crate) peer_lifetime: Duration,
    pub(crate) tracker_id: Option<Vec<u8>>,
    pub(crate) warning: Option<String>,
    pub(crate) numwant_default: usize,
    pub(crate) numwant_max: usize,
}

impl Terms {
    /// Whether this hash is served.
    pub fn check(&self, hash: &InfoHash) -> Result<(), Refusal> {
        self.lists.check(hash)
    }
}

impl Answers {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            interval: config.interval.0,
            min_interval: config.min_interval.0,
            peer_lifetime: config.peer_lifetime.0,
            tracker_id: config.tracker_id.0.clone().map(String::into_bytes),
            warning: config.warning_message.0.clone(),
            numwant_default: usize::from(config.numwant_default),
            numwant_max: usize::from(config.numwant_max),
        }
    }

    /// How many peers this announce is given at most.
    pub(crate) fn wanted(&self, request: &AnnounceRequest) -> usize {
        let default = if request.event == Event::Stopped { 0 } else { self.numwant_default };
        let wanted = request.numwant.map(|wanted| usize::try_from(wanted).unwrap_or(usize::MAX));
        wanted.unwrap_or(default).min(self.numwant_max)
    }
}
