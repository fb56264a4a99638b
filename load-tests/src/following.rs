//! Somebody who follows many feeds on few seeders, and comes back after a while.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use peerfeed::reader::index_pending_blocking;
use peerfeed::store::{Options, Reading as _, Roles, SeederHint, Store};

use crate::daemon::Daemon;
use crate::delay::{DelayedLink, Passage};
use crate::made::{self, MadeFeed, Noted, Posts};
use crate::person::Person;

/// Who follows what.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Feeds that are followed.
    pub feeds: usize,
    /// Seeders.
    pub seeders: usize,
    /// On how many of the seeders each feed is.
    pub copies: usize,
    /// Posts of each feed that the follower has.
    pub old_posts: usize,
    /// Feeds in which something was posted meanwhile.
    pub changed: usize,
    /// Posts in each of these.
    pub new_posts: usize,
}

/// The seeders, at work, and what a follower has who was there before the new posts.
pub struct Following {
    case: Case,
    seeders: Vec<(Daemon, SocketAddr)>,
    feeds: Vec<MadeFeed>,
    old: Vec<Posts>,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Following {
    /// Makes the feeds and starts the seeders, whose data folders are below this one.
    pub fn start(folder: &Path, case: Case) -> Result<Self> {
        ensure!(case.copies <= case.seeders && case.changed <= case.feeds, "{case:?} cannot be");
        let numbers = 0..u64::try_from(case.feeds)?;
        let mut feeds = numbers.map(|number| MadeFeed::new(number, Vec::new())).collect::<Result<Vec<_>>>()?;
        let old = feeds.iter_mut().map(|feed| feed.post(case.old_posts)).collect::<Result<Vec<_>>>()?;
        let changed = feeds.iter_mut().take(case.changed);
        let new = changed.map(|feed| feed.post(case.new_posts)).collect::<Result<Vec<_>>>()?;
        let seed = Roles { seed: true, ..Roles::default() };
        let start = |seeder: usize| {
            let data = folder.join(format!("seeder-{seeder}"));
            let here = |at: &usize| case.holders(*at).any(|holder| holder == seeder);
            let noted: Vec<Noted> = (0..case.feeds).filter(here).map(|at| feeds[at].note(seed, Vec::new())).collect();
            let mut posted: Vec<Posts> = (0..case.feeds).filter(here).map(|at| old[at].clone()).collect();
            posted.extend((0..case.changed).filter(here).map(|at| new[at].clone()));
            made::put(&data, &noted, &posted)?;
            let seeder = Person::new(&data, &[]);
            let daemon = seeder.start("a seeder", "127.0.0.1:0")?;
            let address = seeder.listens()?.first().context("the seeder listens on nothing")?.parse()?;
            Ok((daemon, address))
        };
        let seeders = (0..case.seeders).map(start).collect::<Result<Vec<_>>>()?;
        Ok(Self { case, seeders, feeds, old })
    }

    /// Makes a follower's data folder, with all but the new posts, who finds the seeders at these addresses.
    pub fn follower(&self, data: &Path, links: &[DelayedLink]) -> Result<Person> {
        let follow = Roles { follow: true, ..Roles::default() };
        let noted: Vec<Noted> = (0..self.case.feeds)
            .map(|at| {
                let hint = |holder: usize| SeederHint { address: links[holder].address.to_string(), witness: None };
                self.feeds[at].note(follow, self.case.holders(at).map(hint).collect())
            })
            .collect();
        made::put(data, &noted, &self.old)?;
        // Who was there before has read what there was.
        let store = Store::open(data, &Options::default())?;
        index_pending_blocking(&store)?;
        store.close();
        Ok(Person::new(data, &[]))
    }

    /// A link to each seeder, with this round-trip time.
    pub fn links(&self, round_trip: Duration) -> Result<Vec<DelayedLink>> {
        self.seeders.iter().map(|(_, address)| DelayedLink::start(*address, round_trip / 2)).collect()
    }

    /// A follower comes back and fetches what is new; it must be all of it.
    pub fn come_back(&self, data: &Path, round_trip: Duration) -> Result<Passage> {
        let links = self.links(round_trip)?;
        let follower = self.follower(data, &links)?;
        let started = Instant::now();
        follower.ok(&["fetch"])?;
        let seconds = started.elapsed().as_secs_f64();
        let entries = entries(data)?;
        ensure!(entries == self.case.entries(), "{entries} of {} entries are here", self.case.entries());
        let sum = |of: fn(&DelayedLink) -> u64| links.iter().map(of).sum();
        Ok(Passage {
            seconds,
            flights: links.iter().map(DelayedLink::flights).max().unwrap_or_default(),
            up_bytes: sum(|link| link.bytes().0),
            down_bytes: sum(|link| link.bytes().1),
        })
    }

    /// Ends the seeders.
    pub fn stop(self) -> Result<()> {
        self.seeders.into_iter().try_for_each(|(seeder, _)| seeder.stop(PATIENCE).map(drop))
    }
}

impl Case {
    /// The seeders that hold a feed.
    fn holders(&self, feed: usize) -> impl Iterator<Item = usize> {
        let seeders = self.seeders;
        (0..self.copies).map(move |copy| (feed + copy) % seeders)
    }

    /// Entries of all feeds, the new ones among them.
    pub fn entries(&self) -> usize {
        self.feeds * self.old_posts + self.changed * self.new_posts
    }
}

/// Entries in a data folder that no program has open.
fn entries(data: &Path) -> Result<usize> {
    let store = Store::open(data, &Options::default())?;
    let view = store.read()?;
    let mut entries = 0;
    for (feed, _) in view.feeds()? {
        for log in view.logs(feed)? {
            entries += view.held(&log)?.iter().map(|range| range.end - range.start).sum::<u64>();
        }
    }
    Ok(usize::try_from(entries)?)
}
