//! A feed that is to be held, over a connection that a code lets in. spec: HOLD-3, HOLD-4

use super::calls::CallError;
use super::channel::Reception;
use super::connection::Connection;
use super::event::Event;
use super::incoming::witnessed;
use super::message::{ChannelId, Held, Hold, RequestId};
use super::moment::Moment;
use super::owed::Subject;
use super::violation::Violation;
use crate::crypto::{HOLD, HoldKey, Signature, verify};
use crate::ids::FeedId;

impl Connection {
    /// Asks the seeder to hold `feed`, on the channel of the code with this key.
    pub fn ask_to_hold(
        &mut self,
        now: Moment,
        channel: ChannelId,
        code: &HoldKey,
        feed: FeedId,
    ) -> Result<RequestId, CallError> {
        self.check_request(channel)?;
        let signature = code.sign(&feed, &witnessed(&self.hash, self.role)).to_bytes();
        let request = self.asked.ask_hold(channel, now);
        self.send_urgent(channel, &Hold { channel, request, feed: feed.to_bytes(), signature })?;
        Ok(request)
    }

    /// Confirms that the feed which the peer named is held from now on.
    pub fn confirm_held(&mut self, channel: ChannelId, request: RequestId) -> Result<(), CallError> {
        if !self.owed.settle(channel, request) {
            return Err(CallError::RequestNotOpen);
        }
        self.send_urgent(channel, &Held { channel, request })
    }

    pub(super) fn take_hold(&mut self, wish: &Hold) -> Result<(), Violation> {
        let Hold { channel, request, feed, signature } = *wish;
        let feed = FeedId::from_bytes(feed).map_err(|_| Violation::HoldSignature)?;
        let Reception::Take(entry) = self.channels.receive(channel)? else { return Ok(()) };
        // The code stands where the feed stands on other channels.
        let code = entry.feed.ok_or(Violation::Channel(channel.0))?;
        verify(&code, HOLD, &feed, &witnessed(&self.hash, self.role.other()), &Signature::new(signature))
            .map_err(|_| Violation::HoldSignature)?;
        self.take_request(channel, request, Subject::Hold, Event::HoldWanted { channel, request, feed })
    }

    pub(super) fn take_held(&mut self, now: Moment, held: Held) -> Result<(), Violation> {
        let Held { channel, request } = held;
        let ended = self.asked.end_hold(channel, request);
        self.deliver(channel, || if ended { Ok(Event::Held { channel, request }) } else { Err(Violation::Unasked) })?;
        self.asked.note_progress(now);
        Ok(())
    }
}
