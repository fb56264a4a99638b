//! The story that the demo tells.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::child::{Child, Party};
use super::seen::{Story, what_was_seen};
use super::stage::{Stage, event};
use crate::api::Failure;
use crate::ui::Paint;

pub(super) const FIRST: &str = "The roses opened this morning, three weeks early.";
pub(super) const SECOND: &str = "Supper on Saturday at ours, bring nothing but time.";
pub(super) const PICTURE_TEXT: &str = "This is what the evening looked like.";
pub(super) const FILM_TEXT: &str = "The whole film of the summer, uncut.";
pub(super) const PICTURE_NAME: &str = "evening-at-the-lake.png";
pub(super) const FILM_NAME: &str = "summer-uncut.mkv";
pub(super) const ANN: &str = "Ann Andersson";
const LIVE: &str = "The tracker is dead and you still read this.";
const FILM_BYTES: usize = 20 << 20;

/// How long the seeder may take to hold everything.
const STORE_PATIENCE: Duration = Duration::from_secs(25);
/// How long peers may take to find each other.
const MEET_PATIENCE: Duration = Duration::from_secs(20);
/// How long a child may take to say that it is there.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How long a live post may take.
const LIVE_PATIENCE: Duration = Duration::from_secs(20);

/// Plays it; the first step that does not work ends it, and its error names the step.
pub(super) async fn play(stage: &Stage) -> Result<(), Failure> {
    let mut play = Play {
        stage,
        ann: stage.party("ann"),
        bob: stage.party("bob"),
        cleo: stage.party("cleo"),
        seeder: stage.party("seeder"),
        film: make_files(stage)?,
        posted: Posted::default(),
    };
    let (tracker, url) = stage.step("A tracker starts", play.a_tracker_starts()).await?;
    let text = "Ann makes an identity and posts two texts, a picture and a film of 20 MiB, for friends only";
    let posted = stage.step(text, play.ann_posts(&url)).await?;
    play.posted = posted;
    let text = "A seeder holds Ann's feed from a link without a key, and Ann lists it";
    let seeding = stage.step(text, play.a_seeder_holds()).await?;
    let text = "Ann is online for a moment, listening on nothing; the seeder takes everything; Ann goes offline";
    stage.step(text, play.the_seeder_takes_all()).await?;
    let text = "Bob follows Ann from a link with the key and fetches everything from the seeder";
    let link = stage.step(text, play.bob_fetches()).await?;
    let text = "The seeder goes away too. Only Bob is left; Cleo gets everything from Bob";
    let (reader, seeder_output) = stage.step(text, play.cleo_fetches(seeding, &link)).await?;
    let text = "Ann comes back and meets Bob; then the tracker is killed, and a live post still arrives";
    let tracker_output = stage.step(text, play.a_live_post_arrives(tracker, reader)).await?;
    let Play { ann, bob, seeder, posted: Posted { feed, phrase, .. }, .. } = play;
    let story = Story { feed, phrase, link, people: [ann, bob], seeder, seeder_output, tracker_output };
    stage.step("What each party could see", async { what_was_seen(stage, &story) }).await?;
    tell_the_end(stage);
    Ok(())
}

struct Play<'s> {
    stage: &'s Stage,
    ann: Party,
    bob: Party,
    cleo: Party,
    seeder: Party,
    film: [u8; 32],
    posted: Posted,
}

/// What Ann did.
#[derive(Default)]
struct Posted {
    feed: String,
    phrase: String,
    picture: String,
    film: String,
}

impl Play<'_> {
    async fn a_tracker_starts(&self) -> Result<(Child, String), Failure> {
        let args = ["demo-tracker", "--", "--http", "127.0.0.1:0", "--udp", "127.0.0.1:0"].map(str::to_owned);
        let mut tracker = self.stage.start("tracker", &args)?;
        let url = tracker.line(START_PATIENCE, |line| token(line, "http://")).await?;
        self.stage.tell(&url);
        Ok((tracker, url))
    }

    async fn ann_posts(&self, tracker: &str) -> Result<Posted, Failure> {
        let stage = self.stage;
        let created = stage.command(&self.ann, &["--tracker", tracker, "init", "--name", ANN]).await?;
        stage.show(&self.ann, &["post", FIRST]).await?;
        stage.show(&self.ann, &["post", SECOND, "--channel", "supper"]).await?;
        let file = |name| stage.path(name).display().to_string();
        let picture = stage.command(&self.ann, &["post", PICTURE_TEXT, "--attach", &file(PICTURE_NAME)]).await?;
        let movie = stage.command(&self.ann, &["post", FILM_TEXT, "--attach", &file(FILM_NAME)]).await?;
        let ready = Posted {
            feed: text_of(&created, "created", "feed")?,
            phrase: text_of(&created, "created", "recovery_phrase")?,
            picture: text_of(&picture, "posted", "id")?,
            film: text_of(&movie, "posted", "id")?,
        };
        stage.tell(&format!("posted {} with {PICTURE_NAME}", ready.picture));
        stage.tell(&format!("posted {} with {FILM_NAME}", ready.film));
        Ok(ready)
    }

    async fn a_seeder_holds(&self) -> Result<Child, Failure> {
        let stage = self.stage;
        let link = text_of(&stage.command(&self.ann, &["invite"]).await?, "link", "link")?;
        stage.command(&self.seeder, &["seed", &link, "--quota", "1GiB"]).await?;
        let (seeding, listening) = stage.daemon(&self.seeder, "127.0.0.1:0").await?;
        let code = listening["seeder_code"].as_str().unwrap_or_default();
        stage.show(&self.ann, &["seeders", "add", code]).await?;
        Ok(seeding)
    }

    async fn the_seeder_takes_all(&self) -> Result<(), Failure> {
        let (author, _) = self.stage.daemon(&self.ann, "none").await?;
        let holding = |status: &Value| {
            let seeders = status["feeds"][0]["seeders"].as_array()?;
            seeders.iter().find(|seeder| seeder["holds_all"] == true).cloned()
        };
        let held = until_status(self.stage, &self.ann, STORE_PATIENCE, holding).await?;
        author.stop().await?;
        self.stage.tell(&format!("the seeder says it has synced all {} entries and their files", held["entries"]));
        Ok(())
    }

    async fn bob_fetches(&self) -> Result<String, Failure> {
        let stage = self.stage;
        let link = text_of(&stage.command(&self.ann, &["invite", "--with-key"]).await?, "link", "link")?;
        stage.command(&self.bob, &["init", "--name", "Bob"]).await?;
        stage.command(&self.bob, &["add", &link, "--name", "Ann", "--follow-only"]).await?;
        stage.show_moving(&self.bob, &["fetch", "Ann"]).await?;
        stage.show(&self.bob, &["read"]).await?;
        let read = stage.command(&self.bob, &["read"]).await?;
        for text in [FIRST, SECOND, PICTURE_TEXT, FILM_TEXT] {
            if !read.iter().any(|entry| entry["text"] == text) {
                return Err(Failure::failed(format!("Bob's timeline lacks \"{text}\"")));
            }
        }
        self.gets_both_files(&self.bob, "bob-files").await?;
        Ok(link)
    }

    async fn cleo_fetches(&self, seeding: Child, link: &str) -> Result<(Child, String), Failure> {
        let stage = self.stage;
        let seeder_output = seeding.stop().await?;
        let (reader, _) = stage.daemon(&self.bob, "127.0.0.1:0").await?;
        stage.command(&self.cleo, &["init", "--name", "Cleo"]).await?;
        stage.command(&self.cleo, &["add", link, "--name", "Ann", "--follow-only"]).await?;
        stage.show_moving(&self.cleo, &["fetch", "Ann", "--files"]).await?;
        self.gets_both_files(&self.cleo, "cleo-files").await?;
        Ok((reader, seeder_output))
    }

    async fn a_live_post_arrives(&self, tracker: Child, reader: Child) -> Result<String, Failure> {
        let stage = self.stage;
        let (author, _) = stage.daemon(&self.ann, "127.0.0.1:0").await?;
        let meeting = |status: &Value| (status["feeds"][0]["peers"].as_u64()? > 0).then_some(());
        until_status(stage, &self.ann, MEET_PATIENCE, meeting).await?;
        let follow = self.bob.args(&["--json", "read", "Ann", "--follow", "--limit", "1"]);
        let mut following = stage.start("reader that follows", &follow)?;
        following.line(START_PATIENCE, |line| event(line, "entry")).await?;
        let tracker_output = tracker.kill().await?;
        let posted = Instant::now();
        stage.command(&self.ann, &["post", LIVE]).await?;
        following.line(LIVE_PATIENCE, |line| event(line, "entry").filter(|entry| entry["text"] == LIVE)).await?;
        let taken = posted.elapsed().as_millis();
        stage.tell(&format!("Bob reads \"{LIVE}\" {taken} ms after Ann began to post it"));
        following.kill().await?;
        reader.stop().await?;
        author.stop().await?;
        Ok(tracker_output)
    }

    /// Gets the film in sight and the picture besides, and compares both with Ann's files.
    async fn gets_both_files(&self, party: &Party, folder: &str) -> Result<(), Failure> {
        let stage = self.stage;
        let out = stage.path(folder);
        let shown = out.display().to_string();
        stage.show(party, &["get", &self.posted.film, "--out", &shown]).await?;
        stage.command(party, &["get", &self.posted.picture, "--out", &shown]).await?;
        if <[u8; 32]>::from(Sha256::digest(read_file(&out.join(FILM_NAME))?)) != self.film {
            return Err(Failure::failed(format!("{FILM_NAME} is not Ann's file")));
        }
        if read_file(&out.join(PICTURE_NAME))? != read_file(&stage.path(PICTURE_NAME))? {
            return Err(Failure::failed(format!("{PICTURE_NAME} is not Ann's picture")));
        }
        stage.tell("the film's SHA-256 is that of Ann's file, and the picture is hers");
        Ok(())
    }
}

fn tell_the_end(stage: &Stage) {
    let seconds = format!("{:.1}", stage.elapsed().as_secs_f32());
    if stage.terminal().json() {
        return stage.terminal().object(&serde_json::json!({ "event": "demo", "ok": true, "seconds": seconds }));
    }
    let done = stage.terminal().paint(Paint::Good, "Everything worked");
    stage.terminal().line(format_args!("\n{done}: {seconds} s, every process ended, nothing left behind."));
    stage.terminal().line("Next: `peerfeed init --name YOU`, or `peerfeed --help`.");
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

pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let path = PathBuf::from(path);
    std::fs::read(&path).map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))
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
