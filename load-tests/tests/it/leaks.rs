//! What a seeder's disk, a tracker's output and the wire must never hold.

use std::fs;

use anyhow::{Context, Result, ensure};
use peerfeed_load_tests::capture::Capture;
use peerfeed_load_tests::leak::{Secret, search, search_folder};
use peerfeed_load_tests::person::{Person, text};
use peerfeed_load_tests::stock;
use peerfeed_load_tests::tracker::Tracker;
use peerfeed_protocol::bencode;
use peerfeed_protocol::feed::Link;
use peerfeed_protocol::ids::FeedId;

use crate::story::{self, Scene, stop};

/// How the friend is called, and what she seals her keys under.
const FRIEND: &str = "Ottilie Featherstonehaugh";
const PASSPHRASE: &str = "seven gulls on a weathervane";

/// Small enough that all traffic can be searched in every form.
const FILE_BYTES: usize = 300_000;

#[test]
fn neither_seeder_nor_http_tracker_nor_wire_holds_anything_of_a_friends_post() -> Result<()> {
    nothing_leaks("http")
}

#[test]
fn neither_seeder_nor_udp_tracker_nor_wire_holds_anything_of_a_friends_post() -> Result<()> {
    nothing_leaks("udp")
}

fn nothing_leaks(scheme: &str) -> Result<()> {
    let Some(tshark) = stock::find("tshark", "tshark")? else { return Ok(()) };
    let tracker = Tracker::start("127.0.0.1")?;
    let captures = tempfile::tempdir()?;
    let capture = Capture::start(&tshark, &captures.path().join("loopback.pcapng"))?;

    let scene = Scene::new(&[tracker.url(scheme)?], FILE_BYTES)?;
    let link = scene.author.link_with_key()?;
    let seeder = scene.hand_over(&link, "127.0.0.1")?;
    let reader = scene.newcomer("reader");
    scene.reads_everything(&reader, &link)?;
    let of_friends = becomes_friends(&scene)?;
    let seeder_output = stop(seeder, "the seeder")?;
    let tracker_output = stop(tracker.daemon, "the tracker")?;
    let wire = capture.stop()?;

    let mut secrets = words();
    secrets.extend(keys(&scene, &link)?);
    secrets.extend(of_friends);
    let feed: FeedId =
        text(&scene.author.event("identity", &["id"])?, "feed")?.parse().context("id shows a feed id")?;
    let feed_id = Secret::new("the feed id", feed.as_bytes());

    // The search finds what is there: a feed id on the seeder's disk, a text on the author's screen.
    let held = search_folder(std::slice::from_ref(&feed_id), scene.seeder.data())?;
    ensure!(!held.is_empty(), "the seeder holds a feed whose id is not on its disk: the search is blind");
    let shown = scene.author.ok(&["read"])?;
    ensure!(!search(&secrets, "the author's screen", shown.as_bytes()).is_empty(), "the search is blind");
    let swarm = feed.swarm_key().swarm_id();
    let announced = Secret::new("the swarm id", swarm.as_bytes());
    ensure!(announced.find_in(&wire).is_some(), "no announce was captured");

    let mut findings = search_folder(&secrets, scene.seeder.data())?;
    findings.extend(search(&secrets, "the seeder's output", &seeder_output));
    secrets.push(feed_id);
    findings.extend(search(&secrets, "the tracker's output", &tracker_output));
    findings.extend(search(&secrets, "loopback traffic", &wire));
    ensure!(findings.is_empty(), "found what must not be there:\n{}", findings.join("\n"));
    Ok(())
}

/// Somebody answers an invitation by letter, with a passphrase of her own; what of it must not be found.
fn becomes_friends(scene: &Scene) -> Result<Vec<Secret>> {
    let friend = scene.newcomer("friend");
    let created = friend.event("created", &["init", "--name", FRIEND])?;
    let mut secrets = vec![
        Secret::new("the friend's name", FRIEND.as_bytes()),
        Secret::new("the friend's 24 words", text(&created, "recovery_phrase")?.as_bytes()),
        Secret::new("the friend's passphrase", PASSPHRASE.as_bytes()),
    ];
    secrets.extend(key_files(&friend)?);
    let passphrase = scene.folder.path().join("passphrase");
    fs::write(&passphrase, PASSPHRASE)?;
    let passphrase = story::path_text(&passphrase);
    friend.ok(&["passwd", "--new-passphrase-file", &passphrase])?;
    let code = text(&scene.seeder.event("status", &["status"])?, "seeder_code")?;
    scene.author.ok(&["seeders", "add", &code])?;
    let invitation = text(&scene.author.event("link", &["invite"])?, "link")?;
    let token = invitation.parse::<Link>()?.invitation.context("the link invites nobody")?;
    secrets.push(Secret::new("the invitation", token.as_bytes()));
    friend.ok(&["add", &invitation, "--passphrase-file", &passphrase])?;
    let answered = scene.author.ok(&["requests"])?;
    ensure!(answered.contains(FRIEND), "the friend's letter did not come: {answered}");
    scene.author.ok(&["post", "to be granted", "--wait", "120s"])?;
    friend.ok(&["fetch", "--passphrase-file", &passphrase])?;
    let read = friend.ok(&["read", "--passphrase-file", &passphrase])?;
    ensure!(read.contains(story::FIRST_TEXT), "the friend reads nothing: {read}");
    Ok(secrets)
}

/// What the author wrote.
fn words() -> Vec<Secret> {
    let written = [
        ("the first text", story::FIRST_TEXT),
        ("the second text", story::SECOND_TEXT),
        ("the channel", story::CHANNEL),
        ("the file's name", story::FILE_NAME),
        ("the file's content", story::FILE_MARKER),
        ("the author's name", story::NAME),
        ("the reader's name for the author", story::PETNAME),
    ];
    written.iter().map(|(name, words)| Secret::new(name, words.as_bytes())).collect()
}

/// Every secret of the author: each key in the key files, and the friends key in the link.
fn keys(scene: &Scene, link: &str) -> Result<Vec<Secret>> {
    let mut secrets = vec![Secret::new("the link", link.trim_start_matches("peerfeed:").as_bytes())];
    secrets.extend(key_files(&scene.author)?);
    let (_, friends_key) = link.parse::<Link>()?.key.context("the link carries no key")?;
    secrets.push(Secret::new("the friends key", friends_key.expose()));
    Ok(secrets)
}

/// The keys in the files of a person whose keys lie open.
fn key_files(person: &Person) -> Result<Vec<Secret>> {
    let mut secrets = Vec::new();
    for file in ["identity.key", "device.key", "node.key"] {
        let bytes = fs::read(person.data().join(file)).with_context(|| format!("no {file}"))?;
        let before = secrets.len();
        secrets.extend(keys_in(&bytes).iter().map(|key| Secret::new(file, key)));
        ensure!(secrets.len() > before, "{file} holds no key");
    }
    Ok(secrets)
}

/// The keys in a key file: the 32-byte values of its dictionary, or all of it in pieces of 32 bytes.
fn keys_in(bytes: &[u8]) -> Vec<Vec<u8>> {
    let record = bencode::decode(bytes, bytes.len());
    match record.as_ref().ok().and_then(bencode::Value::as_dict) {
        Some(fields) => {
            let values = fields.iter().filter_map(|(_, value)| value.as_bytes());
            values.filter(|value| value.len() == 32).map(<[u8]>::to_vec).collect()
        }
        None => bytes.chunks_exact(32).map(<[u8]>::to_vec).collect(),
    }
}
