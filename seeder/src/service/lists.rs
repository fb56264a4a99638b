//! Lists of friends, as audiences of one's own: `list`.

use peerfeed_protocol::ids::FeedId;

use super::Service;
use super::friends::told;
use super::names::Names;
use super::publishing::blocking;
use crate::api::{self, Failure, Replies, Reply};
use crate::author::{AuthorError, List};
use crate::ui::Safe;

impl Service {
    pub(super) async fn lists(&self, replies: &Replies) -> Result<(), Failure> {
        let author = self.author().await?;
        self.index().await?;
        let names = Names::load(self)?;
        let lists = blocking(move || author.lists()).await?;
        if lists.is_empty() {
            return Err(Failure::no("you have no lists yet").hint("`peerfeed list add family NAME` makes one"));
        }
        for list in &lists {
            replies.send(Reply::List(shown(&names, list, None))).await;
        }
        Ok(())
    }

    pub(super) async fn list_add(
        &self,
        list: &str,
        people: &[String],
        from_now: bool,
        replies: &Replies,
    ) -> Result<(), Failure> {
        let author = self.author().await?;
        let names = Names::load(self)?;
        let (list, feeds) = (list.to_owned(), found(&names, people)?);
        let writer = author.clone();
        let changed = blocking(move || Ok::<_, Failure>(writer.put_on_list(&list, &feeds, from_now))).await?;
        let changed = changed.map_err(|error| in_names(&names, error))?;
        self.node().notify_appended(author.feed());
        replies.send(Reply::List(shown(&names, &changed, Some("changed")))).await;
        Ok(())
    }

    pub(super) async fn list_remove(&self, list: &str, people: &[String], replies: &Replies) -> Result<(), Failure> {
        let author = self.author().await?;
        let names = Names::load(self)?;
        let (list, feeds) = (list.to_owned(), found(&names, people)?);
        let changed = blocking(move || Ok::<_, Failure>(author.take_off_list(&list, &feeds))).await?;
        let changed = changed.map_err(|error| in_names(&names, error))?;
        replies.send(Reply::List(shown(&names, &changed, Some("changed")))).await;
        Ok(())
    }

    pub(super) async fn list_delete(&self, list: &str, replies: &Replies) -> Result<(), Failure> {
        let author = self.author().await?;
        let names = Names::load(self)?;
        let list = list.to_owned();
        let deleted = blocking(move || author.forget_list(&list)).await?;
        replies.send(Reply::List(shown(&names, &deleted, Some("deleted")))).await;
        Ok(())
    }
}

fn found(names: &Names, people: &[String]) -> Result<Vec<FeedId>, Failure> {
    people.iter().map(|name| names.find(name)).collect()
}

fn shown(names: &Names, list: &List, change: Option<&str>) -> api::List {
    let mut members: Vec<_> = list.members.iter().map(|member| told(names, member, None)).collect();
    members.sort_by_key(|member| member.name.as_ref().unwrap_or(&member.feed).to_lowercase());
    api::List { list: list.name.clone(), members, change: change.map(str::to_owned) }
}

/// An error about a person, who is called by the name that is known here.
pub(super) fn in_names(names: &Names, error: AuthorError) -> Failure {
    let name = |feed: FeedId| Safe::line(&names.shown(feed)).to_string();
    match error {
        AuthorError::NoFriend(feed) => {
            let name = name(feed);
            Failure::no(format!("{name} is no friend of yours"))
                .hint(format!("`peerfeed accept {name}` makes them one"))
        }
        AuthorError::NotOnList(feed) => {
            Failure::no(format!("{} is not on this list", name(feed))).hint("`peerfeed list` shows who is")
        }
        AuthorError::ReadsMore(feed) => {
            Failure::no(format!("{} reads everything for this list already, and cannot unread it", name(feed)))
        }
        error => error.into(),
    }
}
