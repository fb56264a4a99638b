//! Becoming friends: asking, being asked, saying yes or no.

use std::time::Duration;

use peerfeed_protocol::crypto::fingerprint;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::mailbox::Token;

use super::Service;
use super::names::Names;
use super::publishing::blocking;
use crate::api::{self, Failure, Replies, Reply};
use crate::author::{Asking, Author, News};
use crate::node::{Progress, SyncGoal};
use crate::store::{Contact, Reading};
use crate::ui::Safe;

/// How long somebody's feed is sought who is to be asked: without it there is nobody to seal a letter to.
const SEEK: Duration = Duration::from_secs(10);

/// What came of asking somebody while their feed was added.
pub(super) enum Asked {
    /// Nothing was to be asked.
    Not,
    /// The request stands as told.
    Told(Box<api::FriendRequest>),
    /// No mailbox lets it in.
    TurnedAway,
}

impl Service {
    /// Asks the owner of a feed that was just followed to be friends.
    pub(super) async fn ask(&self, feed: FeedId, invitation: Option<Token>) -> Result<Asked, Failure> {
        let Some(author) = self.letter_writer().await? else { return Ok(Asked::Not) };
        let before = self.store().read()?.contact(feed)?;
        let asking = author.clone();
        match blocking(move || asking.ask(feed, invitation)).await? {
            Asking::Already => return Ok(Asked::Not),
            Asking::Before => {
                let names = Names::load(self)?;
                return Err(Failure::no(format!("you asked {} already", Safe::line(&names.shown(feed))))
                    .hint("`peerfeed requests` shows what came of it"));
            }
            Asking::Due => {}
            Asking::Friends => self.node().notify_appended(author.feed()),
        }
        if self.write_letters(&author).await?.contains(&feed) {
            self.seek(feed).await?;
        }
        let round = self.mail_round().await?;
        self.mail_due.notify_one();
        if round.turned_away.contains(&feed) {
            let taking_back = author.clone();
            blocking(move || taking_back.take_back_asking(feed, before)).await?;
            return Ok(Asked::TurnedAway);
        }
        let contact = self.store().read()?.contact(feed)?.unwrap_or_default();
        Ok(Asked::Told(Box::new(self.told(feed, &contact)?)))
    }

    /// Looks for a feed until what is new of it is here, or for a moment.
    async fn seek(&self, feed: FeedId) -> Result<(), Failure> {
        let mut work = self.node().sync(vec![feed], SyncGoal::default(), SEEK);
        let sought = async {
            while let Some(progress) = work.recv().await {
                if !matches!(progress, Progress::Working { .. }) {
                    return;
                }
            }
        };
        // It is sought again by whoever fetches next.
        let _ = tokio::time::timeout(SEEK, sought).await;
        self.index().await
    }

    pub(super) async fn requests(&self, replies: &Replies) -> Result<(), Failure> {
        let author = self.author().await?;
        let round = self.mail_round().await?;
        self.notice_grants(&author).await?;
        let mut shown = Vec::new();
        let new = |feed: FeedId| round.news.contains(&News::Friends(feed));
        for (feed, contact) in blocking(move || author.contacts()).await? {
            if contact.waits() || new(feed) || (contact.ours && !contact.theirs) {
                shown.push((!contact.waits(), contact.since_s, self.told(feed, &contact)?));
            }
        }
        if shown.is_empty() {
            return Err(Failure::no("nobody waits for an answer, and you wait for none")
                .hint("`peerfeed invite` prints a link to give away, `peerfeed add LINK` asks somebody"));
        }
        shown.sort_by_key(|(ours, since_s, _)| (*ours, *since_s));
        for (.., request) in shown {
            replies.send(Reply::Request(request)).await;
        }
        Ok(())
    }

    pub(super) async fn refuse(&self, name: &str, replies: &Replies) -> Result<(), Failure> {
        let author = self.author().await?;
        self.mail_round().await?;
        let feed = self.who_asks(&author, name).await?.ok_or_else(|| nobody_asks(name))?;
        let refusing = author.clone();
        if !blocking(move || refusing.refuse_request(feed)).await? {
            return Err(nobody_asks(name));
        }
        self.mail_round().await?;
        self.mail_due.notify_one();
        let contact = self.store().read()?.contact(feed)?.unwrap_or_default();
        replies.send(Reply::Request(self.told(feed, &contact)?)).await;
        Ok(())
    }

    /// Who waits for an answer under this name, or with this feed id; none if nobody does.
    pub(super) async fn who_asks(&self, author: &Author, name: &str) -> Result<Option<FeedId>, Failure> {
        let asking = author.clone();
        let waiting = blocking(move || asking.contacts()).await?.into_iter().filter(|(_, contact)| contact.waits());
        let names = Names::load(self)?;
        let wanted = name.trim().to_lowercase();
        let is_meant = |feed: FeedId, contact: &Contact| {
            let own = names.name(feed).or(contact.name.as_deref());
            feed.to_string() == wanted || own.is_some_and(|own| own.to_lowercase() == wanted)
        };
        let mut found = waiting.filter(|(feed, contact)| is_meant(*feed, contact)).map(|(feed, _)| feed);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => {
                Err(Failure::failed(format!("more than one who asks is called {}", Safe::line(name)))
                    .hint("use the feed id: `peerfeed requests` shows it"))
            }
            (found, _) => Ok(found),
        }
    }

    fn told(&self, feed: FeedId, contact: &Contact) -> Result<api::FriendRequest, Failure> {
        let names = Names::load(self)?;
        let under_way = self.store().read()?.outbox()?.iter().any(|letter| letter.to == feed);
        let state = match contact {
            Contact { refused_by_us: true, .. } => "refused",
            contact if contact.waits() => "waits for you",
            Contact { theirs: true, .. } => "friends",
            Contact { turned_away: true, .. } => "turned away",
            Contact { refused_by_them: true, .. } => "refused by them",
            Contact { owed: true, .. } => "not sent yet",
            _ if under_way => "not sent yet",
            _ => "sent",
        };
        Ok(api::FriendRequest {
            feed: feed.to_string(),
            name: names.name(feed).map(str::to_owned).or_else(|| contact.name.clone()),
            fingerprint: fingerprint::words(&feed).join(" "),
            since: super::reading::time(contact.since_s.saturating_mul(1_000)),
            incoming: contact.waits() || contact.refused_by_us,
            state: state.to_owned(),
        })
    }
}

fn nobody_asks(name: &str) -> Failure {
    Failure::no(format!("nobody called {} waits for an answer", Safe::line(name)))
        .hint("`peerfeed requests` shows who does")
}
