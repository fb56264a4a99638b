//! One shard of the map: a table per address family, under one lock.

use peerfeed_protocol::announce::{AnnounceReply, InfoHash, ScrapeEntry};
use rand_core::Rng;
use std::net::{IpAddr, SocketAddr};

use super::crowd::Draw;
use super::map::{Announcement, Asked, Presence, Totals};
use super::record::{Peer, Tick};
use super::table::{Arrival, Hashes, Table};

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
    pub(super) bytes_max: usize,
    pub(super) swarm_peers_max: usize,
}

impl Shard {
    pub(super) fn new() -> Self {
        Self { v4: Table::new(), v6: Table::new() }
    }

    /// Notes the announcement and fills `reply` with counts and peers; returns whether a peer found no room.
    pub(super) fn announce(
        &mut self,
        announcement: &Announcement,
        hash: u64,
        now: Tick,
        limits: &ShardLimits,
        hashes: &impl Hashes,
        rng: &mut impl Rng,
        reply: &mut AnnounceReply,
    ) -> bool {
        let room = limits.bytes_max.saturating_sub(self.v4.bytes() + self.v6.bytes());
        let stored = match wire_form(announcement.address) {
            WireForm::V4(address) => note(&mut self.v4, announcement, address, hash, now, limits, hashes, room),
            WireForm::V6(address) => note(&mut self.v6, announcement, address, hash, now, limits, hashes, room),
        };
        let counts = self.scrape(&announcement.info_hash, hash);
        (reply.complete, reply.incomplete) = (counts.complete, counts.incomplete);
        self.draw(announcement, hash, now, limits, rng, reply);
        !stored
    }

    /// The counts of both families together.
    pub(super) fn scrape(&self, info_hash: &InfoHash, hash: u64) -> ScrapeEntry {
        let (v4, v6) = (self.v4.counts(info_hash, hash), self.v6.counts(info_hash, hash));
        ScrapeEntry {
            complete: v4.complete.saturating_add(v6.complete),
            downloaded: v4.downloaded.saturating_add(v6.downloaded),
            incomplete: v4.incomplete.saturating_add(v6.incomplete),
        }
    }

    /// Forgets what has expired.
    pub(super) fn sweep(&mut self, now: Tick, lifetime_ticks: u16, hashes: &impl Hashes) {
        self.v4.sweep(now, lifetime_ticks, hashes);
        self.v6.sweep(now, lifetime_ticks, hashes);
    }

    /// What it holds.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            swarms_v4: self.v4.swarms(),
            swarms_v6: self.v6.swarms(),
            peers_v4: self.v4.peers(),
            peers_v6: self.v6.peers(),
            bytes: self.v4.bytes() + self.v6.bytes(),
        }
    }

    fn draw(
        &self,
        announcement: &Announcement,
        hash: u64,
        now: Tick,
        limits: &ShardLimits,
        rng: &mut impl Rng,
        reply: &mut AnnounceReply,
    ) {
        let Announcement { info_hash, presence, asked, .. } = announcement;
        let skip_seeds = matches!(presence, Presence::Seed | Presence::PartialSeed);
        let lifetime_ticks = limits.lifetime_ticks;
        let (own_v4, own_v6) = match wire_form(announcement.address) {
            WireForm::V4(address) => (Some(address), None),
            WireForm::V6(address) => (None, Some(address)),
        };
        let (want_v4, want_v6) = self.split(announcement, hash, *asked);
        if want_v4 > 0 {
            let draw = Draw { asker: own_v4.as_ref(), skip_seeds, now, lifetime_ticks };
            self.v4.draw(info_hash, hash, want_v4, &draw, rng, |peer| reply.peers.push_compact_v4(*peer));
        }
        if want_v6 > 0 {
            let draw = Draw { asker: own_v6.as_ref(), skip_seeds, now, lifetime_ticks };
            self.v6.draw(info_hash, hash, want_v6, &draw, rng, |peer| reply.peers.push_compact_v6(*peer));
        }
    }

    /// How many peers of each family to give: in proportion to their numbers, where both are asked for.
    fn split(&self, announcement: &Announcement, hash: u64, asked: Asked) -> (usize, usize) {
        match asked {
            Asked::Own(want) if announcement.address.is_ipv4() => (want, 0),
            Asked::Own(want) => (0, want),
            Asked::Both(want) => {
                let size = |entry: ScrapeEntry| {
                    usize::try_from(u64::from(entry.complete) + u64::from(entry.incomplete))
                        .expect("64-bit platforms only")
                };
                let v4 = size(self.v4.counts(&announcement.info_hash, hash));
                let v6 = size(self.v6.counts(&announcement.info_hash, hash));
                if v4 + v6 <= want {
                    return (want, want);
                }
                let want_v4 = (want * v4).div_ceil(v4 + v6).max(want.saturating_sub(v6));
                (want_v4, want - want_v4.min(want))
            }
        }
    }
}

/// Puts the announcing peer into its family's table or takes it out; returns false when there was no room.
#[expect(clippy::too_many_arguments, reason = "one step of `announce`, shared by the families")]
fn note<const N: usize, const INLINE: usize>(
    table: &mut Table<N, INLINE>,
    announcement: &Announcement,
    address: [u8; N],
    hash: u64,
    now: Tick,
    limits: &ShardLimits,
    hashes: &impl Hashes,
    room_bytes: usize,
) -> bool {
    let info_hash = announcement.info_hash;
    if announcement.presence == Presence::Gone {
        table.leave(&info_hash, hash, &address, hashes);
        return true;
    }
    let is_seed = announcement.presence == Presence::Seed;
    let peer = Peer::new(address, is_seed, now);
    let arrival = Arrival { info_hash, hash, peer, has_completed: announcement.has_completed };
    table.arrive(&arrival, hashes, room_bytes, limits.swarm_peers_max)
}

enum WireForm {
    V4([u8; 6]),
    V6([u8; 18]),
}

fn wire_form(address: SocketAddr) -> WireForm {
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
