//! Mailboxes over a connection: packets put, asked for and answered. spec: MAIL-17, MAIL-18

use bytes::Bytes;

use super::calls::{CallError, check_length};
use super::channel::Reception;
use super::connection::Connection;
use super::event::Event;
use super::incoming::witnessed;
use super::lane::BULK;
use super::message::{
    Admission, ChannelId, GetMail, Kept, Mail, MailAnswer, MailCame, MailWanted, Message, MessageType, Put, RequestId,
};
use super::moment::Moment;
use super::owed::Subject;
use super::violation::Violation;
use crate::crypto::{DeviceKey, Signature, verify};
use crate::ids::DeviceId;
use crate::limits::URGENT_FRAME_BYTES_MAX;

/// What the device signs that asks for its mail.
const SIGNED_AS: &str = "mailbox-read";

impl Connection {
    /// Brings a packet for the mailbox of the channel's feed.
    pub fn put_packet(
        &mut self,
        now: Moment,
        channel: ChannelId,
        packet: Bytes,
        admission: Admission,
    ) -> Result<RequestId, CallError> {
        self.check_request(channel)?;
        let request = self.asked.ask_put(channel, now);
        self.send_urgent(channel, &Put { channel, request, packet, admission })?;
        Ok(request)
    }

    /// Asks for the mail of the channel's feed, of which `device` is a device.
    pub fn get_mail(
        &mut self,
        now: Moment,
        channel: ChannelId,
        device: &DeviceKey,
        wanted: MailWanted,
    ) -> Result<RequestId, CallError> {
        self.check_request(channel)?;
        let feed = self.channels.agreed(channel).and_then(|agreed| agreed.feed).ok_or(CallError::ChannelNotOpen)?;
        let signature = device.sign(SIGNED_AS, &feed, &witnessed(&self.hash, self.role)).to_bytes();
        let request = self.asked.ask_mail(channel, now);
        self.send_urgent(channel, &GetMail { channel, request, device: device.id().to_bytes(), signature, wanted })?;
        Ok(request)
    }

    /// Confirms that a packet of the peer is on the disk.
    pub fn confirm_kept(&mut self, channel: ChannelId, request: RequestId) -> Result<(), CallError> {
        if !self.owed.settle(channel, request) {
            return Err(CallError::RequestNotOpen);
        }
        self.send_urgent(channel, &Kept { channel, request })
    }

    /// Answers a device that asked for its mail.
    pub fn answer_mail(&mut self, channel: ChannelId, request: RequestId, answer: MailAnswer) -> Result<(), CallError> {
        if !self.owed.is_open(channel, request) {
            return Err(CallError::RequestNotOpen);
        }
        let rest = Mail { channel, request, answer }.encode();
        check_length(rest.len(), BULK)?;
        self.owed.settle(channel, request);
        self.send_on(rest.len() > URGENT_FRAME_BYTES_MAX, channel, Mail::TYPE, rest);
        Ok(())
    }

    /// Tells that a packet came into the mailbox of the channel's feed.
    pub fn tell_mail_came(&mut self, channel: ChannelId) -> Result<(), CallError> {
        self.send_urgent(channel, &MailCame { channel })
    }

    pub(super) fn handle_mail(&mut self, now: Moment, kind: MessageType, rest: &[u8]) -> Result<(), Violation> {
        match kind {
            MessageType::Put => {
                let Put { channel, request, packet, admission } = Put::decode(rest)?;
                let event = Event::PutWanted { channel, request, packet, admission };
                self.take_request(channel, request, Subject::Put, event)
            }
            MessageType::GetMail => self.take_get_mail(GetMail::decode(rest)?),
            MessageType::Kept => {
                let Kept { channel, request } = Kept::decode(rest)?;
                let ended = self.asked.end_put(channel, request);
                self.take_answer(now, channel, ended, Event::Kept { channel, request })
            }
            MessageType::Mail => {
                let Mail { channel, request, answer } = Mail::decode(rest)?;
                let ended = self.asked.end_mail(channel, request);
                self.take_answer(now, channel, ended, Event::Mail { channel, request, answer })
            }
            _ => {
                let MailCame { channel } = MailCame::decode(rest)?;
                self.deliver(channel, || Ok(Event::MailCame { channel }))
            }
        }
    }

    fn take_get_mail(&mut self, question: GetMail) -> Result<(), Violation> {
        let GetMail { channel, request, device, signature, wanted } = question;
        let device = DeviceId::from_bytes(device).map_err(|_| Violation::DeviceSignature)?;
        let Reception::Take(entry) = self.channels.receive(channel)? else { return Ok(()) };
        let feed = entry.feed.ok_or(Violation::Channel(channel.0))?;
        verify(&device, SIGNED_AS, &feed, &witnessed(&self.hash, self.role.other()), &Signature::new(signature))
            .map_err(|_| Violation::DeviceSignature)?;
        let event = Event::MailWanted { channel, request, device, wanted };
        self.take_request(channel, request, Subject::Mail, event)
    }

    fn take_answer(&mut self, now: Moment, channel: ChannelId, ended: bool, event: Event) -> Result<(), Violation> {
        self.deliver(channel, || if ended { Ok(event) } else { Err(Violation::Unasked) })?;
        self.asked.note_progress(now);
        Ok(())
    }
}
