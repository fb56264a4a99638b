//! What three people do in one test after the other: an author, a seeder who cannot read, two readers.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use peerfeed_load_tests::daemon::Daemon;
use peerfeed_load_tests::person::{Person, text};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// SIGTERM must end a program within this time, on a machine that is busy with other tests: five seconds are its own.
pub(crate) const STOP: Duration = Duration::from_secs(40);
/// A seeder must hold a small feed within this time, on such a machine.
pub(crate) const HELD: Duration = Duration::from_secs(180);

/// Long enough to be searched for, and nowhere else on this machine.
pub(crate) const NAME: &str = "Wilhelmina Quartermaine-Obi";
pub(crate) const FIRST_TEXT: &str = "The lighthouse keeper counts every seventh wave; this is only for friends.";
pub(crate) const SECOND_TEXT: &str = "Here is the map of the old harbour, drawn from memory.";
pub(crate) const CHANNEL: &str = "harbour-cartography";
pub(crate) const FILE_NAME: &str = "harbour map, second attempt.bin";
/// What the readers call the author.
pub(crate) const PETNAME: &str = "mina-of-the-lighthouse";
/// Stands in the file many times.
pub(crate) const FILE_MARKER: &str = "three steps from the crooked bollard ";

/// Folders and people of one test.
pub(crate) struct Scene {
    /// Everything is below it, and goes with it.
    pub(crate) folder: TempDir,
    /// Writes the feed.
    pub(crate) author: Person,
    /// Holds it without a key.
    pub(crate) seeder: Person,
    /// SHA-256 of the attached file.
    pub(crate) file_sha256: String,
}

impl Scene {
    /// Makes the author's feed: two posts, one with a file of `file_bytes`.
    pub(crate) fn new(trackers: &[&str], file_bytes: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let author = Person::new(&folder.path().join("author"), trackers);
        let seeder = Person::new(&folder.path().join("seeder"), trackers);
        let file = folder.path().join(FILE_NAME);
        let content: Vec<u8> = FILE_MARKER.bytes().cycle().take(file_bytes).collect();
        fs::write(&file, &content)?;
        author.ok(&["init", "--name", NAME])?;
        author.ok(&["post", FIRST_TEXT])?;
        author.ok(&["post", SECOND_TEXT, "--channel", CHANNEL, "--attach", &path_text(&file)])?;
        Ok(Self { folder, author, seeder, file_sha256: sha256(&content) })
    }

    /// The seeder takes the link and runs; the author comes with a listener on nothing, waits until the seeder says
    /// that it holds everything, and goes. The running seeder is returned.
    pub(crate) fn hand_over(&self, link: &str, host: &str) -> Result<Daemon> {
        self.seeder.ok(&["seed", link])?;
        let seeder = self.seeder.start("the seeder", &format!("{host}:0"))?;
        let author = self.author.start("the author", "none")?;
        self.author.wait_until_held(HELD)?;
        stop(author, "the author")?;
        Ok(seeder)
    }

    /// Somebody new with nothing but the link.
    pub(crate) fn newcomer(&self, name: &str) -> Person {
        Person::new(&self.folder.path().join(name), &[])
    }

    /// Follows the link, fetches, reads, and gets the file; all of it must be what the author wrote.
    pub(crate) fn reads_everything(&self, reader: &Person, link: &str) -> Result<()> {
        reader.ok(&["add", link, "--name", PETNAME])?;
        reader.ok(&["fetch"])?;
        let entries = reader.read(&[PETNAME])?;
        let texts: Vec<_> = entries.iter().filter_map(|entry| entry["text"].as_str()).collect();
        ensure!(texts.contains(&FIRST_TEXT) && texts.contains(&SECOND_TEXT), "read shows {entries:?}");
        let with_file = entries.iter().find(|entry| entry["text"] == SECOND_TEXT).context("just found")?;
        ensure!(with_file["channel"] == CHANNEL, "the channel is another: {with_file}");
        ensure!(with_file["attachments"][0]["name"] == FILE_NAME, "the file is another: {with_file}");
        let out = reader.data().with_extension("files");
        let file = reader.event("file", &["get", &text(with_file, "id")?, "--out", &path_text(&out)])?;
        let written = fs::read(PathBuf::from(text(&file, "path")?))?;
        ensure!(sha256(&written) == self.file_sha256, "the file has another content");
        Ok(())
    }
}

/// SIGTERM, and a clean end in time.
pub(crate) fn stop(daemon: Daemon, name: &str) -> Result<Vec<u8>> {
    let stopped = daemon.stop(STOP)?;
    ensure!(stopped.status.success(), "{name}: {}\n{}", stopped.status, String::from_utf8_lossy(&stopped.output));
    Ok(stopped.output)
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A path as an argument; the folders of tests are plain ASCII.
pub(crate) fn path_text(path: &Path) -> String {
    path.display().to_string()
}
