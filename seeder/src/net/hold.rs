//! Asking a seeder to hold a feed, and being asked. spec: HOLD-3

use peerfeed_protocol::crypto::HoldKey;
use peerfeed_protocol::ids::{FeedId, WitnessKey};
use peerfeed_protocol::peer::Event;
use peerfeed_protocol::peer::message::{Interest, RejectCode};
use tokio::sync::{mpsc, oneshot};

use super::connection::Commander;
use super::line::{Line, LineError};
use crate::swarm::{Ended, Link};

/// Wishes that wait for their answer, of all connections together; a further one waits itself.
pub const WISHES: usize = 16;

/// Somebody who has proven a code wants a feed to be held.
#[derive(Debug)]
pub struct Wish {
    /// The code.
    pub code: FeedId,
    /// The feed.
    pub feed: FeedId,
    /// What came of it: held, or why not.
    pub answer: oneshot::Sender<Result<(), RejectCode>>,
}

/// Where wishes are granted.
pub type Wishes = mpsc::Sender<Wish>;

/// Asks the seeder at this address, which must prove this key, to hold a feed; returns once it does.
pub async fn ask_to_hold(address: &str, witness: WitnessKey, code: &HoldKey, feed: FeedId) -> Result<(), LineError> {
    let mut line = Line::open(code.id(), address, Some(witness)).await?;
    line.hold(code, feed).await
}

/// Who was let in by a code.
pub struct Asker {
    pub(super) code: FeedId,
    pub(super) wishes: Wishes,
    /// Kept, since a connection ends when nobody can command it any more.
    pub(super) commands: Option<Commander>,
}

/// What happens on a connection that was let in by a code; the end of it once it was answered.
pub(super) async fn hear(asker: &Asker, event: Event, link: &mut Link) -> Option<Ended> {
    let code = asker.code;
    let connection = link.connection();
    match event {
        Event::OpenRequested { channel, .. } => {
            let accepted = connection.accept(channel, &code, Interest::default());
            return accepted.err().map(|_| Ended::Broken("it asks for a feed by a code".to_owned()));
        }
        Event::HoldWanted { channel, request, feed } => {
            let (answer, answered) = oneshot::channel();
            let sent = asker.wishes.send(Wish { code, feed, answer }).await.is_ok();
            let granted = if sent { answered.await.unwrap_or(Err(RejectCode::Busy)) } else { Err(RejectCode::Busy) };
            // Who asked may have closed the channel meanwhile.
            let _ = match granted {
                Ok(()) => connection.confirm_held(channel, request),
                Err(reason) => connection.reject(channel, request, reason),
            };
        }
        Event::ChannelClosed { .. } => return Some(Ended::Broken("it has asked".to_owned())),
        _ => {}
    }
    None
}
