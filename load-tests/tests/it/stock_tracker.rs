//! Peerfeed needs no tracker of its own: Debian's opentracker does as well.

use anyhow::{Context, Result};
use peerfeed_load_tests::person::text;
use peerfeed_load_tests::stock::{self, Opentracker};
use peerfeed_protocol::ids::FeedId;

use crate::story::{Scene, stop};

#[test]
fn a_feed_travels_through_opentracker_over_http() -> Result<()> {
    through_opentracker(|tracker| tracker.http_url.clone())
}

#[test]
fn a_feed_travels_through_opentracker_over_udp() -> Result<()> {
    through_opentracker(|tracker| tracker.udp_url.clone())
}

fn through_opentracker(url: impl Fn(&Opentracker) -> String) -> Result<()> {
    let Some(program) = stock::find("opentracker", "opentracker")? else { return Ok(()) };
    let scene = Scene::new(&[], 300_000)?;
    let feed: FeedId =
        text(&scene.author.event("identity", &["id"])?, "feed")?.parse().context("id shows a feed id")?;
    let swarm = feed.swarm_key().swarm_id().to_string();
    let root = tempfile::tempdir()?;
    let tracker = Opentracker::start(&program, root.path(), &[swarm])?;
    let url = url(&tracker);

    scene.author.ok(&["trackers", "add", &url])?;
    let link = scene.author.link_with_key()?;
    let seeder = scene.hand_over(&link, "127.0.0.1")?;
    let reader = scene.newcomer("reader");
    scene.reads_everything(&reader, &link)?;
    stop(seeder, "the seeder")?;
    Ok(())
}
