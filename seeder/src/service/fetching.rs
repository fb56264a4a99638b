//! Getting what is new: `fetch`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use peerfeed_protocol::ids::FeedId;

use super::Service;
use super::names::Names;
use crate::api::{Failure, Fetched, Progress as Shown, Replies, Reply, Stage};
use crate::node::{FeedOutcome, Progress, SyncGoal};

/// How long the own feed is sought where nothing comes: whoever fetches waits for others', not for their own. It is enough for a
/// tracker far away that is asked only after the seeders (`swarm::limits::SEEDERS_FIRST`).
const OWN_FEED: Duration = Duration::from_secs(3);

impl Service {
    pub(super) async fn fetch(
        &self,
        wanted: &[String],
        goal: SyncGoal,
        timeout_ms: u64,
        replies: &Replies,
    ) -> Result<(), Failure> {
        let names = Names::load(self)?;
        let own = names.feeds().find(|(_, row)| row.roles.own).map(|(feed, _)| feed);
        let feeds = chosen(&names, wanted)?;
        // Who waits for friends, or writes from another machine, too, has something to fetch all the same.
        if feeds.is_empty() && own.is_none() {
            return Err(nobody_followed());
        }
        let own = own.filter(|_| wanted.is_empty());
        let patience = Duration::from_millis(timeout_ms);
        let bring_own = async { self.seek_own(own?).await };
        let (fetched, own) = tokio::join!(self.bring_feeds(feeds, &names, goal, patience, replies), bring_own);
        self.index().await?;
        self.settle().await?;
        let mut brought = own.is_some();
        if !self.daemon {
            let round = self.mail_round().await?;
            brought |= !round.news.is_empty();
            self.tell_news(&round.news, replies).await?;
        }
        if let Some(author) = self.letter_writer().await? {
            self.notice_grants(&author).await?;
        }
        // Only now: a first fetch brings the name that the owner gave.
        let names = Names::load(self)?;
        if let Some(own) = &own {
            replies.send(Reply::Fetched(told(&names, own))).await;
        }
        match fetched.map_err(|failure| names.in_words(failure))? {
            outcomes if outcomes.is_empty() && !brought => Err(nobody_followed()),
            outcomes => tell_fetched(&names, outcomes, replies).await,
        }
    }

    /// Brings what is new of these feeds, and shows how far it is.
    async fn bring_feeds(
        &self,
        feeds: Vec<FeedId>,
        names: &Names,
        goal: SyncGoal,
        patience: Duration,
        replies: &Replies,
    ) -> Result<Vec<FeedOutcome>, Failure> {
        let what = match feeds.as_slice() {
            [] => return Ok(Vec::new()),
            [one] => names.shown(*one),
            many => format!("{} feeds", many.len()),
        };
        let mut work = self.node().sync(feeds, goal, patience);
        replies.progress(Shown { what: what.clone(), ..Shown::default() });
        let mut last = None;
        while let Some(progress) = work.recv().await {
            match progress {
                Progress::Done(outcomes) => {
                    completed(last, replies).await;
                    return Ok(outcomes);
                }
                Progress::Failed(failure) => return Err(failure.into()),
                working @ Progress::Working { .. } => {
                    last = shown(&what, &working).or(last);
                    last.iter().cloned().for_each(|shown| replies.progress(shown));
                }
            }
        }
        Err(Failure::failed("the work was broken off"))
    }

    /// What others hold of the own feed: what other devices wrote, if it is new, and who holds it. A command seeks it once, and
    /// that nobody holds it is no failure; a daemon has it at any time.
    pub(super) async fn seek_own(&self, feed: FeedId) -> Option<FeedOutcome> {
        if self.daemon || self.own_sought.swap(true, Ordering::Relaxed) {
            return None;
        }
        let goal = SyncGoal { in_passing: true, ..SyncGoal::default() };
        let mut work = self.node().sync(vec![feed], goal, OWN_FEED);
        while let Some(progress) = work.recv().await {
            if let Progress::Done(outcomes) = progress {
                return outcomes.into_iter().find(|outcome| outcome.new_entries > 0);
            }
        }
        None
    }
}

async fn tell_fetched(names: &Names, outcomes: Vec<FeedOutcome>, replies: &Replies) -> Result<(), Failure> {
    let mut unreached = Vec::new();
    for outcome in outcomes {
        let fetched = told(names, &outcome);
        if outcome.peers == 0 {
            unreached.push((fetched.name.clone(), outcome.tried));
        }
        replies.send(Reply::Fetched(fetched)).await;
    }
    if unreached.is_empty() {
        return Ok(());
    }
    let mut message = String::from("nobody answered for ");
    message.push_str(&unreached.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "));
    for (_, tried) in &unreached {
        for attempt in tried {
            message.push_str("\n  ");
            message.push_str(&super::error::attempt_line(attempt));
        }
    }
    Err(Failure::no(message).hint("try again later, or ask one more tracker with `--tracker URL`"))
}

fn told(names: &Names, outcome: &FeedOutcome) -> Fetched {
    Fetched {
        feed: outcome.feed.to_string(),
        name: names.shown(outcome.feed),
        new_entries: outcome.new_entries,
        entries: outcome.entries_held,
        file_bytes: outcome.blob_bytes,
        complete: outcome.entries_held >= outcome.entries,
    }
}

fn nobody_followed() -> Failure {
    Failure::no("you follow nobody yet").hint("`peerfeed add LINK` follows a friend")
}

fn chosen(names: &Names, wanted: &[String]) -> Result<Vec<FeedId>, Failure> {
    if !wanted.is_empty() {
        let mut feeds = wanted.iter().map(|name| names.find(name)).collect::<Result<Vec<_>, _>>()?;
        feeds.sort_unstable();
        feeds.dedup();
        return Ok(feeds);
    }
    Ok(names.feeds().filter(|(_, row)| row.roles.follow).map(|(feed, _)| feed).collect())
}

/// The last state of work that is done: what a person sees ends with all of it.
pub(super) async fn completed(last: Option<Shown>, replies: &Replies) {
    if let Some(shown) = last.filter(|shown| shown.done < shown.total) {
        replies.send(Reply::Progress(Shown { done: shown.total, ..shown })).await;
    }
}

/// What a person sees of work under way.
pub(super) fn shown(what: &str, progress: &Progress) -> Option<Shown> {
    let Progress::Working { peers, entries_done, entries_total, blob_bytes_done, blob_bytes_total } = *progress else {
        return None;
    };
    let step = |stage, done, total| Shown { what: what.to_owned(), stage, done, total, peers };
    // Entries first: they tell which files there are.
    if entries_done < entries_total || (entries_total > 0 && blob_bytes_total == 0) {
        Some(step(Stage::Entries, entries_done, entries_total))
    } else if blob_bytes_total > 0 {
        Some(step(Stage::Files, blob_bytes_done, blob_bytes_total))
    } else {
        (peers == 0).then(|| step(Stage::Connecting, 0, 0))
    }
}
