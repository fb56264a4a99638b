//! A crowd: many followers in one process. Each is a real connection of the protocol over a real socket, but has no store
//! and no engine behind it, so that thousands cost little.
//!
//! A measuring program starts itself once more as the crowd, so that what the followers take is not counted as what those
//! who serve them take.

mod follower;
mod tally;

use std::net::SocketAddr;
use std::os::unix::process::parent_id;
use std::process::Command;
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use peerfeed_protocol::ids::FeedId;

use self::follower::Follower;
use self::tally::Tally;
use crate::daemon::Daemon;

/// How often a crowd looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who the followers are.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many.
    pub followers: u32,
    /// What they follow.
    pub feed: FeedId,
    /// Where: each of these has the same number of them, as far as that goes.
    pub seeders: Vec<SocketAddr>,
    /// They say that they listen, as a daemon does whose router lets it.
    pub listening: bool,
}

impl Plan {
    fn to_text(&self) -> String {
        let seeders: Vec<String> = self.seeders.iter().map(ToString::to_string).collect();
        format!("{} {} {} {}", self.followers, self.feed, seeders.join(","), self.listening)
    }
}

impl FromStr for Plan {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let [followers, feed, seeders, listening] =
            text.split(' ').collect::<Vec<_>>().try_into().ok().context("a crowd has four words")?;
        let seeders = seeders.split(',').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { followers: followers.parse()?, feed: feed.parse()?, seeders, listening: listening.parse()? })
    }
}

/// A running crowd.
#[derive(Debug)]
pub struct Crowd {
    /// Its process.
    pub daemon: Daemon,
}

/// A post, as the crowd saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Entries of the log by then.
    pub size: u64,
    /// When each follower had it, verified; unix microseconds.
    pub at_us: Vec<u64>,
    /// Bytes that all followers together have received by then.
    pub received_bytes: u64,
}

impl Crowd {
    /// Starts the program that runs this once more, with `--as-crowd PLAN`, and waits until every follower is connected and
    /// has been told what its seeder has.
    pub fn start(plan: &Plan, patience: Duration) -> Result<Self> {
        let program = std::env::current_exe().context("cannot tell where this program is")?;
        let mut daemon = Daemon::start("the crowd", Command::new(program).arg("--as-crowd").arg(plan.to_text()))?;
        daemon
            .wait_for("to be connected", patience, |text| text.lines().any(|line| line == "connected").then_some(()))?;
        Ok(Self { daemon })
    }

    /// Waits until every follower has seen the post that makes the log so long.
    pub fn wait_for(&mut self, size: u64, patience: Duration) -> Result<Seen> {
        self.daemon.wait_for(&format!("a log of {size}"), patience, |text| {
            text.lines().filter_map(Seen::decode).find(|seen| seen.size == size)
        })
    }

    /// Connections that ended, and why.
    pub fn lost(&self) -> Vec<String> {
        let output = self.daemon.output();
        let text = String::from_utf8_lossy(&output);
        text.lines().filter_map(|line| line.strip_prefix("lost ")).map(str::to_owned).collect()
    }
}

impl Seen {
    fn encode(&self) -> String {
        let times: Vec<String> = self.at_us.iter().map(u64::to_string).collect();
        format!("seen {} {} {}", self.size, self.received_bytes, times.join(" "))
    }

    fn decode(line: &str) -> Option<Self> {
        let mut numbers = line.strip_prefix("seen ")?.split(' ').map(str::parse);
        let (size, received_bytes) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(Self { size, received_bytes, at_us: numbers.collect::<Result<_, _>>().ok()? })
    }
}

/// Is the crowd, until who started it is gone: what a program does that was started with `--as-crowd`.
pub fn be(plan: &Plan) -> Result<()> {
    // A connection is a file descriptor.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let tally = Rc::new(Tally::new(plan.followers));
        for number in 0..plan.followers {
            let follower = Follower::new(plan, number, Rc::clone(&tally));
            tokio::task::spawn_local(follower.live());
        }
        let parent = parent_id();
        while parent_id() == parent {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::MadeFeed;

    #[test]
    fn what_the_two_processes_tell_each_other_is_what_they_meant() {
        let feed = MadeFeed::new(1, Vec::new()).unwrap().feed();
        let seeders = vec!["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()];
        let plan = Plan { followers: 7, feed, seeders, listening: true };
        assert_eq!(format!("{:?}", plan.to_text().parse::<Plan>().unwrap()), format!("{plan:?}"));
        let seen = Seen { size: 3, at_us: vec![5, 6], received_bytes: 9 };
        assert_eq!(Seen::decode(&seen.encode()), Some(seen));
    }
}
