//! The README's three people on three machines, in the README's own words.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use peerfeed_load_tests::daemon::Daemon;
use peerfeed_load_tests::person::{Person, text};
use peerfeed_load_tests::programs::Programs;
use peerfeed_load_tests::tracker::Tracker;

use crate::paths::root;
use crate::story::{HELD, sha256, stop};

/// What the README writes where a reader puts something of their own.
const TRACKER: &str = "udp://tracker.example:6969";
const ENTRY: &str = "ENTRY";
const CODE: &str = "CODE";

/// How the introductions of the blocks begin.
const BLOCKS: [&str; 10] = [
    "A tracker",
    "Ann writes",
    "A home server",
    "Ben reads",
    "Ann invites",
    "Cleo answers",
    "Ann finds",
    "Cleo fetches",
    "Who has no server",
    "Ann gives",
];

#[test]
fn three_people_do_what_the_readme_says() -> Result<()> {
    let blocks = blocks()?;
    let [host, ann_lines, server_lines, ben_lines, inviting, cleo_lines, finding, reading, coding, giving] =
        BLOCKS.map(|begin| blocks.get(begin).with_context(|| format!("the README has no commands after {begin:?}")));
    takes_these_flags(host?)?;
    let tracker = Tracker::start("127.0.0.1")?;
    let folder = tempfile::tempdir()?;
    let rose = b"a rose, as bytes";
    fs::write(folder.path().join("rose.png"), rose)?;
    let [ann, server, ben, cleo] =
        ["ann", "server", "ben", "cleo"].map(|name| Person::new(&folder.path().join(name), &[]));

    let say = |person: &Person, lines: &[String], entry: &str| {
        let lines = lines.iter().map(|line| line.replace(TRACKER, &tracker.udp_url).replace(ENTRY, entry));
        type_in(person, folder.path(), lines)
    };
    let ann_runs = say(&ann, ann_lines?, "")?.context("Ann does not run")?;
    let server_runs = say(&server, server_lines?, "")?.context("the server does not run")?;
    ann.wait_until_held(HELD)?;
    stop(ann_runs, "Ann")?;
    let (last, before) = ben_lines?.split_last().context("Ben does nothing")?;
    say(&ben, before, "")?;
    let post = ben.read::<&str>(&[])?.into_iter().find(|entry| entry["text"] == "hello").context("no post")?;
    say(&ben, std::slice::from_ref(last), &text(&post, "id")?)?;

    // The home server is Ann's: it is named by her feed, and keeps her letters.
    let code = text(&server.event("status", &["status"])?, "seeder_code")?;
    ann.ok(&["seeders", "add", &code])?;
    ann.ok(&["post", "for those who come", "--wait", "120s"])?;
    for (person, lines) in [(&ann, inviting), (&cleo, cleo_lines), (&ann, finding), (&cleo, reading)] {
        say(person, lines?, "")?;
    }
    let texts: Vec<_> =
        cleo.read::<&str>(&[])?.iter().filter_map(|entry| entry["text"].as_str().map(str::to_owned)).collect();
    ensure!(["hello", "Welcome, Cleo!"].iter().all(|due| texts.iter().any(|text| text == due)), "Cleo reads {texts:?}");
    // Somebody else, whose feed the home server knows nothing of.
    let [asking] = &coding?[..] else { anyhow::bail!("one command prints a code") };
    let words: Vec<&str> = asking.split_whitespace().skip(1).collect();
    let code = text(&server.event("hold_code", &words)?, "code")?;
    let zoe = Person::new(&folder.path().join("zoe"), &[]);
    zoe.ok(&["init", "--name", "Zoe"])?;
    let lines: Vec<String> = giving?.iter().map(|line| line.replace(CODE, &code)).collect();
    say(&zoe, &lines, "")?;
    let held = server.event("status", &["status"])?["feeds"].as_array().map_or(0, Vec::len);
    ensure!(held == 2, "the server holds {held} feeds, not Ann's and Zoe's");
    stop(server_runs, "the server")?;

    // `get` wrote the file where Ben stood, beside Ann's, whose name it does not take.
    let files = fs::read_dir(folder.path())?.filter_map(|entry| fs::read(entry.ok()?.path()).ok());
    ensure!(files.filter(|content| sha256(content) == sha256(rose)).count() == 2, "Ben has not got the file");
    Ok(())
}

#[test]
fn every_command_of_the_readme_exists() -> Result<()> {
    for line in blocks()?.values().flatten() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.first() == Some(&"peerfeed") {
            let output = Command::new(&Programs::find()?.peerfeed).args([words[1], "--help"]).output()?;
            ensure!(output.status.success(), "the README says `{line}`, but there is no such command");
        }
    }
    Ok(())
}

/// Types lines into a shell; a daemon among them is left running and returned.
fn type_in(person: &Person, folder: &Path, lines: impl Iterator<Item = String>) -> Result<Option<Daemon>> {
    let programs = Programs::find()?.peerfeed.parent().context("a program is in a folder")?;
    let path = format!("{}:{}", programs.display(), std::env::var("PATH")?);
    let mut running = None;
    for line in lines {
        if line == "peerfeed run" {
            running = Some(person.start("a daemon of the README", "127.0.0.1:0")?);
            continue;
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(folder).env("PATH", &path).env("PEERFEED_DATA", person.data());
        let output = shell.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "`{line}` ended with {}: {said}", output.status);
    }
    Ok(running)
}

/// The tracker's command line is understood; its ports are those of the whole machine, so it is not run.
fn takes_these_flags(lines: &[String]) -> Result<()> {
    let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
    let (program, arguments) = words.split_first().context("no command for the tracker")?;
    ensure!(*program == "peerfeed-tracker", "the tracker's command is {program}");
    let output = Command::new(&Programs::find()?.tracker).args(arguments).arg("--print-config").output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The lines of each block of commands, by the words that its introduction begins with, up to the first comma.
fn blocks() -> Result<BTreeMap<String, Vec<String>>> {
    let readme = fs::read_to_string(root().join("README.md"))?;
    let (_, rest) = readme.split_once("## Three people, three machines").context("no such section")?;
    let section = rest.split("\n## ").next().context("no text")?;
    let parts: Vec<&str> = section.split("```").collect();
    let pairs = parts.chunks_exact(2).filter_map(|pair| {
        let begin = pair[0].trim().lines().last()?.split([',', ':']).next()?;
        let key = BLOCKS.into_iter().find(|key| begin.starts_with(key))?;
        Some((key.to_owned(), pair[1].trim().lines().map(str::to_owned).collect()))
    });
    Ok(pairs.collect())
}
