//! Mailboxes: what peers bring for those kept here, and what devices fetch from them. spec: MAIL-13

use bytes::Bytes;
use peerfeed_protocol::ids::{DeviceId, FeedId};
use peerfeed_protocol::peer::RequestId;
use peerfeed_protocol::peer::message::{Admission, MailWanted, RejectCode};

use super::{Action, Command, Engine};
use crate::swarm::job::{Outcome, Recipient, Write};
use crate::swarm::limits::{MAIL_UNWRITTEN_BYTES, PACKETS_PER_PEER};

impl Engine {
    pub(super) fn handle_put_wanted(&mut self, to: Recipient, request: RequestId, packet: Bytes, admission: Admission) {
        let Some(feed) = self.kept_feed(to) else {
            self.tell(to.connection, Command::Reject(to.channel, request, RejectCode::NotHeld));
            return;
        };
        let brought = self.peers.get_mut(&to.connection).map_or(u32::MAX, |peer| {
            peer.packets += 1;
            peer.packets
        });
        let code = if brought > PACKETS_PER_PEER {
            Some(RejectCode::OverLimit)
        } else {
            (self.unwritten_bytes > MAIL_UNWRITTEN_BYTES).then_some(RejectCode::Busy)
        };
        match code {
            Some(code) => self.tell(to.connection, Command::Reject(to.channel, request, code)),
            None => self.write_mail(Write::Packet { feed, packet, admission }, to, request),
        }
    }

    pub(super) fn handle_mail_wanted(
        &mut self,
        to: Recipient,
        request: RequestId,
        device: DeviceId,
        wanted: MailWanted,
    ) {
        // Who is refused again and again is not looked up any more.
        let refused = self.peers.get(&to.connection).is_none_or(|peer| peer.packets > PACKETS_PER_PEER);
        if refused {
            self.tell(to.connection, Command::Reject(to.channel, request, RejectCode::OverLimit));
            return;
        }
        match self.kept_feed(to) {
            Some(feed) => self.write_mail(Write::Mail { feed, device, wanted }, to, request),
            None => self.tell(to.connection, Command::Reject(to.channel, request, RejectCode::NotHeld)),
        }
    }

    /// The store has decided about a packet or a question for mail.
    pub(super) fn mail_written(&mut self, feed: FeedId, to: Recipient, request: RequestId, outcome: Outcome) {
        let answer = match outcome {
            Outcome::Kept(came) => {
                if came {
                    self.tell_mail_came(feed);
                }
                Command::ConfirmKept(to.channel, request)
            }
            Outcome::Mail(answer) => {
                if let Some(peer) = self.peers.get_mut(&to.connection) {
                    peer.reads_mail.insert(feed);
                }
                Command::AnswerMail(to.channel, request, answer)
            }
            Outcome::Refused(code) => {
                if let Some(peer) = self.peers.get_mut(&to.connection) {
                    peer.packets += 1;
                }
                Command::Reject(to.channel, request, code)
            }
            Outcome::Done { .. } | Outcome::Failed { .. } => Command::Reject(to.channel, request, RejectCode::Busy),
        };
        self.tell(to.connection, answer);
    }

    fn tell_mail_came(&mut self, id: FeedId) {
        let readers: Vec<Recipient> = self
            .peers
            .values()
            .filter(|peer| peer.reads_mail.contains(&id))
            .filter_map(|peer| Some(Recipient { connection: peer.id, channel: peer.shares.get(&id)?.channel }))
            .collect();
        for reader in readers {
            self.tell(reader.connection, Command::MailCame(reader.channel));
        }
        if self.feeds.get(&id).is_some_and(|feed| feed.roles.own) {
            self.actions.push_back(Action::MailCame(id));
        }
    }

    /// The feed of a channel, if a mailbox is kept for it here.
    fn kept_feed(&self, to: Recipient) -> Option<FeedId> {
        let id = self.peers.get(&to.connection)?.channels.get(&to.channel)?;
        self.feeds.get(id).filter(|feed| feed.roles.own || feed.roles.seed).map(|feed| feed.id)
    }
}
