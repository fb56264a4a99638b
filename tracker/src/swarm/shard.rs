//! One shard of the map: a table per address family, under one lock.

use peerfeed_protocol::announce::{AnnounceReply, InfoHash, ScrapeEntry};
use std::net::{IpAddr, SocketAddr};

use super::draw::Draw;
use super::gone::Gone;
use super::luck::Luck;
use super::map::{Ahead, Announcement, Asked, Presence, Totals};
use super::record::{Peer, Tick};
use super::sight::{Large, Sight};
use super::table::{Arrival, Cursor, Hashes, Noted, Space, Swarm, Sweeping, Swept, Table};

/// IPv4 peers: 6 bytes of address and port; two of them lie in the table.
type V4 = Table<6, 2>;
/// IPv6 peers: 18 bytes of address and port; one of them lies in the table.
type V6 = Table<18, 1>;

/// A part of the swarms.
#[derive(Debug)]
pub(super) struct Shard {
    v4: V4,
    v6: V6,
}

/// What holds for every shard of a map.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShardLimits {
    pub(super) lifetime_ticks: u16,
    pub(super) swarm_peers_max: usize,
}

/// One announcement on its way through a shard.
pub(super) struct Step<'a, H> {
    pub(super) announcement: &'a Announcement<'a>,
    pub(super) now: Tick,
    pub(super) limits: &'a ShardLimits,
    pub(super) space: Space,
    pub(super) hashes: &'a H,
}

/// How far the sweep of a shard has come. Between its steps the shard is not locked.
#[derive(Debug)]
pub struct Pass {
    pub(super) shard: usize,
    /// The one that is being swept; `None` at the end.
    family: Option<Family>,
    cursor: Cursor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// Where a swarm seems to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hint {
    v4: Option<usize>,
    v6: Option<usize>,
}

impl Pass {
    /// Before the first step.
    pub(super) fn of(shard: usize) -> Self {
        Self { shard, family: Some(Family::V4), cursor: Cursor::BEGIN }
    }

    /// Whether all of the shard has been swept.
    pub fn is_over(&self) -> bool {
        self.family.is_none()
    }
}

impl Shard {
    pub(super) fn new() -> Self {
        Self { v4: Table::new(), v6: Table::new() }
    }

    /// Notes the announcement and fills `reply` with counts and peers.
    pub(super) fn announce(
        &mut self,
        step: &Step<'_, impl Hashes>,
        luck: &mut Luck,
        reply: &mut AnnounceReply,
    ) -> Noted {
        let Announcement { info_hash, address, keys, .. } = step.announcement;
        let (v4, v6) = (self.v4.position(info_hash, keys.swarm), self.v6.position(info_hash, keys.swarm));
        if !step.announcement.is_foreseen {
            self.look_ahead(step.announcement, [v4, v6], luck);
        }
        let (noted, v4, v6) = match wire_form(*address) {
            WireForm::V4(address) => {
                let (noted, v4) = note(&mut self.v4, v4, step, address);
                (noted, v4, v6)
            }
            WireForm::V6(address) => {
                let (noted, v6) = note(&mut self.v6, v6, step, address);
                (noted, v4, v6)
            }
        };
        self.answer(step, [v4, v6], luck, reply);
        noted
    }

    /// Fetches what an announcement to the swarm at these places will look at, the pieces together, where only one family is
    /// concerned.
    fn look_ahead(&self, announcement: &Announcement<'_>, [v4, v6]: [Option<usize>; 2], luck: &Luck) {
        let large = match (v4, v6) {
            (Some(at), None) => self.v4.at(at).and_then(Swarm::fetch).map(Large::V4),
            (None, Some(at)) => self.v6.at(at).and_then(Swarm::fetch).map(Large::V6),
            _ => None,
        };
        if let Some(large) = large {
            let (Asked::Own(want) | Asked::Both(want)) = announcement.asked;
            let sight = Sight::of(announcement.presence, announcement.keys, want, luck);
            large.approach(&sight);
            large.fetch(&sight);
        }
    }

    /// Fetches what a [`hint`](Self::hint) looks at.
    pub(super) fn approach(&self, hash: u64) {
        self.v4.approach(hash);
        self.v6.approach(hash);
    }

    /// Where a swarm seems to be, in the families' tables.
    pub(super) fn hint(&self, hash: u64) -> Hint {
        Hint { v4: self.v4.hint(hash), v6: self.v6.hint(hash) }
    }

    /// Fetches what a hint points to.
    pub(super) fn fetch(&self, hint: Hint) {
        hint.v4.into_iter().for_each(|at| self.v4.fetch(at));
        hint.v6.into_iter().for_each(|at| self.v6.fetch(at));
    }

    /// Fetches the peers of a swarm; of many only the head, which is given where they are of the family of `address`.
    pub(super) fn fetch_peers(&self, ahead: &Ahead) -> Option<Large<'_>> {
        let hash = ahead.keys.swarm;
        let v4 = self.v4.find(&ahead.info_hash, hash).and_then(Swarm::fetch);
        let v6 = self.v6.find(&ahead.info_hash, hash).and_then(Swarm::fetch);
        if ahead.address.is_ipv4() { v4.map(Large::V4) } else { v6.map(Large::V6) }
    }

    /// Bytes in use.
    pub(super) fn bytes(&self) -> usize {
        self.v4.bytes() + self.v6.bytes()
    }

    /// The counts of both families together.
    pub(super) fn scrape(&self, info_hash: &InfoHash, hash: u64) -> ScrapeEntry {
        let v4 = self.v4.find(info_hash, hash).map(Swarm::counts).unwrap_or_default();
        sum(v4, self.v6.find(info_hash, hash).map(Swarm::counts).unwrap_or_default())
    }

    /// Goes on with forgetting at `pass`, one family after the other.
    pub(super) fn sweep(&mut self, pass: &mut Pass, how: Sweeping, hashes: &impl Hashes, gone: &mut Gone) {
        let swept = match pass.family {
            Some(Family::V4) => self.v4.sweep(&mut pass.cursor, how, hashes, &mut gone.v4),
            Some(Family::V6) => self.v6.sweep(&mut pass.cursor, how, hashes, &mut gone.v6),
            None => return,
        };
        if swept == Swept::ToTheEnd {
            pass.family = (pass.family == Some(Family::V4)).then_some(Family::V6);
            pass.cursor = Cursor::BEGIN;
        }
    }

    /// What it holds.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            swarms_v4: self.v4.swarms(),
            swarms_v6: self.v6.swarms(),
            peers_v4: self.v4.peers(),
            peers_v6: self.v6.peers(),
            bytes: self.bytes(),
        }
    }

    /// Fills in counts and peers of the swarm that is at these places in the tables of the families.
    fn answer(
        &self,
        step: &Step<'_, impl Hashes>,
        [v4, v6]: [Option<usize>; 2],
        luck: &mut Luck,
        reply: &mut AnnounceReply,
    ) {
        let Step { announcement, now, .. } = *step;
        let (v4, v6) = (v4.and_then(|at| self.v4.at(at)), v6.and_then(|at| self.v6.at(at)));
        let v4_counts = v4.map(Swarm::counts).unwrap_or_default();
        let v6_counts = v6.map(Swarm::counts).unwrap_or_default();
        let counts = sum(v4_counts, v6_counts);
        (reply.complete, reply.incomplete) = (counts.complete, counts.incomplete);
        let asker_hash = announcement.keys.peer;
        let skip_seeds = matches!(announcement.presence, Presence::Seed | Presence::PartialSeed);
        let lifetime_ticks = step.limits.lifetime_ticks;
        let (own_v4, own_v6) = match wire_form(announcement.address) {
            WireForm::V4(address) => (address, [0; 18]),
            WireForm::V6(address) => ([0; 6], address),
        };
        let (want_v4, want_v6) = split(announcement, v4_counts, v6_counts);
        if let Some(swarm) = v4.filter(|_| want_v4 > 0) {
            let draw = Draw { asker: own_v4, asker_hash, skip_seeds, now, lifetime_ticks };
            swarm.draw(want_v4, &draw, luck, reply.peers.entries_v4());
        }
        if let Some(swarm) = v6.filter(|_| want_v6 > 0) {
            let draw = Draw { asker: own_v6, asker_hash, skip_seeds, now, lifetime_ticks };
            swarm.draw(want_v6, &draw, luck, reply.peers.entries_v6());
        }
    }
}

/// How many peers of each family to give: in proportion to their numbers, where both are asked for.
fn split(announcement: &Announcement<'_>, v4: ScrapeEntry, v6: ScrapeEntry) -> (usize, usize) {
    match announcement.asked {
        Asked::Own(want) if announcement.address.is_ipv4() => (want, 0),
        Asked::Own(want) => (0, want),
        Asked::Both(want) => {
            let size = |entry: ScrapeEntry| {
                usize::try_from(u64::from(entry.complete) + u64::from(entry.incomplete)).expect("64-bit platforms only")
            };
            let (v4, v6) = (size(v4), size(v6));
            if v4 + v6 <= want {
                return (want, want);
            }
            let want_v4 = (want * v4).div_ceil(v4 + v6).max(want.saturating_sub(v6));
            (want_v4, want - want_v4.min(want))
        }
    }
}

fn sum(v4: ScrapeEntry, v6: ScrapeEntry) -> ScrapeEntry {
    ScrapeEntry {
        complete: v4.complete.saturating_add(v6.complete),
        downloaded: v4.downloaded.saturating_add(v6.downloaded),
        incomplete: v4.incomplete.saturating_add(v6.incomplete),
    }
}

/// Puts the announcing peer, whose swarm is at this place, into its family's table or takes it out; tells where the swarm is
/// then.
fn note<const N: usize, const INLINE: usize>(
    table: &mut Table<N, INLINE>,
    at: Option<usize>,
    step: &Step<'_, impl Hashes>,
    address: [u8; N],
) -> (Noted, Option<usize>) {
    let Announcement { info_hash, presence, has_completed, may_add, keys, .. } = *step.announcement;
    if presence == Presence::Gone {
        let at = at.filter(|&at| table.leave(at, keys, &address, step.hashes));
        return (Noted { is_kept: true, ..Noted::default() }, at);
    }
    let now = step.now;
    let peer = Peer::new(address, presence == Presence::Seed, now);
    let arrival = Arrival { info_hash, keys, peer, has_completed, now, may_add };
    table.arrive(at, &arrival, step.hashes, &step.space)
}

pub(super) enum WireForm {
    V4([u8; 6]),
    V6([u8; 18]),
}

pub(super) fn wire_form(address: SocketAddr) -> WireForm {
    let [high, low] = address.port().to_be_bytes();
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            WireForm::V4([a, b, c, d, high, low])
        }
        IpAddr::V6(ip) => {
            let mut wire = [0; 18];
            wire[..16].copy_from_slice(&ip.octets());
            wire[16..].copy_from_slice(&[high, low]);
            WireForm::V6(wire)
        }
    }
}
