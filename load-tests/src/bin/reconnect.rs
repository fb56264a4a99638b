//! Somebody who follows many feeds comes back after a while: what it takes until all that is new is there.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use peerfeed_load_tests::delay;
use peerfeed_load_tests::following::{Case, Following};
use peerfeed_load_tests::results::{head, publish};

/// Measures a reconnect of who follows many feeds, at several delays.
#[derive(Debug, Parser)]
struct Arguments {
    /// Feeds that are followed.
    #[arg(long, default_value_t = 200)]
    feeds: usize,
    /// Seeders of them.
    #[arg(long, default_value_t = 2)]
    seeders: usize,
    /// On how many of the seeders each feed is.
    #[arg(long, default_value_t = 1)]
    copies: usize,
    /// Posts of each feed that the follower has.
    #[arg(long, default_value_t = 50)]
    old_posts: usize,
    /// Feeds with something new; all, unless it is said.
    #[arg(long)]
    changed: Option<usize>,
    /// New posts of each of these.
    #[arg(long, default_value_t = 10)]
    new_posts: usize,
    /// Round-trip times, milliseconds.
    #[arg(long, value_delimiter = ',', default_value = "0,20,100,300")]
    rtt_ms: Vec<u32>,
    /// Returns at each delay.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let case = Case {
        feeds: arguments.feeds,
        seeders: arguments.seeders,
        copies: arguments.copies,
        old_posts: arguments.old_posts,
        changed: arguments.changed.unwrap_or(arguments.feeds),
        new_posts: arguments.new_posts,
    };
    let folder = tempfile::tempdir()?;
    let following = Following::start(folder.path(), case)?;

    let mut page = head("Reconnect");
    writeln!(
        page,
        "\nSomebody follows {} feeds on {} seeders, each feed on {} of them, and has {} posts of each; in {} of the feeds {} posts each are new. Over delaying proxies; {} rounds each, medians.\n",
        case.feeds, case.seeders, case.copies, case.old_posts, case.changed, case.new_posts, arguments.rounds
    )?;
    page.push_str(&delay::table(&arguments.rtt_ms, arguments.rounds, |round_trip, name| {
        following.come_back(&folder.path().join(name), round_trip)
    })?);
    writeln!(
        page,
        "\nPeers are told of each other two seconds after they came. Where a return takes longer, the seeders learn of each other by the addresses of these proxies, dial each other through them, and are counted as well."
    )?;
    publish(&page, arguments.out.as_deref())?;
    following.stop()
}
