//! What follows for a million readers from what a simulated swarm did.

use std::fmt::Write as _;

use anyhow::Result;
use peerfeed::swarm::limits::{CONNECTIONS, PEERS_SOUGHT_COMPLETE};

use crate::results::{head, ratio};

/// Readers of the page.
const READERS: u64 = 1_000_000;

/// Posts of the feed in a day, and those of them with a file.
const POSTS: u64 = 20;
const FILES: u64 = 2;

/// Seeders that a manifest names at most. spec: FEED-4
const SEEDERS: u64 = 4;

/// Seconds between two announces, as our tracker asks for.
const ANNOUNCE_EVERY: u64 = 1_800;

/// Bytes of an announce over UDP with its share of a connect, and of an answer that names 50 peers, headers of IPv4 and
/// UDP included (BEP 15): 98 + 16 + 2 times 28, and 20 + 16 + 50 times 6 + 2 times 28.
const ANNOUNCE_BYTES: u64 = 170;
const ANSWER_BYTES: u64 = 392;

/// Memory of the tracker for one more IPv4 peer of a swarm, bytes: the bound that it promises.
const TRACKER_PEER_BYTES: u64 = 10;

/// Memory of a seeder for an idle connection, bytes, as `idle-connections` measures it.
const IDLE_BYTES: u64 = 12_000;

/// What a simulated swarm did.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Peers that came as a crowd.
    pub peers: u64,
    /// Size of the file that they came for.
    pub file_bytes: u64,
    /// How long it took until all had it.
    pub crowd_seconds: f64,
    /// Announces that the tracker answered.
    pub announces: u64,
    /// Sent by all for the file.
    pub file_bytes_sent: u64,
    /// Of that, by the author or the seeder that sent most.
    pub seeder_bytes: u64,
    /// Sent by all for the first post since they connected, per reader.
    pub first_post_bytes_per_reader: u64,
    /// The same for a later one, once each knows who brings it first.
    pub post_bytes_per_reader: u64,
    /// Of that, by the author.
    pub author_post_bytes: u64,
    /// Of that, by a seeder on each of its connections.
    pub seeder_post_bytes: f64,
    /// Sent by a peer while nothing happens.
    pub quiet_bytes_per_second: f64,
    /// Connections of a peer.
    pub connections: f64,
}

/// The page: what a tracker, a seeder and a reader pay per day, and which of them breaks first.
#[expect(clippy::cast_precision_loss, reason = "figures for a page")]
pub fn million(measured: &Measured) -> Result<String> {
    let Measured { peers, file_bytes, .. } = *measured;
    let day = 86_400.0;
    let mut page = head("A million readers");
    writeln!(
        page,
        "\nCarried on from a simulated swarm of {peers} peers and a file of {} KiB (`swarm-simulation`). One feed, all readers connected all day, {POSTS} posts a day, {FILES} of them with such a file, {SEEDERS} listed seeders, one tracker over UDP.\n",
        file_bytes >> 10
    )?;
    writeln!(page, "| who | pays per day | at once |\n|---|---|---|")?;
    let announces = READERS as f64 * day / ANNOUNCE_EVERY as f64;
    writeln!(
        page,
        "| the tracker | {:.0} million announces, {:.1} GB in, {:.1} GB out | {:.0} announces a second, {:.0} MiB of memory |",
        announces / 1e6,
        announces * ANNOUNCE_BYTES as f64 / 1e9,
        announces * ANSWER_BYTES as f64 / 1e9,
        announces / day,
        (READERS * TRACKER_PEER_BYTES) as f64 / 1_048_576.0,
    )?;
    let places = SEEDERS * CONNECTIONS as u64;
    // What a seeder sent for the file grew with the crowd only as far as the crowd met it before it met others.
    let copies = ratio(measured.seeder_bytes, file_bytes);
    // Nobody asks a seeder to push less.
    let pushed = measured.seeder_post_bytes * CONNECTIONS as f64;
    let kept = measured.quiet_bytes_per_second / measured.connections.max(1.0) * CONNECTIONS as f64;
    let seeder = (FILES * measured.seeder_bytes) as f64 + POSTS as f64 * pushed + kept * day;
    writeln!(
        page,
        "| a seeder | {:.2} GB out: {:.1} copies of each file, {POSTS} posts to {CONNECTIONS} who are connected, and what keeps these connections | {CONNECTIONS} connections, {:.0} MiB of memory |",
        seeder / 1e9,
        copies,
        (CONNECTIONS as u64 * IDLE_BYTES) as f64 / 1_048_576.0,
    )?;
    let file_each = ratio(measured.file_bytes_sent, peers);
    let reader = FILES as f64 * file_each
        + (measured.first_post_bytes_per_reader + (POSTS - 1) * measured.post_bytes_per_reader) as f64
        + measured.quiet_bytes_per_second * day
        + day / ANNOUNCE_EVERY as f64 * ANNOUNCE_BYTES as f64;
    writeln!(
        page,
        "| a reader | {:.2} MB out and as much in, {:.2} MB of it for keeping {:.0} connections | {:.0} connections |",
        reader / 1e6,
        measured.quiet_bytes_per_second * day / 1e6,
        measured.connections,
        measured.connections,
    )?;
    writeln!(page, "\n## What breaks first\n")?;
    writeln!(
        page,
        "- **Places at the seeders.** {SEEDERS} seeders of {CONNECTIONS} connections hold {places} readers, {:.1} of 100; the others are turned away and get posts from {PEERS_SOUGHT_COMPLETE} and more other readers, one delay per hop: log {READERS} to the base {PEERS_SOUGHT_COMPLETE} is {:.1} hops. With readers that dial out only and cannot be dialled, these places are the bound: {} seeders would be needed.",
        100.0 * places as f64 / READERS as f64,
        (READERS as f64).ln() / (PEERS_SOUGHT_COMPLETE as f64).ln(),
        READERS.div_ceil(CONNECTIONS as u64),
    )?;
    let rate = announces / day;
    writeln!(
        page,
        "- **The tracker** is next, and far from it: {rate:.0} announces a second. If all {READERS} come within the {:.0} seconds that the crowd took, it is {:.0} a second; it then asks for longer intervals.",
        measured.crowd_seconds,
        READERS as f64 * ratio(measured.announces, peers) / measured.crowd_seconds.max(1.0),
    )?;
    let with_seeders = measured.author_post_bytes;
    writeln!(
        page,
        "- **The author** sends {with_seeders} bytes for a post to those who are connected, whatever their followers; **a reader's** line carries the least of all."
    )?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_tells_what_each_pays() {
        let measured = Measured {
            peers: 1_000,
            file_bytes: 100_000,
            crowd_seconds: 50.0,
            announces: 2_000,
            file_bytes_sent: 150_000_000,
            seeder_bytes: 2_000_000,
            first_post_bytes_per_reader: 9_000,
            post_bytes_per_reader: 1_000,
            author_post_bytes: 20_000,
            seeder_post_bytes: 900.0,
            quiet_bytes_per_second: 10.0,
            connections: 20.0,
        };
        let page = million(&measured).unwrap();
        assert!(
            page.contains("| the tracker | 48 million announces, 8.2 GB in, 18.8 GB out | 556 announces a second"),
            "{page}"
        );
        assert!(page.contains("| a seeder | 0.74 GB out: 20.0 copies of each file"), "{page}");
        assert!(page.contains("| a reader | 1.20 MB out"), "{page}");
        assert!(page.contains("hold 48000 readers, 4.8 of 100"), "{page}");
        assert!(page.contains("it is 40000 a second"), "{page}");
    }
}
