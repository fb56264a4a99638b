//! What a connection does with each message.

use std::time::Duration;

use bytes::Bytes;

use super::channel::{ChannelState, Reception, mac_fits};
use super::connection::Connection;
use super::event::{Closed, Event, PeerHello};
use super::frame::Frame;
use super::incoming::witnessed;
use super::message::{
    BlobsHeld, BlobsWanted, Cancel, ChannelId, ChunksFrame, Close, EntriesFrame, GetChunks, GetEntries, HeadPush, Held,
    Hello, Hold, Message, MessageType, Open, Opened, Peers, Ping, Reject, RejectCode, RequestId, StateMessage,
    StoredMessage,
};
use super::moment::Moment;
use super::owed::Subject;
use super::verify;
use super::violation::Violation;
use crate::crypto::{FeedKeys, Signature, verify_handshake};
use crate::ids::WitnessKey;
use crate::limits::{CLAIMED_HEADS_MAX, EXCHANGE_SECONDS_MIN, REPLIES_WAITING_BYTES_MAX};

impl Connection {
    pub(super) fn handle_frame(&mut self, now: Moment, frame: Frame) -> Result<(), Violation> {
        let Frame::Message(byte, rest) = frame else { return Ok(()) };
        let Some(kind) = MessageType::from_byte(byte) else {
            if byte >= 0x80 {
                return Err(Violation::NotNegotiated(byte));
            }
            self.skipped_frames += 1;
            return Ok(());
        };
        if (kind == MessageType::Hello) == self.peer.is_some() {
            return Err(Violation::HelloOrder);
        }
        match kind {
            MessageType::Hello => self.take_hello(&Hello::decode(&rest)?),
            MessageType::Open => self.take_open(Open::decode(&rest)?),
            MessageType::Opened => self.take_opened(Opened::decode(&rest)?),
            MessageType::State => self.take_state(StateMessage::decode(&rest)?),
            MessageType::GetEntries => {
                let GetEntries { channel, request, wanted } = GetEntries::decode(&rest)?;
                let event = Event::EntriesWanted { channel, request, wanted };
                self.take_request(channel, request, Subject::Entries(wanted), event)
            }
            MessageType::Entries => self.take_entries(now, EntriesFrame::decode(rest)?),
            MessageType::GetChunks => {
                let GetChunks { channel, request, wanted } = GetChunks::decode(&rest)?;
                let event = Event::ChunksWanted { channel, request, wanted };
                self.take_request(channel, request, Subject::Chunks(wanted), event)
            }
            MessageType::Chunks => self.take_chunks(now, &rest),
            MessageType::Reject => self.take_reject(&Reject::decode(&rest)?),
            MessageType::Cancel => self.take_cancel(Cancel::decode(&rest)?),
            MessageType::BlobsWanted => {
                let BlobsWanted { channel, roots } = BlobsWanted::decode(&rest)?;
                self.deliver(channel, || Ok(Event::BlobsWanted { channel, roots }))
            }
            MessageType::BlobsHeld => {
                let BlobsHeld { channel, blobs } = BlobsHeld::decode(&rest)?;
                self.deliver(channel, || Ok(Event::BlobsHeld { channel, blobs }))
            }
            MessageType::HeadPush => {
                let push = HeadPush::decode(&rest)?;
                let channel = push.channel;
                self.deliver(channel, || Ok(Event::HeadPushed { channel, head: verify::pushed_head(push)? }))
            }
            MessageType::Stored => {
                let StoredMessage { channel, stored, push } = StoredMessage::decode(&rest)?;
                self.deliver(channel, || Ok(Event::Stored { channel, stored, push }))
            }
            MessageType::Peers => self.take_peers(now, Peers::decode(&rest)?),
            MessageType::Close => self.take_close(&Close::decode(&rest)?),
            MessageType::Ping => {
                self.take_ping(now, Ping::decode(&rest)?);
                Ok(())
            }
            MessageType::Pong => self.take_pong(now, Ping::decode(&rest)?),
            MessageType::Put | MessageType::Kept | MessageType::GetMail | MessageType::Mail | MessageType::MailCame => {
                self.handle_mail(now, kind, &rest)
            }
            MessageType::Hold => self.take_hold(&Hold::decode(&rest)?),
            MessageType::Held => self.take_held(now, Held::decode(&rest)?),
        }?;
        if self.outbox.reply_bytes() > REPLIES_WAITING_BYTES_MAX { Err(Violation::Flood) } else { Ok(()) }
    }

    fn take_hello(&mut self, hello: &Hello) -> Result<(), Violation> {
        let witness = match hello.witness {
            None => None,
            Some(proof) => {
                let key = WitnessKey::from_bytes(proof.key).map_err(|_| Violation::WitnessSignature)?;
                let signed = witnessed(&self.hash, self.role.other());
                verify_handshake(&key, &signed, &Signature::new(proof.signature))
                    .map_err(|_| Violation::WitnessSignature)?;
                Some(key)
            }
        };
        if hello.fast_aes
            && self.options.fast_aes
            && let Some(records) = &mut self.records
        {
            records.agree_on_aes();
        }
        let hello = PeerHello {
            listen_port: hello.listen_port,
            program: hello.program.clone(),
            observed: hello.observed,
            witness,
            requests_max: hello.requests_max,
            fast_aes: hello.fast_aes,
        };
        self.peer = Some(hello.clone());
        self.events.push_back(Event::Hello(hello));
        Ok(())
    }

    fn take_open(&mut self, open: Open) -> Result<(), Violation> {
        let Open { channel, swarm, mac, interest } = open;
        self.channels.claim_theirs(channel)?;
        if self.channels.is_full() {
            self.send_reject(channel, None, RejectCode::OverLimit);
            return Ok(());
        }
        self.channels.insert_asked(channel, mac);
        self.events.push_back(Event::OpenRequested { channel, swarm, interest });
        Ok(())
    }

    fn take_opened(&mut self, opened: Opened) -> Result<(), Violation> {
        let Opened { channel, mac, interest } = opened;
        let entry = self.channels.get_mut(channel).ok_or(Violation::Channel(channel.0))?;
        let ChannelState::Opening(feed) = entry.state else { return Err(Violation::Channel(channel.0)) };
        if !mac_fits(&FeedKeys::new(&feed), &self.hash, self.role.other(), &mac) {
            return Err(Violation::ChannelMac);
        }
        entry.state = ChannelState::Open;
        entry.feed = Some(feed);
        self.events.push_back(Event::Opened { channel, feed, interest });
        Ok(())
    }

    fn take_state(&mut self, message: StateMessage) -> Result<(), Violation> {
        let StateMessage { channel, state } = message;
        let room = CLAIMED_HEADS_MAX.saturating_sub(self.channels.claims());
        let Reception::Take(entry) = self.channels.receive(channel)? else { return Ok(()) };
        match &mut entry.awaited {
            Some(awaited) if !awaited.has_begun() && state.newest_follow => awaited.begin(&state, room)?,
            _ if state.newest_follow => return Err(Violation::Unasked),
            // The first state says whether entries follow; later ones change nothing.
            Some(awaited) if !awaited.has_begun() => entry.awaited = None,
            _ => {}
        }
        self.events.push_back(Event::State { channel, state });
        Ok(())
    }

    pub(super) fn take_request(
        &mut self,
        channel: ChannelId,
        request: RequestId,
        subject: Subject,
        event: Event,
    ) -> Result<(), Violation> {
        let Reception::Take(_) = self.channels.receive(channel)? else { return Ok(()) };
        self.owed.check_unused(request)?;
        if self.owed.len() >= usize::try_from(self.options.requests_max).expect("32-bit numbers fit") {
            self.send_reject(channel, Some(request), RejectCode::OverLimit);
            return Ok(());
        }
        self.owed.insert(channel, request, subject);
        self.events.push_back(event);
        Ok(())
    }

    fn take_entries(&mut self, now: Moment, frame: EntriesFrame) -> Result<(), Violation> {
        let (channel, request, last) = (frame.channel, frame.request, frame.last);
        let Reception::Take(entry) = self.channels.receive(channel)? else { return Ok(()) };
        let root = match request {
            Some(request) => Some(self.asked.expect_entries(request, &frame)?),
            None => entry.awaited.as_mut().ok_or(Violation::Unasked)?.expect(&frame)?,
        };
        if request.is_none() && last {
            entry.awaited = None;
        }
        if let Some(root) = root {
            let entries = verify::entries(frame, root)?;
            self.events.push_back(Event::Entries { channel, request, entries, last });
        }
        if let Some(request) = request {
            self.asked.note_progress(now);
            if last {
                self.asked.end(channel, request);
            }
        }
        Ok(())
    }

    fn take_chunks(&mut self, now: Moment, rest: &Bytes) -> Result<(), Violation> {
        let mut hasher = std::mem::take(&mut self.hasher);
        let frame = ChunksFrame::decode(rest.clone())?;
        let (channel, request) = (frame.header.channel, frame.header.request);
        let Reception::Take(_) = self.channels.receive(channel)? else { return Ok(()) };
        let wanted = self.asked.expect_chunks(&frame.header)?;
        let chunks = hasher.finish(rest, frame, &wanted)?;
        self.asked.end(channel, request);
        self.asked.note_progress(now);
        self.events.push_back(Event::Chunks { channel, request, chunks });
        Ok(())
    }

    fn take_reject(&mut self, reject: &Reject) -> Result<(), Violation> {
        let Reject { channel, request, code } = *reject;
        let Some(request) = request else { return self.take_refusal(channel, code) };
        let Reception::Take(_) = self.channels.receive(channel)? else { return Ok(()) };
        if !self.asked.end(channel, request) {
            return Err(Violation::Unasked);
        }
        self.events.push_back(Event::Rejected { channel, request, code });
        Ok(())
    }

    fn take_refusal(&mut self, channel: ChannelId, code: RejectCode) -> Result<(), Violation> {
        match self.channels.get_mut(channel).map(|channel| channel.state) {
            Some(ChannelState::Opening(feed)) => {
                self.channels.remove(channel);
                self.events.push_back(Event::Refused { channel, feed, code });
                Ok(())
            }
            _ => Err(Violation::Channel(channel.0)),
        }
    }

    fn take_cancel(&mut self, cancel: Cancel) -> Result<(), Violation> {
        let Cancel { channel, request } = cancel;
        let Reception::Take(_) = self.channels.receive(channel)? else { return Ok(()) };
        // An answer and the wish to cancel it may cross.
        if self.owed.is_open(channel, request) {
            self.events.push_back(Event::Cancelled { channel, request });
        } else if self.outbox.take_back(channel, request) {
            self.send_reject(channel, Some(request), RejectCode::Cancelled);
        }
        Ok(())
    }

    fn take_peers(&mut self, now: Moment, message: Peers) -> Result<(), Violation> {
        let Peers { channel, peers } = message;
        let Reception::Take(entry) = self.channels.receive(channel)? else { return Ok(()) };
        let pause = Duration::from_secs(EXCHANGE_SECONDS_MIN);
        if entry.exchanged.is_some_and(|last| now.since(last) < pause) {
            return Ok(());
        }
        entry.exchanged = Some(now);
        self.events.push_back(Event::Peers { channel, peers });
        Ok(())
    }

    fn take_close(&mut self, close: &Close) -> Result<(), Violation> {
        let Some(channel) = close.channel else {
            self.end(Closed::ByPeer(close.code));
            return Ok(());
        };
        match self.channels.receive(channel)? {
            // Our own close has crossed it: both sides are done.
            Reception::Drop => {
                self.channels.remove(channel);
            }
            Reception::Take(_) => {
                self.channels.remove(channel);
                for request in self.asked.end_channel(channel) {
                    self.events.push_back(Event::Rejected { channel, request, code: RejectCode::Closed });
                }
                self.owed.forget_channel(channel);
                self.send_channel_close(channel, RejectCode::Closed);
                self.events.push_back(Event::ChannelClosed { channel, code: close.code });
            }
        }
        Ok(())
    }

    fn take_ping(&mut self, now: Moment, ping: Ping) {
        if self.pings.admit(now) {
            self.outbox.push_reply(MessageType::Pong, &ping.encode());
        } else if let Some(Event::PingsPassedOver { count }) = self.events.back_mut() {
            *count += 1;
        } else {
            self.events.push_back(Event::PingsPassedOver { count: 1 });
        }
    }

    fn take_pong(&mut self, now: Moment, pong: Ping) -> Result<(), Violation> {
        match self.pinged.take() {
            Some(sent) if pong.0 == sent.as_micros() => {
                self.events.push_back(Event::Pong { round_trip: now.since(sent) });
                Ok(())
            }
            _ => Err(Violation::Unasked),
        }
    }

    pub(super) fn deliver(
        &mut self,
        channel: ChannelId,
        event: impl FnOnce() -> Result<Event, Violation>,
    ) -> Result<(), Violation> {
        if let Reception::Take(_) = self.channels.receive(channel)? {
            self.events.push_back(event()?);
        }
        Ok(())
    }
}
