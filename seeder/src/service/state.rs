//! What is stored and who is connected: `status`.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::names::Names;
use super::seeder_code::PLACEHOLDER;
use super::{SeederCode, Service};
use crate::api::{Failure, Feed, Refused, Replies, Reply, Seeder, Status, Tracker, Traffic};
use crate::node::{FeedStatus, SeederStatus, Totals, TrackerStatus};
use crate::store::{FeedRow, ReadTxn, Reading, Roles};
use crate::ui::counted;

impl Service {
    pub(super) async fn status(&self, replies: &Replies) -> Result<(), Failure> {
        let node = self.node().status().await;
        let names = Names::load(self)?;
        let txn = self.store().read()?;
        let mut feeds = Vec::new();
        for (feed, row) in names.feeds() {
            let seen = node.feeds.iter().find(|seen| seen.feed == feed);
            let mut told = stored(&txn, feed, row)?;
            told.name = names.name(feed).map(str::to_owned);
            if let Some(seen) = seen {
                told.peers = seen.peers;
                told.stopped.clone_from(&seen.stopped);
                told.left_out.clone_from(&seen.left_out);
                told.entries = told.entries.max(seen.entries);
                told.seeders = seen.seeders.iter().map(|seeder| self.seeder_of(seen, seeder)).collect();
                told.trackers = seen.trackers.iter().map(tracker).collect();
            }
            feeds.push(told);
        }
        // The own feed first, then by name.
        feeds.sort_by_key(|feed| (!feed.roles.iter().any(|role| role == "own"), feed.name.clone(), feed.feed.clone()));
        let totals = node.totals;
        let status = Status {
            data: self.data().display().to_string(),
            running: self.daemon,
            pid: self.daemon.then(std::process::id),
            feed: names.feeds().find(|(_, row)| row.roles.own).map(|(feed, _)| feed.to_string()),
            listen: node.listen.iter().map(ToString::to_string).collect(),
            seeder_code: self.code().map(|code| code.to_string()),
            requests: txn.contacts()?.iter().filter(|(_, contact)| contact.waits()).count() as u64,
            peers: u32::try_from(node.peers.len()).unwrap_or(u32::MAX),
            traffic: Traffic { sent_bytes: totals.sent_bytes, received_bytes: totals.received_bytes },
            refused: refused(&totals),
            feeds,
        };
        replies.send(Reply::Status(Box::new(status))).await;
        Ok(())
    }

    /// A seeder of a feed, as a person sees it.
    pub(super) fn seeder_of(&self, feed: &FeedStatus, seeder: &SeederStatus) -> Seeder {
        let code = SeederCode::new(&seeder.address, seeder.witness);
        Seeder {
            address: seeder.address.clone(),
            code: seeder.witness.is_some().then(|| code.to_string()),
            listed: seeder.listed,
            this: seeder.witness == Some(self.node().witness()),
            connected: seeder.connected,
            entries_stored: seeder.entries_stored.min(feed.entries),
            entries: feed.entries,
            holds_all: seeder.holds_all,
        }
    }

    /// What an author needs to list this node as a seeder; none while it listens on nothing.
    pub(crate) fn code(&self) -> Option<SeederCode> {
        let addresses = self.node().listen_addrs();
        let best = addresses.iter().find(|address| !address.ip().is_unspecified()).or(addresses.first())?;
        Some(SeederCode::new(&reachable(*best), Some(self.node().witness())))
    }
}

/// An address to hand out; a node that listens on all of a machine's addresses does not know which one others use.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("{PLACEHOLDER}:{}", address.port()) } else { address.to_string() }
}

fn stored(txn: &ReadTxn, feed: peerfeed_protocol::ids::FeedId, row: &FeedRow) -> Result<Feed, Failure> {
    let (mut entries, mut entries_held) = (0, 0);
    for log in txn.logs(feed)? {
        entries += log.size;
        entries_held += txn.held(&log)?.iter().map(|range| range.end - range.start).sum::<u64>();
    }
    let blobs = txn.blobs(feed)?;
    let mut files_held = 0;
    for blob in &blobs {
        files_held += u64::from(txn.blob(feed, *blob)?.is_some_and(|blob| blob.is_complete()));
    }
    Ok(Feed {
        feed: feed.to_string(),
        roles: roles(row.roles),
        readable: row.roles.own || txn.has_epochs(feed)?,
        muted: row.muted,
        entries_held,
        entries,
        files_held,
        files: blobs.len() as u64,
        held_bytes: txn.usage(feed)?.bytes(),
        quota_bytes: row.quota_bytes,
        up: row.up,
        down: row.down,
        ..Feed::default()
    })
}

fn refused(totals: &Totals) -> Refused {
    Refused {
        violations: totals.violations,
        banned: totals.banned,
        turned_away: totals.turned_away,
        strangers: totals.strangers,
        over_limit: totals.over_limit,
        stalled: totals.stalled,
        late: totals.late,
        ignored_addresses: totals.ignored_addresses,
    }
}

pub(super) fn tracker(tracker: &TrackerStatus) -> Tracker {
    let state = match (tracker.working, &tracker.error) {
        (Some(true), _) => Some(format!("works, names {}", counted(tracker.peers.into(), "peer", "peers"))),
        (Some(false), Some(error)) => Some(format!("does not answer: {error}")),
        (Some(false), None) => Some("does not answer".into()),
        (None, Some(error)) => Some(error.clone()),
        (None, None) => None,
    };
    Tracker { url: tracker.url.clone(), state, change: None }
}

pub(super) fn roles(roles: Roles) -> Vec<String> {
    let all = [(roles.own, "own"), (roles.follow, "follow"), (roles.seed, "seed")];
    all.into_iter().filter(|(has, _)| *has).map(|(_, word)| word.to_owned()).collect()
}

/// The clock of this machine, unix milliseconds.
pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
