//! A feed as the engine follows it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use peerfeed_protocol::announce::TrackerUrl;
use peerfeed_protocol::feed::{BlobRef, Records};
use peerfeed_protocol::ids::{BlobRoot, FeedId, LogId, SwarmId, WitnessKey};
use peerfeed_protocol::peer::Moment;
use peerfeed_protocol::peer::message::{Interest, Newest, Stored};

use super::ConnectionId;
use super::backoff::Backoff;
use super::blob::Blob;
use super::limits::{LOGS_PER_FEED, STORE_RETRY_FIRST, STORE_RETRY_LONGEST};
use super::log::Log;
use super::met::Met;
use super::pace::Pace;
use super::snapshot::{HeldGroups, Snapshot};
use super::spot::Spot;
use crate::store::{Roles, SeederHint};

/// Entries asked for along with the first handshake by who has nothing of a feed: a screen full of posts.
const COLD_ENTRIES: u32 = 50;

/// Bytes of bodies asked for along with them.
const COLD_BODY_BYTES: u32 = 64 << 10;

/// A feed, its logs and blobs, and where it may be found.
#[derive(Debug)]
pub(super) struct Feed {
    /// Its name.
    pub id: FeedId,
    /// The name that trackers know.
    pub swarm: SwarmId,
    /// What is done with it here.
    pub roles: Roles,
    /// How fast it may be fetched.
    pub down: Pace,
    /// Its newest records.
    pub records: Option<Records>,
    /// Seeders from links and from the person here.
    pub hints: Vec<SeederHint>,
    /// Trackers from links and from the person here.
    pub hint_trackers: Vec<TrackerUrl>,
    /// Its logs.
    pub logs: BTreeMap<LogId, Log>,
    /// Every blob that its entries refer to.
    pub blobs: HashMap<BlobRef, Blob>,
    roots: HashMap<BlobRoot, BlobRef>,
    /// The blobs that are to be here, the most urgent first.
    pub queue: BTreeMap<i64, BlobRef>,
    queued: HashSet<BlobRef>,
    next_rank: i64,
    /// Addresses where it may be found, as far as this feed is concerned.
    pub spots: BTreeMap<String, Spot>,
    /// Peers with whom it is open: what concerns one feed asks nothing of those who share others.
    pub peers: BTreeSet<ConnectionId>,
    /// What seeders said that they have synced.
    pub stored: HashMap<WitnessKey, HashMap<LogId, Stored>>,
    /// Where those who are in no manifest and no link were met.
    pub met: Met,
    /// Only the newest so many entries of each log are wanted, unless everything is.
    pub newest: Option<u64>,
    /// Writes under way of what was fetched.
    pub writes: usize,
    /// Why nothing more is stored.
    pub stopped: Option<String>,
    /// Files that do not fit in a quota, and why: nothing of them is asked for until somebody wants them, or the feed is loaded again.
    pub left_out: HashMap<BlobRef, String>,
    /// Whether the newest records are still to be stored.
    pub records_unstored: bool,
    /// When storing is tried again by itself.
    pub retry_at: Option<Moment>,
    /// How often it failed in a row.
    pub store_retry: Backoff,
    /// Callers that wait for something of this feed.
    pub users: usize,
    /// Callers that wait for all of its blobs.
    pub blob_users: usize,
    /// Since when it is looked for; none while it is not.
    pub sought_since: Option<Moment>,
}

impl Feed {
    /// A feed of which nothing is known yet.
    pub(super) fn new(id: FeedId, swarm: SwarmId) -> Self {
        Self {
            id,
            swarm,
            roles: Roles::default(),
            down: Pace::default(),
            records: None,
            hints: Vec::new(),
            hint_trackers: Vec::new(),
            logs: BTreeMap::new(),
            blobs: HashMap::new(),
            roots: HashMap::new(),
            queue: BTreeMap::new(),
            queued: HashSet::new(),
            next_rank: 0,
            spots: BTreeMap::new(),
            peers: BTreeSet::new(),
            stored: HashMap::new(),
            met: Met::default(),
            newest: None,
            writes: 0,
            stopped: None,
            left_out: HashMap::new(),
            records_unstored: false,
            retry_at: None,
            store_retry: Backoff::new(STORE_RETRY_FIRST, STORE_RETRY_LONGEST),
            users: 0,
            blob_users: 0,
            sought_since: None,
        }
    }

    /// Takes over what the store holds; the entries that are new by it. What is under way stays under way.
    pub(super) fn update(&mut self, snapshot: Snapshot) -> Vec<(LogId, Range<u64>)> {
        let mut new = Vec::new();
        self.roles = snapshot.roles;
        self.down.set(snapshot.down);
        self.hints = snapshot.seeders;
        self.hint_trackers = snapshot.trackers;
        if snapshot.records.is_some() {
            self.records = snapshot.records;
        }
        for log in snapshot.logs {
            let size = log.head.size();
            let known = self.logs.entry(*log.head.log()).or_insert_with(|| Log::new(log.head.clone()));
            known.advance(log.head);
            known.stored_size = known.stored_size.max(size);
            known.forked |= log.forked;
            known.complete = known.complete.max(log.complete);
            for range in log.held {
                let id = known.id();
                new.extend(known.held.gaps_down(range.clone()).into_iter().map(|gap| (id, gap)));
                known.written(&range);
            }
        }
        for (reference, held) in snapshot.blobs {
            self.roots.entry(reference.root).or_insert(reference);
            self.blobs.entry(reference).or_insert_with(|| Blob::new(reference, |group| held.has(group)));
            if matches!(held, HeldGroups::All) && !self.blobs[&reference].is_complete() {
                self.blobs.insert(reference, Blob::new(reference, |_| true));
            }
            if self.wants_all_blobs() {
                self.queue_blob(reference, false);
            }
        }
        for (witness, stored) in snapshot.stored {
            self.stored.entry(witness).or_default().insert(stored.log, stored);
        }
        self.met.remember(snapshot.met);
        new
    }

    /// Whether every blob is to be here: a seeder's, an author's, or because somebody waits for them.
    pub(super) fn wants_all_blobs(&self) -> bool {
        self.roles.own || self.roles.seed || self.blob_users > 0
    }

    /// A blob that an entry refers to; wanted when all are.
    pub(super) fn refer(&mut self, reference: BlobRef) {
        self.roots.entry(reference.root).or_insert(reference);
        self.blobs.entry(reference).or_insert_with(|| Blob::new(reference, |_| false));
        if self.wants_all_blobs() {
            self.queue_blob(reference, false);
        }
    }

    /// The blob that is known under this root.
    pub(super) fn blob_of(&self, root: &BlobRoot) -> Option<&Blob> {
        self.blobs.get(self.roots.get(root)?)
    }

    /// Wants a blob: before all others when somebody waits for it, else newer ones before older ones.
    pub(super) fn queue_blob(&mut self, reference: BlobRef, waited_for: bool) {
        const WAITED_FOR: i64 = 1 << 40;
        if self.blobs.get(&reference).is_none_or(Blob::is_complete) {
            return;
        }
        self.next_rank += 1;
        self.left_out.remove(&reference);
        if self.queued.insert(reference) {
            let rank = if waited_for { self.next_rank - WAITED_FOR } else { -self.next_rank };
            self.queue.insert(rank, reference);
        } else if waited_for {
            self.queue.retain(|_, queued| *queued != reference);
            self.queue.insert(self.next_rank - WAITED_FOR, reference);
        }
    }

    /// A blob is here.
    pub(super) fn unqueue_blob(&mut self, reference: &BlobRef) {
        if self.queued.remove(reference) {
            self.queue.retain(|_, queued| queued != reference);
        }
    }

    /// A blob does not fit.
    pub(super) fn leave_out(&mut self, reference: BlobRef, reason: String) {
        self.unqueue_blob(&reference);
        self.left_out.insert(reference, reason);
    }

    /// What a peer is told that we have and want.
    pub(super) fn interest(&self) -> Interest {
        let cold = self.logs.is_empty() && (self.roles.follow || self.roles.own);
        Interest {
            manifest: self.versions().0,
            roster: self.versions().1,
            heads: self.logs.values().map(|log| (log.id(), log.size())).collect(),
            newest: cold.then_some(Newest { entries: COLD_ENTRIES, body_bytes: COLD_BODY_BYTES }),
            grant_tags: Vec::new(),
        }
    }

    /// The seeders that manifest and link name: address, key, and whether the manifest lists it.
    pub(super) fn seeders(&self) -> Vec<(String, Option<WitnessKey>, bool)> {
        let listed = self.records.iter().flat_map(|records| &records.manifest().content().seeders);
        let mut seeders: Vec<_> = listed.map(|seeder| (seeder.address.clone(), Some(seeder.witness), true)).collect();
        for hint in &self.hints {
            if seeders.iter().all(|(address, ..)| *address != hint.address) {
                seeders.push((hint.address.clone(), hint.witness, false));
            }
        }
        seeders
    }

    /// Whether the manifest lists this key.
    pub(super) fn lists(&self, witness: &WitnessKey) -> bool {
        let seeders = self.records.iter().flat_map(|records| &records.manifest().content().seeders);
        seeders.into_iter().any(|seeder| seeder.witness == *witness)
    }

    /// Whether manifest or link names this key.
    fn names(&self, witness: &WitnessKey) -> bool {
        self.lists(witness) || self.hints.iter().any(|hint| hint.witness.as_ref() == Some(witness))
    }

    /// Notes what a seeder says it has synced, and where it was met; whether that is new. Of those that are not named, only
    /// so many are remembered: who makes new keys all the time fills no memory.
    pub(super) fn note_stored(&mut self, witness: WitnessKey, address: Option<String>, stored: Stored) -> bool {
        let forgotten = address.and_then(|address| self.met.insert(witness, address));
        if let Some(forgotten) = forgotten.filter(|forgotten| !self.names(forgotten)) {
            self.stored.remove(&forgotten);
        }
        if !self.names(&witness) && !self.met.contains(&witness) {
            return false;
        }
        let words = self.stored.entry(witness).or_default();
        // It says so once, maybe before the log of another device of the same owner is known here.
        if !self.logs.contains_key(&stored.log) && words.len() >= LOGS_PER_FEED {
            return false;
        }
        words.insert(stored.log, stored) != Some(stored)
    }

    /// Whether what an unnamed or named seeder says is kept on the disk, too: of feeds of others only the word of the named.
    pub(super) fn keeps_word_of(&self, witness: &WitnessKey) -> bool {
        self.roles.own || self.names(witness)
    }

    /// Whether the node with this key is a seeder of the feed: by its role here, or because the manifest lists it.
    pub(super) fn is_seeded_by(&self, own: &WitnessKey) -> bool {
        self.roles.seed || self.lists(own)
    }

    /// The trackers that manifest and link name.
    pub(super) fn trackers(&self) -> Vec<TrackerUrl> {
        let listed = self.records.iter().flat_map(|records| &records.manifest().content().trackers);
        let mut trackers: Vec<TrackerUrl> = listed.filter_map(|url| url.parse().ok()).collect();
        for tracker in &self.hint_trackers {
            if !trackers.contains(tracker) {
                trackers.push(tracker.clone());
            }
        }
        trackers
    }

    /// Whether nothing that is wanted is lacking.
    pub(super) fn is_complete(&self) -> bool {
        self.logs.values().all(|log| log.lacking(log.wanted(self.newest)) == 0)
            && self.queue.values().all(|blob| self.blobs.get(blob).is_none_or(Blob::is_complete))
    }

    /// Versions of manifest and roster; 0 for none.
    pub(super) fn versions(&self) -> (u64, u64) {
        self.records.as_ref().map_or((0, 0), |records| (records.manifest().number(), records.roster().number()))
    }

    /// Whether every entry of every log is held.
    pub(super) fn holds_all_entries(&self) -> bool {
        self.logs.values().all(|log| log.held.len() == log.size())
    }

    /// Entries held, and entries known to exist.
    pub(super) fn entries(&self) -> (u64, u64) {
        self.logs.values().fold((0, 0), |(held, all), log| (held + log.held.len(), all + log.size()))
    }

    /// Bytes held of all blobs.
    pub(super) fn blob_bytes(&self) -> u64 {
        self.blobs.values().map(Blob::held_bytes).sum()
    }

    /// How much of everything known here this seeder said to have: entries, and whether it is all, blobs included.
    pub(super) fn stored_by(&self, witness: &WitnessKey) -> (u64, bool) {
        let Some(words) = self.stored.get(witness) else { return (0, false) };
        let entries = words.values().map(|stored| stored.entries).sum();
        let has_all = |log: &Log| words.get(&log.id()).is_some_and(|stored| stored.with_blobs >= log.size());
        (entries, !self.logs.is_empty() && self.logs.values().all(has_all))
    }
}

#[cfg(test)]
mod tests {
    use peerfeed_protocol::crypto::{DeviceKey, IdentityKey};
    use peerfeed_protocol::feed::blob::BlobSize;
    use peerfeed_protocol::ids::Incarnation;

    use super::*;
    use crate::store::limits::SEEDERS_MET_MAX;

    /// A row for each key that ever said it stored something stayed in memory and on the disk for ever.
    #[test]
    fn who_makes_new_keys_all_the_time_fills_no_memory_and_pushes_out_nobody_who_is_named() {
        let id = IdentityKey::from_seed(&[7; 32]).feed_id();
        let mut feed = Feed::new(id, id.swarm_id());
        let device = DeviceKey::from_seed(&[8; 32]).id();
        let log = LogId { device, incarnation: Incarnation::new([0; 8]) };
        let stored = |entries| Stored { log, entries, with_blobs: entries };
        let witness = |number: u8| WitnessKey::from_stored([number; 32]);
        feed.hints.push(SeederHint { address: "a:1".into(), witness: Some(witness(0)) });
        for number in 0..=200 {
            assert!(feed.note_stored(witness(number), Some(format!("b:{number}")), stored(3)));
        }
        assert_eq!(feed.stored.len(), SEEDERS_MET_MAX + 1);
        assert_eq!(feed.stored_by(&witness(0)).0, 3);
        assert_eq!(feed.stored_by(&witness(1)).0, 0);
        assert!(!feed.note_stored(witness(200), Some("b:200".into()), stored(3)), "nothing new");
        assert!(feed.note_stored(witness(200), Some("b:200".into()), stored(4)));
        assert!(!feed.note_stored(witness(201), None, stored(3)), "nobody knows where it is");
        assert!(feed.keeps_word_of(&witness(0)) && !feed.keeps_word_of(&witness(200)));
    }

    #[test]
    fn what_somebody_waits_for_comes_first_then_newer_files_before_older_ones() {
        let id = IdentityKey::from_seed(&[7; 32]).feed_id();
        let mut feed = Feed::new(id, id.swarm_id());
        feed.roles.seed = true;
        let size = BlobSize::new(64_000).unwrap();
        let blobs: Vec<BlobRef> = (0..4).map(|at| BlobRef { root: BlobRoot::new([at; 32]), size }).collect();
        for blob in &blobs {
            feed.refer(*blob);
        }
        feed.queue_blob(blobs[1], true);
        feed.queue_blob(blobs[0], true);
        let order: Vec<u8> = feed.queue.values().map(|blob| blob.root.as_bytes()[0]).collect();
        assert_eq!(order, [1, 0, 3, 2]);
        feed.unqueue_blob(&blobs[1]);
        assert_eq!(feed.queue.len(), 3);
        assert_eq!(feed.blob_of(&blobs[2].root).map(Blob::reference), Some(blobs[2]));
    }
}
