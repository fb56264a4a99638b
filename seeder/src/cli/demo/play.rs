//! The story that the demo tells.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::child::Party;
use super::search::{Secret, absent_from_folder, absent_from_text};
use super::stage::{Stage, event};
use crate::api::Failure;
use crate::ui::{Paint, size};

const FIRST: &str = "The roses opened this morning, three weeks early.";
const SECOND: &str = "Supper on Saturday at ours, bring nothing but time.";
const PICTURE_TEXT: &str = "This is what the evening looked like.";
const FILM_TEXT: &str = "The whole film of the summer, uncut.";
const LIVE: &str = "The tracker is dead and you still read this.";
const PICTURE_NAME: &str = "evening-at-the-lake.png";
const FILM_NAME: &str = "summer-uncut.mkv";
const FILM_BYTES: usize = 20 << 20;

/// How long the seeder may take to hold everything.
const STORE_PATIENCE: Duration = Duration::from_secs(25);
/// How long peers may take to find each other.
const MEET_PATIENCE: Duration = Duration::from_secs(20);
/// How long a live post may take.
const LIVE_PATIENCE: Duration = Duration::from_secs(10);

/// Plays it; the first step that does not work ends it, and its error names the step.
pub(super) async fn play(stage: &Stage) -> Result<(), Failure> {
    let (ann, bob, cleo, seeder) = (stage.party("ann"), stage.party("bob"), stage.party("cleo"), stage.party("seeder"));
    let film = make_files(stage)?;

    let step = "A tracker starts";
    stage.step(step);
    let args = ["demo-tracker", "--", "--http", "127.0.0.1:0", "--udp", "127.0.0.1:0"].map(str::to_owned);
    let mut tracker = stage.start("tracker", &args).map_err(at(step))?;
    let url = tracker.line(Duration::from_secs(10), |line| token(line, "http://")).await.map_err(at(step))?;
    stage.tell(&url);

    let step = "Ann makes an identity and posts two texts, a picture and a film of 20 MiB, for friends only";
    stage.step(step);
    let created = stage.command(&ann, &["--tracker", &url, "init", "--name", "Ann Andersson"]).await.map_err(at(step))?;
    let feed = text_of(&created, "created", "feed").map_err(at(step))?;
    let phrase = text_of(&created, "created", "recovery_phrase").map_err(at(step))?;
    stage.show(&ann, &["post", FIRST]).await.map_err(at(step))?;
    stage.show(&ann, &["post", SECOND, "--channel", "supper"]).await.map_err(at(step))?;
    let picture_path = stage.path(PICTURE_NAME).display().to_string();
    let film_path = stage.path(FILM_NAME).display().to_string();
    let post = ["post", PICTURE_TEXT, "--attach", &picture_path];
    let picture = text_of(&stage.command(&ann, &post).await.map_err(at(step))?, "posted", "id").map_err(at(step))?;
    let post = ["post", FILM_TEXT, "--attach", &film_path];
    let film_entry = text_of(&stage.command(&ann, &post).await.map_err(at(step))?, "posted", "id").map_err(at(step))?;
    stage.tell(&format!("posted {picture} with {PICTURE_NAME}, {film_entry} with {FILM_NAME}"));

    let step = "A seeder holds Ann's feed from a link without a key, and Ann lists it";
    stage.step(step);
    let invited = stage.command(&ann, &["invite"]).await.map_err(at(step))?;
    let blind_link = text_of(&invited, "link", "link").map_err(at(step))?;
    stage.command(&seeder, &["seed", &blind_link, "--quota", "1GiB"]).await.map_err(at(step))?;
    let (seeding, listening) = stage.daemon(&seeder, "127.0.0.1:0").await.map_err(at(step))?;
    let code = listening["seeder_code"].as_str().unwrap_or_default().to_owned();
    stage.show(&ann, &["seeders", "add", &code]).await.map_err(at(step))?;

    let step = "Ann is online for a moment, listening on nothing; the seeder takes everything; Ann goes offline";
    stage.step(step);
    let (author, _) = stage.daemon(&ann, "none").await.map_err(at(step))?;
    let held = until_status(stage, &ann, STORE_PATIENCE, |status| {
        let feed = &status["feeds"][0];
        feed["seeders"].as_array()?.iter().find(|seeder| seeder["holds_all"] == true).cloned()
    });
    let held = held.await.map_err(at(step))?;
    author.stop().await.map_err(at(step))?;
    stage.tell(&format!("the seeder says it has synced all {} entries and their files", held["entries"]));

    let step = "Bob follows Ann from a link with the key and fetches everything from the seeder";
    stage.step(step);
    let invited = stage.command(&ann, &["invite", "--with-key"]).await.map_err(at(step))?;
    let link = text_of(&invited, "link", "link").map_err(at(step))?;
    stage.command(&bob, &["init", "--name", "Bob"]).await.map_err(at(step))?;
    stage.command(&bob, &["add", &link, "--name", "Ann"]).await.map_err(at(step))?;
    stage.show(&bob, &["fetch", "Ann"]).await.map_err(at(step))?;
    stage.show(&bob, &["read"]).await.map_err(at(step))?;
    let read = stage.command(&bob, &["read"]).await.map_err(at(step))?;
    for text in [FIRST, SECOND, PICTURE_TEXT, FILM_TEXT] {
        if !read.iter().any(|entry| entry["text"] == text) {
            return Err(at(step)(Failure::failed(format!("Bob's timeline lacks \"{text}\""))));
        }
    }
    let out = stage.path("bob-files").display().to_string();
    stage.show(&bob, &["get", &film_entry, "--out", &out]).await.map_err(at(step))?;
    stage.command(&bob, &["get", &picture, "--out", &out]).await.map_err(at(step))?;
    same_file(stage, &Path::new(&out).join(FILM_NAME), &film).map_err(at(step))?;
    stage.tell("the film's SHA-256 is that of Ann's file");

    let step = "The seeder goes away too. Only Bob is left; Cleo gets everything from Bob";
    stage.step(step);
    let seeder_output = seeding.stop().await.map_err(at(step))?;
    let (reader, _) = stage.daemon(&bob, "127.0.0.1:0").await.map_err(at(step))?;
    stage.command(&cleo, &["init", "--name", "Cleo"]).await.map_err(at(step))?;
    stage.command(&cleo, &["add", &link, "--name", "Ann"]).await.map_err(at(step))?;
    stage.show(&cleo, &["fetch", "Ann", "--files"]).await.map_err(at(step))?;
    let out = stage.path("cleo-files").display().to_string();
    stage.command(&cleo, &["get", &film_entry, "--out", &out]).await.map_err(at(step))?;
    same_file(stage, &Path::new(&out).join(FILM_NAME), &film).map_err(at(step))?;
    stage.tell("the film's SHA-256 is that of Ann's file");

    let step = "Ann comes back and meets Bob; then the tracker is killed, and a live post still arrives";
    stage.step(step);
    let (author, _) = stage.daemon(&ann, "127.0.0.1:0").await.map_err(at(step))?;
    let met = until_status(stage, &ann, MEET_PATIENCE, |status| (status["feeds"][0]["peers"].as_u64()? > 0).then_some(()));
    met.await.map_err(at(step))?;
    let mut following = stage
        .start("follower", &bob.args(&["--json", "read", "Ann", "--follow", "--limit", "1"]))
        .map_err(at(step))?;
    following.line(Duration::from_secs(10), |line| event(line, "entry")).await.map_err(at(step))?;
    let tracker_output = tracker.kill().await.map_err(at(step))?;
    let posted = Instant::now();
    stage.command(&ann, &["post", LIVE]).await.map_err(at(step))?;
    following.line(LIVE_PATIENCE, |line| event(line, "entry").filter(|entry| entry["text"] == LIVE)).await.map_err(at(step))?;
    stage.tell(&format!("Bob reads \"{LIVE}\" {} ms after Ann began to post it", posted.elapsed().as_millis()));
    following.kill().await.map_err(at(step))?;
    reader.stop().await.map_err(at(step))?;
    author.stop().await.map_err(at(step))?;

    let step = "What each party could see";
    stage.step(step);
    let story = Story { feed, phrase, link };
    what_was_seen(stage, &story, &[&ann, &bob], &seeder, &seeder_output, &tracker_output).map_err(at(step))?;
    let seconds = format!("{:.1}", stage.elapsed().as_secs_f32());
    if stage.terminal().json() {
        stage.terminal().object(&serde_json::json!({ "event": "demo", "ok": true, "seconds": seconds }));
    } else {
        let done = stage.terminal().paint(Paint::Good, "Everything worked");
        stage.terminal().line(format_args!("\n{done}: {seconds} s, every process ended, nothing left behind."));
        stage.terminal().line("Next: `peerfeed init --name YOU`, or `peerfeed --help`.");
    }
    Ok(())
}

struct Story {
    feed: String,
    phrase: String,
    link: String,
}

fn what_was_seen(
    stage: &Stage,
    story: &Story,
    people: &[&Party],
    seeder: &Party,
    seeder_output: &str,
    tracker_output: &str,
) -> Result<(), Failure> {
    let mut secrets = vec![
        Secret::new("the recovery phrase", story.phrase.as_bytes()),
        Secret::new("Ann's name", b"Ann Andersson"),
        Secret::new("the link with the key", story.link.as_bytes()),
    ];
    for text in [FIRST, SECOND, PICTURE_TEXT, FILM_TEXT, PICTURE_NAME, FILM_NAME] {
        secrets.push(Secret::new(format!("\"{text}\""), text.as_bytes()));
    }
    // A piece from the middle of each file: the seeder holds their ciphertext.
    for name in [PICTURE_NAME, FILM_NAME] {
        let bytes = read_file(&stage.path(name))?;
        secrets.push(Secret::new(format!("a piece of {name}"), &bytes[bytes.len() / 2..][..48]));
    }
    for person in people {
        for name in ["identity.key", "device.key", "node.key"] {
            let file = read_file(&person.data.join(name))?;
            let keys: Vec<_> = if name == "node.key" { file.chunks(32).collect() } else { keys_in(&file).collect() };
            if keys.is_empty() {
                return Err(Failure::failed(format!("{name} of {} holds no key to search for", person.name)));
            }
            secrets.extend(keys.into_iter().map(|key| Secret::new(format!("{name} of {}", person.name), key)));
        }
    }
    let searched = absent_from_folder("the seeder's folder", &seeder.data, &secrets)?;
    absent_from_text("the seeder's output", seeder_output, &secrets)?;
    secrets.push(Secret::new("the feed id", story.feed.as_bytes()));
    absent_from_text("the tracker's output", tracker_output, &secrets)?;
    let swarm = swarm_id(&story.feed)?;
    stage.tell(&format!("tracker  a 20-byte hash, {swarm}, and the addresses that asked for it; no feed id, no name"));
    stage.tell(&format!(
        "seeder   the feed id, sizes, times and {} of ciphertext; no text, name, file name or key was found in it",
        size(searched)
    ));
    stage.tell("ann      everything: it is her feed");
    stage.tell("bob      everything, with the key from Ann's link; he served it to Cleo as ciphertext");
    stage.tell("cleo     the same, from Bob alone");
    Ok(())
}

/// The 32-byte strings of a bencoded key file.
fn keys_in(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memmem::find_iter(file, b"32:").filter_map(|at| file.get(at + 3..at + 35))
}

fn swarm_id(feed: &str) -> Result<String, Failure> {
    let feed: peerfeed_protocol::ids::FeedId = feed.parse().map_err(|_| Failure::failed("no feed id"))?;
    Ok(feed.swarm_id().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes the picture and the film; the film's digest.
fn make_files(stage: &Stage) -> Result<[u8; 32], Failure> {
    let failed = |error| Failure::failed(format!("cannot write the demo's files: {error}"));
    std::fs::write(stage.path(PICTURE_NAME), super::picture::png()).map_err(failed)?;
    let mut film = vec![0; FILM_BYTES];
    getrandom::fill(&mut film).map_err(|error| Failure::failed(format!("no randomness: {error}")))?;
    std::fs::write(stage.path(FILM_NAME), &film).map_err(failed)?;
    Ok(Sha256::digest(&film).into())
}

fn same_file(stage: &Stage, path: &Path, digest: &[u8; 32]) -> Result<(), Failure> {
    let same = <[u8; 32]>::from(Sha256::digest(read_file(path)?)) == *digest;
    let picture = path.with_file_name(PICTURE_NAME);
    if picture.exists() && read_file(&picture)? != read_file(&stage.path(PICTURE_NAME))? {
        return Err(Failure::failed(format!("{} is not Ann's picture", picture.display())));
    }
    if same { Ok(()) } else { Err(Failure::failed(format!("{} is not Ann's file", path.display()))) }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))
}

/// Asks for a party's status until `pick` finds what is awaited.
async fn until_status<T>(
    stage: &Stage,
    party: &Party,
    patience: Duration,
    pick: impl Fn(&Value) -> Option<T>,
) -> Result<T, Failure> {
    let give_up = Instant::now() + patience;
    loop {
        let lines = stage.command(party, &["status"]).await?;
        let status = lines.iter().find(|line| line["event"] == "status");
        if let Some(found) = status.and_then(&pick) {
            return Ok(found);
        }
        if Instant::now() >= give_up {
            let status = status.map(ToString::to_string).unwrap_or_default();
            return Err(Failure::failed(format!("it did not come about within {patience:?}; status: {status}")));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn text_of(lines: &[Value], event: &str, field: &str) -> Result<String, Failure> {
    let found = lines.iter().find(|line| line["event"] == event).and_then(|line| line[field].as_str());
    found.map(str::to_owned).ok_or_else(|| Failure::failed(format!("no `{event}` with `{field}` came back")))
}

fn token(line: &str, prefix: &str) -> Option<String> {
    let word = line.split(|c: char| c.is_whitespace() || c == '"' || c == ',').find(|word| word.starts_with(prefix))?;
    Some(word.to_owned())
}

/// Names the step in which something failed.
fn at(step: &str) -> impl Fn(Failure) -> Failure {
    let step = step.to_owned();
    move |failure| Failure { message: format!("step \"{step}\": {}", failure.message), ..failure }
}
