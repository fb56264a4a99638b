//! Keeping mailboxes for feeds: who is let in, and who may read, decided within a transaction of the store.
//! spec: MAIL-11 to MAIL-16, MAIL-18

use bytes::Bytes;
use peerfeed_protocol::feed::Roster;
use peerfeed_protocol::ids::{DeviceId, FeedId};
use peerfeed_protocol::limits::PACKET_BYTES;
use peerfeed_protocol::mailbox::{Cursor, TokenKind};
use peerfeed_protocol::peer::message::{Admission, MailAnswer, MailWanted, RejectCode};

use super::job::Outcome;
use crate::store::{Keeping, MailBox, Reading, WriteError, WriteTxn};

/// Keeps a packet that somebody brought, if it is let in.
pub(super) fn keep(
    txn: &mut WriteTxn,
    feed: FeedId,
    packet: &[u8],
    admission: &Admission,
    now_s: u64,
    fresh: [u8; 8],
) -> Result<Outcome, WriteError> {
    let Some(roster) = roster(txn, feed)? else { return Ok(Outcome::Refused(RejectCode::NotHeld)) };
    let Some(into) = admitted(&roster, packet, admission, now_s) else {
        return Ok(Outcome::Refused(RejectCode::NotAdmitted));
    };
    txn.drop_old_packets(feed, now_s)?;
    Ok(match txn.keep_packet(feed, into, packet, now_s, fresh)? {
        Keeping::Kept => Outcome::Kept(true),
        Keeping::Known => Outcome::Kept(false),
        Keeping::Full => Outcome::Refused(RejectCode::OverLimit),
        Keeping::Ended => Outcome::Refused(RejectCode::NotAdmitted),
    })
}

/// What a device finds behind its cursor, if it is one of the feed's.
pub(super) fn read(
    txn: &mut WriteTxn,
    feed: FeedId,
    device: DeviceId,
    wanted: &MailWanted,
    now_s: u64,
) -> Result<Outcome, WriteError> {
    let Some(roster) = roster(txn, feed)? else { return Ok(Outcome::Refused(RejectCode::NotHeld)) };
    let active = roster.devices().iter().filter(|device| device.ends.is_none());
    let devices: Vec<DeviceId> = active.map(|device| device.id).collect();
    if !devices.contains(&device) {
        return Ok(Outcome::Refused(RejectCode::NotAdmitted));
    }
    for token in &wanted.revoked {
        txn.end_token(feed, *token, true, now_s)?;
    }
    txn.drop_old_packets(feed, now_s)?;
    let nothing = Cursor { mailbox: [0; 8], number: 0 };
    Ok(Outcome::Mail(match txn.read_mail(feed, device, &devices, wanted.after)? {
        None => MailAnswer { cursor: wanted.after.unwrap_or(nothing), packets: Vec::new(), more: false },
        Some(page) => {
            let packets = page.packets.into_iter().map(Bytes::from).collect();
            MailAnswer { cursor: page.cursor, packets, more: page.more }
        }
    }))
}

/// The roster in force of a feed for which a mailbox is kept here. spec: MAIL-13
fn roster(txn: &WriteTxn, feed: FeedId) -> Result<Option<Roster>, WriteError> {
    let kept = txn.feed(feed)?.is_some_and(|row| row.roles.own || row.roles.seed);
    Ok(txn.records(feed)?.filter(|_| kept).map(|records| records.roster().clone()))
}

/// Into which box a packet is let, if into any. spec: MAIL-11, MAIL-12, MAIL-14
fn admitted(roster: &Roster, packet: &[u8], admission: &Admission, now_s: u64) -> Option<MailBox> {
    match admission {
        Admission::Token(token) => {
            token.check(roster, now_s).ok()?;
            Some(match token.kind() {
                TokenKind::Contact => MailBox::Contacts(token.hash()),
                TokenKind::Invitation => MailBox::Invitations(token.hash()),
            })
        }
        Admission::Work(work) => {
            let fits = packet.len() == PACKET_BYTES[0] && work.suffices(roster.feed(), packet);
            fits.then_some(MailBox::Strangers)
        }
    }
}
