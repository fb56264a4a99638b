//! What callers ask of the engine, and what is read of the store for them.

use std::collections::HashSet;
use std::sync::Arc;

use peerfeed_protocol::feed::BlobRef;
use peerfeed_protocol::feed::blob::BlobSize;
use peerfeed_protocol::ids::FeedId;

use super::super::handle::Ask;
use super::super::loading::{self, Loaded};
use super::EngineTask;
use crate::swarm::SyncGoal;

impl EngineTask {
    pub(super) fn take_ask(&mut self, ask: Ask) {
        if self.loading > 0 {
            self.deferred.push_back(ask);
            return;
        }
        let now = self.shared.clock.now();
        match ask {
            Ask::Sync { feeds, goal, timeout, progress } => {
                let feeds = if feeds.is_empty() { self.engine.feed_ids() } else { feeds };
                let task = self.waiters.progress(progress);
                self.engine.start_sync(now, task, &feeds, goal, None, timeout);
            }
            Ask::FetchBlob { feed, root, bytes, timeout, progress, fresh } => {
                let task = self.waiters.progress(progress);
                // A size that no blob has is one that nobody holds.
                let blob = BlobSize::new(bytes).ok().map(|size| BlobRef { root, size });
                if let (Some(fresh), Some(blob)) = (fresh, blob) {
                    self.takers.add(task, feed, blob, fresh);
                }
                self.engine.start_sync(now, task, &[feed], SyncGoal::default(), blob, timeout);
            }
            Ask::WaitStored { feed, timeout, answer } => {
                let task = self.waiters.stored(feed, answer);
                self.engine.start_wait(now, task, feed, timeout);
            }
            Ask::Probe { feed, address, timeout, answer } => {
                let task = self.waiters.probed(address.clone(), answer);
                self.engine.start_probe(now, task, feed, &address, timeout);
            }
            Ask::Appended(feed) => {
                self.loading += 1;
                loading::load(self.shared.store.clone(), Some(feed), self.loaded.sender.clone());
            }
            Ask::FeedsChanged => {
                self.loading += 1;
                loading::load(self.shared.store.clone(), None, self.loaded.sender.clone());
            }
            Ask::Status(answer) => {
                let mut status = self.engine.status(now);
                status.listen.clone_from(&self.listen);
                let (turned_away, strangers) = self.admission.refused();
                status.totals.turned_away += turned_away;
                status.totals.strangers += strangers;
                // Who asked may have gone.
                let _ = answer.send(status);
            }
            Ask::Shutdown(_) => unreachable!("the loop ends with it"),
        }
    }

    pub(super) fn take_loaded(&mut self, loaded: Loaded) {
        let now = self.shared.clock.now();
        self.loading = self.loading.saturating_sub(1);
        match loaded {
            Loaded::Nothing => {}
            Loaded::One(_, Some(snapshot)) => self.engine.load(now, *snapshot),
            Loaded::One(feed, None) => self.engine.remove_feed(now, feed),
            Loaded::All(snapshots, codes) => {
                self.codes = codes;
                let here: HashSet<FeedId> = snapshots.iter().map(|snapshot| snapshot.feed).collect();
                for gone in self.engine.feed_ids().into_iter().filter(|feed| !here.contains(feed)) {
                    self.engine.remove_feed(now, gone);
                }
                for snapshot in snapshots {
                    self.engine.load(now, snapshot);
                }
            }
        }
        // Who comes with a code wants to know whom it has come to.
        let proves = self.engine.is_seeder() || !self.codes.is_empty();
        self.admission.prove(proves.then(|| Arc::clone(self.shared.secrets.witness())));
        self.admission.serve(self.engine.feed_ids(), self.codes.iter().copied());
        while self.loading == 0
            && let Some(ask) = self.deferred.pop_front()
        {
            self.take_ask(ask);
        }
    }
}
