//! Somebody who follows many feeds comes back after a while: what it takes until all that is new is there.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use peerfeed_load_tests::following::{Case, Following, Return};
use peerfeed_load_tests::results::{head, median};

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

#[allow(clippy::cast_precision_loss, reason = "bytes are shown in a table")]
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
    writeln!(
        page,
        "| round-trip time | seconds of `fetch` | beyond no delay, in round trips | flights | bytes up | bytes down | bytes down for each new post |"
    )?;
    writeln!(page, "|---|---|---|---|---|---|---|")?;
    let mut without_delay = None;
    for &rtt_ms in &arguments.rtt_ms {
        let returns = (0..arguments.rounds)
            .map(|round| {
                let data = folder.path().join(format!("follower-{rtt_ms}-{round}"));
                following.come_back(&data, Duration::from_millis(rtt_ms.into()))
            })
            .collect::<Result<Vec<_>>>()?;
        let of = |what: fn(&Return) -> f64| median(&returns.iter().map(what).collect::<Vec<_>>());
        let seconds = of(|back| back.seconds);
        let base = *without_delay.get_or_insert(seconds);
        let round_trips = if rtt_ms == 0 { 0.0 } else { (seconds - base) * 1000.0 / f64::from(rtt_ms) };
        let down = of(|back| back.down_bytes as f64);
        writeln!(
            page,
            "| {rtt_ms} ms | {seconds:.3} | {round_trips:.2} | {} | {} | {down} | {:.0} |",
            of(|back| back.flights as f64),
            of(|back| back.up_bytes as f64),
            down / (case.changed * case.new_posts).max(1) as f64,
        )?;
    }
    writeln!(page, "\nThe proxies charge the round trip of the TCP handshake to a connection's first bytes.")?;
    print!("{page}");
    if let Some(out) = &arguments.out {
        fs::write(out, page).with_context(|| format!("cannot write {}", out.display()))?;
    }
    following.stop()
}
