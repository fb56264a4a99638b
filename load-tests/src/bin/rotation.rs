//! What a new epoch costs: the first post after a friend was removed, for many friends with several devices each.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use peerfeed::author::{self, Draft};
use peerfeed::store::{AudienceName, Member, MemberDevice, Options, Reading, Reads, Store};
use peerfeed_load_tests::results::{head, median, publish};
use peerfeed_protocol::crypto::{BoxKey, DeviceKey, IdentityKey};

/// Measures a new epoch.
#[derive(Debug, Parser)]
struct Arguments {
    /// Friends who stay.
    #[arg(long, default_value_t = 1_000)]
    friends: u32,
    /// Devices of each.
    #[arg(long, default_value_t = 2)]
    devices: u32,
    /// Removals, one post after each.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Write the page of results here too.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path(), &Options::default())?;
    let author = author::init(&store, None, &[])?.author;
    let (friends, devices) = (arguments.friends, arguments.devices);
    store.write_blocking(move |txn| {
        for number in 0..friends {
            let member = member(number, devices);
            txn.put_member(feed(number), &AudienceName::friends(), &member)?;
        }
        Ok(())
    })?;
    let post = || author.post(&Draft { text: "A short post.".to_owned(), ..Draft::default() }, &mut |_| {});
    let bytes = || -> Result<u64> { Ok(store.read()?.usage(author.feed())?.bytes()) };

    let (mut with_epoch, mut without, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..arguments.rounds {
        let leaves = feed(friends + round);
        let member = member(friends + round, devices);
        store.write_blocking(move |txn| Ok(txn.put_member(leaves, &AudienceName::friends(), &member)?))?;
        author.remove(leaves)?;
        let before = bytes()?;
        with_epoch.push(timed(|| post().map(drop))?);
        let between = bytes()?;
        without.push(timed(|| post().map(drop))?);
        // What the post itself takes is in both.
        sizes.push(between - before - (bytes()? - between));
    }

    let mut page = head("A new epoch after a removal");
    writeln!(page, "\n{friends} friends with {devices} devices each; {} removals.\n", arguments.rounds)?;
    writeln!(page, "| | median |\n|---|---|")?;
    writeln!(page, "| the first post after a removal, committed and synced | {:.0} ms |", median(&with_epoch))?;
    writeln!(page, "| the next post | {:.1} ms |", median(&without))?;
    writeln!(
        page,
        "| bytes of entries that the new epoch adds | {} |",
        sizes.iter().max().copied().unwrap_or_default()
    )?;
    publish(&page, arguments.out.as_deref())?;
    Ok(())
}

/// Milliseconds that it takes.
fn timed<E>(act: impl FnOnce() -> Result<(), E>) -> Result<f64, E> {
    let started = Instant::now();
    act()?;
    Ok(started.elapsed().as_secs_f64() * 1_000.0)
}

fn feed(number: u32) -> peerfeed_protocol::ids::FeedId {
    IdentityKey::from_seed(&seed(1, number)).feed_id()
}

fn member(number: u32, devices: u32) -> Member {
    let device = |device| {
        let number = number * devices + device;
        let box_key = BoxKey::from_bytes(seed(3, number)).public();
        MemberDevice { id: DeviceKey::from_seed(&seed(2, number)).id(), box_key }
    };
    Member { since_s: 1, reads: Reads::Everything, devices: (0..devices).map(device).collect() }
}

fn seed(purpose: u8, number: u32) -> [u8; 32] {
    let mut seed = [purpose; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    seed
}
