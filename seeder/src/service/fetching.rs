//! Getting what is new: `fetch`.

use std::time::Duration;

use peerfeed_protocol::ids::FeedId;

use super::Service;
use super::names::Names;
use crate::api::{Failure, Fetched, Progress as Shown, Replies, Reply, Stage};
use crate::node::{FeedOutcome, Progress, SyncGoal};

impl Service {
    pub(super) async fn fetch(
        &self,
        wanted: &[String],
        goal: SyncGoal,
        timeout_ms: u64,
        replies: &Replies,
    ) -> Result<(), Failure> {
        let names = Names::load(self)?;
        let feeds = chosen(&names, wanted)?;
        let what = match feeds.as_slice() {
            [one] => names.shown(*one),
            many => format!("{} feeds", many.len()),
        };
        let mut work = self.node().sync(feeds, goal, Duration::from_millis(timeout_ms));
        replies.progress(Shown { what: what.clone(), ..Shown::default() });
        let mut last = None;
        while let Some(progress) = work.recv().await {
            match progress {
                Progress::Done(outcomes) => {
                    completed(last, replies).await;
                    return self.tell_fetched(outcomes, replies).await;
                }
                Progress::Failed(failure) => {
                    self.index().await?;
                    return Err(Names::load(self)?.in_words(failure.into()));
                }
                working @ Progress::Working { .. } => {
                    last = shown(&what, &working).or(last);
                    last.iter().cloned().for_each(|shown| replies.progress(shown));
                }
            }
        }
        Err(Failure::failed("the work was broken off"))
    }

    async fn tell_fetched(&self, outcomes: Vec<FeedOutcome>, replies: &Replies) -> Result<(), Failure> {
        self.index().await?;
        self.settle().await?;
        if !self.daemon {
            let round = self.mail_round().await?;
            self.tell_news(&round.news, replies).await?;
        }
        if let Some(author) = self.letter_writer().await? {
            self.notice_grants(&author).await?;
        }
        // Only now: a first fetch brings the name that the owner gave.
        let names = Names::load(self)?;
        let mut unreached = Vec::new();
        for outcome in outcomes {
            let fetched = Fetched {
                feed: outcome.feed.to_string(),
                name: names.shown(outcome.feed),
                new_entries: outcome.new_entries,
                entries: outcome.entries_held,
                file_bytes: outcome.blob_bytes,
                complete: outcome.entries_held >= outcome.entries,
            };
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
}

fn chosen(names: &Names, wanted: &[String]) -> Result<Vec<FeedId>, Failure> {
    if !wanted.is_empty() {
        let mut feeds = wanted.iter().map(|name| names.find(name)).collect::<Result<Vec<_>, _>>()?;
        feeds.sort_unstable();
        feeds.dedup();
        return Ok(feeds);
    }
    let feeds: Vec<_> = names.feeds().filter(|(_, row)| row.roles.follow).map(|(feed, _)| feed).collect();
    if feeds.is_empty() {
        return Err(Failure::no("you follow nobody yet").hint("`peerfeed add LINK` follows a friend"));
    }
    Ok(feeds)
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
