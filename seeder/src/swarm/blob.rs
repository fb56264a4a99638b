//! A blob that is wanted here.

use std::collections::BTreeMap;

use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::limits::CHUNK_GROUP;
use peerfeed_protocol::peer::Moment;
use peerfeed_protocol::peer::message::{BlobHeld, ChunksWanted};

use super::chance::Chance;
use super::{ConnectionId, Ticket};

/// Groups among which the rarest is chosen.
const SAMPLE: usize = 16;

/// Groups looked at one after the other where a sample of random ones found few: the next look begins elsewhere.
const SCAN: usize = 4_096;

/// A blob in groups of 16 chunks: which are held, being written, or asked for.
#[derive(Debug)]
pub(super) struct Blob {
    reference: BlobRef,
    groups: Vec<Group>,
    left: u64,
    /// Groups that are neither here nor being written.
    missing: usize,
    held_bytes: u64,
    /// No group before this one is missing.
    first_missing: usize,
    /// When peers were last told of the groups held.
    pub offered: Option<Moment>,
    asked: BTreeMap<u32, Vec<(ConnectionId, Ticket)>>,
    /// Requests that were given up, and may still be answered.
    late: BTreeMap<u32, Vec<(ConnectionId, Ticket)>>,
    /// Whether nothing more is asked for now, since who takes it as it comes is not as fast.
    pub held_back: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Missing,
    Writing,
    Held,
}

/// What a peer is known to hold of a blob.
#[derive(Clone, Debug)]
pub(super) enum Holding {
    /// As it told.
    Told(BlobHeld),
    /// Nothing, or another blob under the same name.
    Nothing,
}

impl Holding {
    fn has(&self, group: u32) -> bool {
        match self {
            Self::Told(held) => held.holds_group(u64::from(group)),
            Self::Nothing => false,
        }
    }

    /// Whether the peer told that it holds all of it.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self, Self::Told(held) if held.groups.is_none() && held.bytes > 0)
    }
}

impl Blob {
    /// A blob of which those groups are held for which `held` says so.
    pub(super) fn new(reference: BlobRef, held: impl Fn(u32) -> bool) -> Self {
        let count = u32::try_from(BlobHeld::groups_in(reference.size.bytes())).expect("a blob has at most 2^20 groups");
        let groups: Vec<_> = (0..count).map(|group| if held(group) { Group::Held } else { Group::Missing }).collect();
        let left = groups.iter().filter(|group| **group != Group::Held).count() as u64;
        let missing = usize::try_from(left).expect("a blob has at most 2^20 groups");
        let mut blob = Self {
            reference,
            groups,
            left,
            missing,
            held_bytes: 0,
            first_missing: 0,
            offered: None,
            asked: BTreeMap::new(),
            late: BTreeMap::new(),
            held_back: false,
        };
        blob.held_bytes = if left == 0 {
            reference.size.bytes()
        } else {
            (0..count)
                .filter(|group| blob.groups[*group as usize] == Group::Held)
                .map(|group| blob.group_bytes(group))
                .sum()
        };
        blob
    }

    /// Its name and size.
    pub(super) fn reference(&self) -> BlobRef {
        self.reference
    }

    /// Whether all of it is on the disk.
    pub(super) fn is_complete(&self) -> bool {
        self.left == 0
    }

    /// Bytes on the disk.
    pub(super) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// What peers are told of it.
    pub(super) fn held(&self) -> BlobHeld {
        let BlobRef { root, size } = self.reference;
        if self.is_complete() {
            return BlobHeld::complete(root, size.bytes());
        }
        let mut bits = vec![0; self.groups.len().div_ceil(8)];
        for at in (0..self.groups.len()).filter(|at| self.groups[*at] == Group::Held) {
            bits[at / 8] |= 0x80 >> (at % 8);
        }
        BlobHeld { root, bytes: size.bytes(), groups: Some(bits.into()) }
    }

    /// Bytes of one group.
    pub(super) fn group_bytes(&self, group: u32) -> u64 {
        self.request(group).payload_bytes() as u64
    }

    /// The request for one group.
    pub(super) fn request(&self, group: u32) -> ChunksWanted {
        let BlobRef { root, size } = self.reference;
        let from = group * CHUNK_GROUP;
        ChunksWanted { root, size, from, to: (from + CHUNK_GROUP).min(size.chunks()) }
    }

    /// A group that this peer holds and nobody was asked for.
    ///
    /// The first one when all of them come from one source anyway, in the order in which they are played and written;
    /// in a crowd the rarest of a random sample, so that they come to have different parts for each other.
    pub(super) fn pick(&self, peer: &Holding, others: &[&Holding], crowd: bool, chance: &mut Chance) -> Option<u32> {
        let free = |group: usize| {
            let number = u32::try_from(group).expect("counted in u32");
            (self.groups[group] == Group::Missing && !self.asked.contains_key(&number) && peer.has(number))
                .then_some(number)
        };
        if !crowd && others.iter().all(|other| other.is_complete()) {
            return (self.first_missing..self.groups.len()).find_map(free);
        }
        if self.first_missing == self.groups.len() {
            return None;
        }
        // From a random place on: where few are left, a sample of single ones would miss them.
        let span = self.groups.len() - self.first_missing;
        let begin = chance.index(span);
        let around = (begin..span).chain(0..begin).map(|at| self.first_missing + at);
        let rarity = |group: &u32| others.iter().filter(|other| other.has(*group)).count();
        let mut sample: Vec<u32> = (0..SAMPLE).filter_map(|_| free(self.first_missing + chance.index(span))).collect();
        if sample.len() < SAMPLE / 4 {
            sample.extend(around.take(SCAN).filter_map(free).take(SAMPLE));
        }
        sample.into_iter().min_by_key(rarity)
    }

    /// A group that this peer holds and that only others were asked for, once, the oldest request first.
    pub(super) fn steal(
        &self,
        peer: &Holding,
        thief: ConnectionId,
        late: impl Fn(ConnectionId, Ticket) -> bool,
    ) -> Option<u32> {
        let busy = |(group, asked): (&u32, &Vec<(ConnectionId, Ticket)>)| match asked.as_slice() {
            [(connection, ticket)]
                if *connection != thief
                    && self.is_missing(*group)
                    && peer.has(*group)
                    && late(*connection, *ticket) =>
            {
                Some((*ticket, *group))
            }
            _ => None,
        };
        self.asked.iter().filter_map(busy).min().map(|(_, group)| group)
    }

    /// Whether everything that is lacking was asked for.
    pub(super) fn is_asked_for(&self) -> bool {
        self.missing == self.asked.keys().filter(|group| self.is_missing(**group)).count()
    }

    /// A peer was asked for a group.
    pub(super) fn ask(&mut self, group: u32, connection: ConnectionId, ticket: Ticket) {
        self.asked.entry(group).or_default().push((connection, ticket));
    }

    /// The answer to a request that is not waited for any more may still come.
    pub(super) fn ask_late(&mut self, group: u32, connection: ConnectionId, ticket: Ticket) {
        self.late.entry(group).or_default().push((connection, ticket));
    }

    /// A request has ended, or its peer is gone.
    pub(super) fn unask(&mut self, group: u32, ticket: Ticket) {
        remove(&mut self.asked, group, ticket);
        remove(&mut self.late, group, ticket);
    }

    /// The requests that are open for a group, those that were given up as well.
    pub(super) fn asked_of(&self, group: u32) -> Vec<(ConnectionId, Ticket)> {
        [&self.asked, &self.late].into_iter().filter_map(|requests| requests.get(&group)).flatten().copied().collect()
    }

    /// Whether this peer holds something that is not on the disk here.
    pub(super) fn lacks_of(&self, peer: &Holding) -> bool {
        (0..).zip(&self.groups).any(|(group, state)| *state != Group::Held && peer.has(group))
    }

    /// Whether a group is neither on the disk nor on its way there.
    pub(super) fn is_missing(&self, group: u32) -> bool {
        self.groups.get(group as usize) == Some(&Group::Missing)
    }

    /// A group came; false if it is here already.
    pub(super) fn came(&mut self, group: u32) -> bool {
        let Some(state) = self.groups.get_mut(group as usize) else { return false };
        if *state != Group::Missing {
            return false;
        }
        *state = Group::Writing;
        self.missing -= 1;
        true
    }

    /// A group is on the disk; true if the blob is complete by it.
    pub(super) fn written(&mut self, group: u32) -> bool {
        if self.groups[group as usize] != Group::Held {
            self.missing -= usize::from(self.is_missing(group));
            self.groups[group as usize] = Group::Held;
            self.left -= 1;
            self.held_bytes += self.group_bytes(group);
        }
        while self.groups.get(self.first_missing) == Some(&Group::Held) {
            self.first_missing += 1;
        }
        self.left == 0
    }

    /// A group could not be written.
    pub(super) fn not_written(&mut self, group: u32) {
        self.missing += usize::from(!self.is_missing(group));
        self.groups[group as usize] = Group::Missing;
    }
}

fn remove(requests: &mut BTreeMap<u32, Vec<(ConnectionId, Ticket)>>, group: u32, ticket: Ticket) {
    if let Some(of_group) = requests.get_mut(&group) {
        of_group.retain(|(_, other)| *other != ticket);
        if of_group.is_empty() {
            requests.remove(&group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerfeed_protocol::feed::blob::BlobSize;
    use peerfeed_protocol::ids::BlobRoot;

    const GROUP: u64 = 16 * 64_000;

    fn blob(groups: u64) -> Blob {
        let size = BlobSize::new(groups * GROUP - 1_000).unwrap();
        Blob::new(BlobRef { root: BlobRoot::new([1; 32]), size }, |_| false)
    }

    fn all(groups: u64) -> Holding {
        Holding::Told(BlobHeld { root: BlobRoot::new([1; 32]), bytes: groups * GROUP - 1_000, groups: None })
    }

    fn some(groups: u64, bits: &'static [u8]) -> Holding {
        let groups_held = Some(bytes::Bytes::from_static(bits));
        Holding::Told(BlobHeld { root: BlobRoot::new([1; 32]), bytes: groups * GROUP - 1_000, groups: groups_held })
    }

    #[test]
    fn one_source_is_asked_from_the_first_group_on() {
        let mut chance = Chance::new([1; 32]);
        let mut blob = blob(3);
        for due in 0..3 {
            let group = blob.pick(&all(3), &[], false, &mut chance).unwrap();
            assert_eq!(group, due);
            blob.ask(group, ConnectionId(1), Ticket(u64::from(group)));
        }
        assert_eq!(blob.pick(&all(3), &[], false, &mut chance), None);
        assert_eq!(blob.request(2).payload_bytes() as u64, GROUP - 1_000);
    }

    #[test]
    fn a_peer_is_asked_only_for_what_it_holds_and_rare_groups_come_first() {
        let mut chance = Chance::new([2; 32]);
        let blob = blob(8);
        let other = some(8, &[0b1111_1110]);
        assert_eq!(blob.pick(&some(8, &[0b0000_1000]), &[&other], false, &mut chance), Some(4));
        let picks: Vec<_> = (0..20).filter_map(|_| blob.pick(&all(8), &[&other], false, &mut chance)).collect();
        assert!(picks.iter().filter(|pick| **pick == 7).count() > 10, "{picks:?}");
    }

    #[test]
    fn a_late_request_is_asked_of_one_more_peer_and_not_of_a_third() {
        let mut blob = blob(1);
        blob.ask(0, ConnectionId(1), Ticket(1));
        assert_eq!(blob.steal(&all(1), ConnectionId(2), |_, _| false), None, "it is not late");
        assert_eq!(blob.steal(&all(1), ConnectionId(1), |_, _| true), None, "it would be its own");
        assert_eq!(blob.steal(&all(1), ConnectionId(2), |_, _| true), Some(0));
        blob.ask(0, ConnectionId(2), Ticket(2));
        assert_eq!(blob.steal(&all(1), ConnectionId(3), |_, _| true), None);
        blob.unask(0, Ticket(2));
        assert_eq!(blob.asked_of(0), [(ConnectionId(1), Ticket(1))]);
        assert!(blob.came(0));
        assert_eq!(blob.steal(&all(1), ConnectionId(2), |_, _| true), None, "it has come");
    }

    #[test]
    fn what_was_given_up_is_free_for_others_and_can_still_be_cancelled() {
        let (mut chance, mut blob) = (Chance::new([3; 32]), blob(1));
        blob.ask(0, ConnectionId(1), Ticket(1));
        assert_eq!(blob.pick(&all(1), &[], false, &mut chance), None);
        blob.unask(0, Ticket(1));
        blob.ask_late(0, ConnectionId(1), Ticket(1));
        assert_eq!(blob.pick(&all(1), &[], false, &mut chance), Some(0));
        blob.ask(0, ConnectionId(2), Ticket(2));
        assert_eq!(blob.asked_of(0), [(ConnectionId(2), Ticket(2)), (ConnectionId(1), Ticket(1))]);
        blob.unask(0, Ticket(1));
        assert_eq!(blob.asked_of(0), [(ConnectionId(2), Ticket(2))]);
    }

    #[test]
    fn a_blob_is_complete_when_its_last_group_is_written() {
        let mut blob = blob(2);
        assert!(blob.came(1) && blob.came(0));
        assert!(!blob.came(0), "twice is once");
        assert!(!blob.written(1));
        blob.not_written(0);
        assert!(blob.came(0));
        assert!(blob.written(0));
        assert_eq!(blob.held_bytes(), 2 * GROUP - 1_000);
    }
}
