//! An afternoon of four people: how they find each other, what each of them reads, and how two of them part.
//!
//! Each has a data folder, two of them share a home server, two have another one. Nobody but the servers is online for longer
//! than a command takes, so no two of the four ever meet. All they type is in the README.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use peerfeed_load_tests::daemon::Daemon;
use peerfeed_load_tests::person::{Person, text};
use peerfeed_load_tests::tracker::Tracker;

use crate::story::stop;

/// Somebody of the story.
struct Somebody {
    name: &'static str,
    person: Person,
}

/// A machine in a corner that is always on.
struct HomeServer {
    daemon: Daemon,
}

impl HomeServer {
    /// Holds the feeds of these people, who list it, and write a first line.
    fn start(folder: &Path, name: &'static str, people: [&Somebody; 2]) -> Result<Self> {
        let server = Person::new(&folder.join(name), &[]);
        for somebody in people {
            server.ok(&["seed", &somebody.link(&["--open"])?])?;
        }
        let daemon = server.start(name, "127.0.0.1:0")?;
        let code = text(&server.status()?, "seeder_code")?;
        for somebody in people {
            somebody.person.ok(&["seeders", "add", &code])?;
            somebody.posts(&format!("{} writes a first line, for friends to come.", somebody.name), &[])?;
        }
        Ok(Self { daemon })
    }
}

impl Somebody {
    /// A new identity with a feed that names the tracker.
    fn new(folder: &Path, name: &'static str, tracker: &Tracker) -> Result<Self> {
        let somebody = Self { name, person: Person::new(&folder.join(name), &[]) };
        somebody.person.ok(&["init", "--name", name])?;
        somebody.person.ok(&["trackers", "add", &tracker.udp_url])?;
        Ok(somebody)
    }

    fn link(&self, options: &[&str]) -> Result<String> {
        let link = self.person.event("link", &[&["invite"], options].concat())?;
        text(&link, "link")
    }

    /// Posts, and goes when the server has it.
    fn posts(&self, words: &str, options: &[&str]) -> Result<()> {
        self.person.ok(&[&["post", words, "--wait", "120s"], options].concat()).map(drop)
    }

    /// The texts of Ann's that this person can read now, oldest first.
    fn reads_of_ann(&self) -> Result<Vec<String>> {
        self.person.ok(&["fetch"])?;
        let entries = self.person.read(&["Ann"])?;
        Ok(entries.iter().filter_map(|entry| entry["text"].as_str().map(str::to_owned)).collect())
    }

    /// What is said of the requests of this person and to them: a name and a state each.
    fn requests(&self) -> Result<Vec<(String, String)>> {
        let lines = self.person.json(&["requests"])?;
        let requests = lines.iter().filter(|line| line["event"] == "request");
        requests.map(|line| Ok((text(line, "name")?, text(line, "state")?))).collect()
    }

    /// Follows Ann by a link, which asks her to be friends.
    fn answers(&self, link: &str) -> Result<()> {
        let request = self.person.event("request", &["add", link, "--name", "Ann"])?;
        ensure!(request["state"] == "sent", "{} asked, and: {request}", self.name);
        Ok(())
    }

    fn reads_exactly(&self, due: &[&str]) -> Result<()> {
        let found = self.reads_of_ann()?;
        ensure!(found == due, "{} reads {found:?} of Ann, not {due:?}", self.name);
        Ok(())
    }

    /// Who waits for a yes or a no, or became a friend just now.
    fn finds(&self, name: &str, state: &str) -> Result<()> {
        let found = self.requests()?;
        ensure!(found == [(name.to_owned(), state.to_owned())], "{} finds {found:?}", self.name);
        Ok(())
    }
}

const BEFORE: &str = "Ann writes a first line, for friends to come.";
const LAKE: &str = "The lake is frozen; who skates on Sunday?";
const FAMILY: &str = "Grandmother turns eighty. Not a word to her.";
const DAN_ALONE: &str = "Dan, I was hasty this morning. Sorry.";
const AFTER_BEN: &str = "We skate at ten, without Ben.";
const FOR_CLEO_TOO: &str = "Welcome, Cleo. We skated without you.";

#[test]
fn four_people_find_each_other_read_what_is_for_them_and_part() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let tracker = Tracker::start("127.0.0.1")?;
    let somebody = |name| Somebody::new(folder.path(), name, &tracker);
    let (ann, ben, cleo, dan) = (somebody("Ann")?, somebody("Ben")?, somebody("Cleo")?, somebody("Dan")?);
    let attic = HomeServer::start(folder.path(), "attic", [&ann, &ben])?;
    let shed = HomeServer::start(folder.path(), "shed", [&cleo, &dan])?;

    // Ann gives Ben a link. He answers when she is gone, and she finds a friend when he is.
    let invitation = ann.link(&[])?;
    ben.answers(&invitation)?;
    ann.finds("Ben", "friends")?;
    ben.reads_exactly(&[BEFORE])?;
    compare_words(&ann, &ben)?;

    // Dan found an open link somewhere. Ann does not think of whom he may be, and says no.
    dan.answers(&ann.link(&["--open"])?)?;
    ann.finds("Dan", "waits for you")?;
    ann.person.ok(&["refuse", "Dan"])?;
    dan.reads_exactly(&[])?;
    dan.finds("Ann", "refused by them")?;
    // Ben's invitation is of no use to him: it was used.
    let outcome = dan.person.run(&["add", &invitation])?;
    ensure!(outcome.status.code() == Some(2), "a used invitation ended with {}", outcome.status);

    // She thinks better of it. Dan, a newcomer, reads what she wrote before she knew him.
    dan.answers(&ann.link(&["--expires", "1h"])?)?;
    ann.finds("Dan", "friends")?;
    dan.reads_exactly(&[BEFORE])?;
    compare_words(&ann, &dan)?;

    // Something for all friends, something for the family, something for Dan alone.
    ann.person.ok(&["fetch"])?;
    ann.person.ok(&["list", "add", "family", "Ben"])?;
    ann.posts(LAKE, &[])?;
    ann.posts(FAMILY, &["--to", "family"])?;
    ann.person.ok(&["dm", "Dan", DAN_ALONE, "--wait", "120s"])?;
    ben.reads_exactly(&[BEFORE, LAKE, FAMILY])?;
    dan.reads_exactly(&[BEFORE, LAKE, DAN_ALONE])?;

    // The tracker dies, and nobody misses it: everybody knows a home server.
    tracker.daemon.kill();

    // Ben told grandmother. He keeps what he has read.
    ann.person.ok(&["remove", "Ben"])?;
    ann.posts(AFTER_BEN, &[])?;
    ben.reads_exactly(&[BEFORE, LAKE, FAMILY])?;
    dan.reads_exactly(&[BEFORE, LAKE, DAN_ALONE, AFTER_BEN])?;

    // Cleo comes last. Ann lets her read from now on: what was before is none of her business.
    cleo.answers(&ann.link(&["--open"])?)?;
    ann.finds("Cleo", "waits for you")?;
    ann.person.ok(&["accept", "Cleo", "--from-now"])?;
    ann.posts(FOR_CLEO_TOO, &[])?;
    cleo.reads_exactly(&[FOR_CLEO_TOO])?;
    dan.reads_exactly(&[BEFORE, LAKE, DAN_ALONE, AFTER_BEN, FOR_CLEO_TOO])?;
    ben.reads_exactly(&[BEFORE, LAKE, FAMILY])?;

    // Friendship goes both ways: Ann reads Cleo's and Dan's first lines.
    ann.person.ok(&["fetch"])?;
    for friend in ["Cleo", "Dan"] {
        let entries = ann.person.read(&[friend])?;
        let first = format!("{friend} writes a first line, for friends to come.");
        ensure!(entries.iter().any(|entry| entry["text"] == first), "Ann reads {entries:?} of {friend}");
    }
    let friends = ann.person.json(&["friends"])?;
    ensure!(friends.len() == 2, "Ann's friends are {friends:?}");
    stop(attic.daemon, "the server in the attic")?;
    stop(shed.daemon, "the server in the shed")?;
    Ok(())
}

/// The six words are the same on both machines.
fn compare_words(one: &Somebody, other: &Somebody) -> Result<()> {
    let friends = one.person.json(&["friends"])?;
    let own = text(&other.person.event("identity", &["id"])?, "fingerprint")?;
    let found = friends.iter().find(|friend| friend["fingerprint"] == own.as_str());
    found.with_context(|| format!("{} and {} see other words: {friends:?}", one.name, other.name))?;
    Ok(())
}
