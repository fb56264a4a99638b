//! Several data folders at work: daemons, commands beside them, and two processes on one folder.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::folder::Folder;

/// `peerfeed run` on a folder; killed when dropped.
pub(super) struct Daemon {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    listening: Value,
}

impl Daemon {
    pub(super) fn start(folder: &Folder, options: &[&str]) -> Self {
        let args = [&["--json"], options, &["run"]].concat();
        let mut child = folder.command(&args).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("the daemon prints where it listens").unwrap();
        Self { child, lines, listening: serde_json::from_str(&first).unwrap() }
    }

    pub(super) fn code(&self) -> &str {
        self.listening["seeder_code"].as_str().unwrap()
    }

    fn address(&self) -> &str {
        self.listening["listen"][0].as_str().unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Ends it with SIGTERM; it must do so soon, with exit code 0: not everything ended within its own five seconds if not.
    pub(super) fn stop(mut self) {
        let begun = Instant::now();
        self.signal(Signal::SIGTERM);
        let status = self.child.wait().unwrap();
        // Its own time is over long before, also on a busy machine.
        assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
        assert!(status.success(), "{status}");
        let rest: Vec<_> = self.lines.by_ref().map(Result::unwrap).collect();
        assert!(rest.is_empty(), "{rest:?}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Asks until it is so.
pub(super) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(180) {
        if let Some(found) = ask() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("never: {what}");
}

#[test]
fn commands_answer_alike_with_and_without_a_daemon() {
    let ann = Folder::of("Ann");
    let file = ann.file("a.txt", b"a");
    let commands: [&[&str]; 5] = [&["id"], &["read"], &["trackers"], &["seeders"], &["invite", "--with-key"]];
    ann.does(&["post", "one", "--attach", &file]);
    ann.does(&["trackers", "add", "udp://127.0.0.1:9"]);
    let without: Vec<_> = commands.iter().map(|command| ann.does(command)).collect();
    let daemon = Daemon::start(&ann, &["--listen", "none"]);
    assert_eq!(daemon.listening["listen"], serde_json::json!([]));
    let with: Vec<_> = commands.iter().map(|command| ann.does(command)).collect();
    assert_eq!(with[0], without[0]);
    assert_eq!(with[1], without[1]);
    assert!(with[2].contains("udp://127.0.0.1:9"));
    assert_eq!(with[4], without[4]);
    ann.tries(&["init"]).ends(2, &["already has an identity"]);
    ann.tries(&["get", "aaaaaaaaaaaaaaaa"]).ends(2, &["no entry here"]);
    ann.does(&["post", "two"]);
    let status = ann.one(&["status"]);
    assert_eq!(status["running"], true);
    assert_eq!(status["pid"], daemon.child.id());
    daemon.stop();
    assert_eq!(ann.json(&["read"]).len(), 2);
    assert_eq!(ann.one(&["status"])["running"], false);
}

#[test]
fn a_second_daemon_is_refused_and_a_killed_ones_socket_is_replaced() {
    let ann = Folder::of("Ann");
    let daemon = Daemon::start(&ann, &["--listen", "none"]);
    ann.tries(&["--listen", "none", "run"]).ends(2, &["already runs", "peerfeed status"]);
    daemon.signal(Signal::SIGKILL);
    drop(daemon);
    assert!(ann.data().join("peerfeed.sock").exists(), "the test is about what a killed daemon leaves");
    assert_eq!(ann.one(&["status"])["running"], false);
    ann.does(&["post", "still works"]);
    let daemon = Daemon::start(&ann, &["--listen", "none"]);
    assert_eq!(ann.one(&["status"])["running"], true);
    daemon.stop();
    assert!(!ann.data().join("peerfeed.sock").exists());
}

#[test]
fn a_command_waits_a_little_for_another_one_and_then_says_who_holds_the_folder() {
    let ann = Folder::of("Ann");
    let lock = std::fs::OpenOptions::new().write(true).open(ann.data().join("lock")).unwrap();
    lock.lock().unwrap();
    let begun = Instant::now();
    let held = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        drop(lock);
    });
    ann.does(&["id"]);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    held.join().unwrap();
    let lock = std::fs::OpenOptions::new().write(true).open(ann.data().join("lock")).unwrap();
    lock.lock().unwrap();
    ann.tries(&["id"]).ends(2, &["in use by process"]);
}

#[test]
fn interrupt_ends_a_daemon_like_terminate() {
    let ann = Folder::of("Ann");
    let mut daemon = Daemon::start(&ann, &["--listen", "127.0.0.1:0"]);
    daemon.signal(Signal::SIGINT);
    assert!(daemon.child.wait().unwrap().success());
}

#[test]
fn an_address_that_is_taken_is_a_failure_that_names_listen() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    Folder::of("Ann").tries(&["--listen", &address, "run"]).ends(2, &[&address, "--listen"]);
}

#[test]
fn a_post_travels_through_a_blind_seeder_to_a_friend_without_a_tracker() {
    let (ann, seeder, bob) = (Folder::of("Ann"), Folder::empty(), Folder::of("Bob"));
    let content: Vec<u8> = (0..300_000_u32).map(|at| (at * 31 % 253) as u8).collect();
    let file = ann.file("holiday.bin", &content);
    ann.does(&["post", "hello Bob"]);
    let id = ann.one(&["post", "with a file", "--attach", &file])["id"].as_str().unwrap().to_owned();

    seeder.does(&["seed", &ann.link(&[])]);
    let seeding = Daemon::start(&seeder, &["--listen", "127.0.0.1:0"]);
    // By address alone: the seeder proves its witness key.
    let listed = ann.one(&["seeders", "add", seeding.address()]);
    assert_eq!(listed["code"], seeding.code());
    let posted = ann.one(&["post", "and a third", "--wait", "60s"]);
    assert_eq!(posted["stored_by"], serde_json::json!([seeding.address()]));

    bob.does(&["add", &ann.link(&["--with-key"])]);
    let fetched = bob.one(&["fetch"]);
    assert_eq!(fetched["event"], "fetched");
    assert_eq!(fetched["complete"], true);
    assert_eq!(fetched["name"], "Ann");
    let texts: Vec<_> = bob.json(&["read"]).iter().map(|entry| entry["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(texts, ["hello Bob", "with a file", "and a third"]);
    let out = bob.root.path().join("out");
    bob.does(&["get", &id, "--out", out.to_str().unwrap()]);
    assert_eq!(std::fs::read(out.join("holiday.bin")).unwrap(), content);
    assert_eq!(bob.one(&["fetch"])["new_entries"], 0);
    seeding.stop();
}

#[test]
fn an_author_who_listens_on_nothing_sees_when_the_seeder_holds_all() {
    let (ann, seeder) = (Folder::of("Ann"), Folder::empty());
    ann.does(&["post", "hello", "--attach", &ann.file("f", b"file")]);
    seeder.does(&["seed", &ann.link(&[])]);
    let seeding = Daemon::start(&seeder, &["--listen", "127.0.0.1:0"]);
    ann.does(&["seeders", "add", seeding.code()]);
    let author = Daemon::start(&ann, &["--listen", "none"]);
    let known = until("the seeder holds all", || {
        let status = ann.one(&["status"]);
        let known = status["feeds"][0]["seeders"][0].clone();
        (known["holds_all"] == true).then_some(known)
    });
    assert_eq!(known["listed"], true);
    assert_eq!(known["entries_stored"], known["entries"]);
    assert!(ann.does(&["status"]).contains("holds all"));
    author.stop();
    seeding.stop();
}

#[test]
fn a_live_post_reaches_a_friend_who_reads_along() {
    let (ann, bob) = (Folder::of("Ann"), Folder::empty());
    ann.does(&["post", "before"]);
    let author = Daemon::start(&ann, &["--listen", "127.0.0.1:0"]);
    ann.does(&["seeders", "add", author.code()]);
    bob.does(&["add", &ann.link(&["--with-key"])]);
    let reader = Daemon::start(&bob, &["--listen", "none"]);
    let mut following = bob.command(&["--json", "read", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["text"], "before");
    ann.does(&["post", "live"]);
    assert_eq!(next()["text"], "live");
    following.kill().unwrap();
    following.wait().unwrap();
    reader.stop();
    author.stop();
}

#[test]
fn commands_work_beside_one_that_reads_along_without_a_daemon() {
    let ann = Folder::of("Ann");
    ann.does(&["post", "before"]);
    let mut following = ann.command(&["--json", "read", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["text"], "before");
    ann.does(&["post", "beside"]);
    assert_eq!(next()["text"], "beside");
    kill(Pid::from_raw(following.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(following.wait().unwrap().code(), Some(0));
    assert!(!ann.data().join("peerfeed.sock").exists());
}

#[test]
fn commands_at_the_same_time_take_turns_and_none_is_lost() {
    let ann = Folder::of("Ann");
    let texts: Vec<_> = (0..4).map(|number| format!("post {number}")).collect();
    let mut children: Vec<_> = texts
        .iter()
        .map(|text| ann.command(&["post", text]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
        .collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let mut read: Vec<_> = ann.json(&["read"]).iter().map(|entry| entry["text"].as_str().unwrap().to_owned()).collect();
    read.sort();
    assert_eq!(read, texts);
}

#[cfg(feature = "demo")]
#[test]
fn an_unlisted_seeder_that_a_tracker_names_shows_what_it_holds() {
    let tracker = Tracker::start();
    let (ann, seeder, bob) = (Folder::empty(), Folder::empty(), Folder::empty());
    ann.does(&["--tracker", &tracker.url, "init", "--name", "Ann"]);
    ann.does(&["post", "hello", "--attach", &ann.file("f", b"file")]);
    let link = ann.link(&["--with-key"]);
    seeder.does(&["seed", &link]);
    let seeding = Daemon::start(&seeder, &["--listen", "127.0.0.1:0"]);
    let author = Daemon::start(&ann, &["--listen", "none"]);
    let known = until("the seeder holds all", || {
        let status = ann.one(&["status"]);
        let known = status["feeds"][0]["seeders"][0].clone();
        (known["holds_all"] == true).then_some(known)
    });
    assert_eq!(known["listed"], false);
    assert_eq!(known["address"], seeding.address());
    assert!(ann.does(&["status"]).contains("unlisted seeder"));
    author.stop();
    // A reader finds it by the tracker alone.
    bob.does(&["add", &link]);
    assert_eq!(bob.one(&["fetch", "--files"])["complete"], true);
    assert_eq!(bob.one(&["read"])["attachments"][0]["held"], true);
    // The seeder reads nothing of it.
    seeding.stop();
    // It still asks to be listed when neither runs any more.
    let known = ann.one(&["status"])["feeds"][0]["seeders"][0].clone();
    assert_eq!(
        (&known["listed"], &known["connected"], &known["holds_all"]),
        (&false.into(), &false.into(), &true.into())
    );
    let said = ann.does(&["status"]);
    assert!(
        said.contains(&format!("asks to be listed: `peerfeed seeders add {}`", known["code"].as_str().unwrap())),
        "{said}"
    );
    seeder.tries(&["read"]).ends(1, &["nothing to read"]);
    let store = std::fs::read(seeder.data().join("store.redb")).unwrap();
    assert!(!store.windows(5).any(|window| window == b"hello"));
}

/// A `requests` without a daemon asked only the seeders that the manifest names, so that a letter stayed unread for ever
/// at one that a tracker names; and who followed nobody was told just that by `fetch`, before any letter was looked for.
#[cfg(feature = "demo")]
#[test]
fn a_letter_at_a_seeder_that_only_a_tracker_names_is_read_without_a_daemon() {
    let tracker = Tracker::start();
    let (ann, seeder) = (Folder::empty(), Folder::empty());
    ann.does(&["--tracker", &tracker.url, "init", "--name", "Ann"]);
    seeder.does(&["seed", &ann.link(&[])]);
    let _seeding = Daemon::start(&seeder, &["--listen", "127.0.0.1:0"]);
    until("the seeder can be found", || (ann.tries(&["post", "hello", "--wait", "5s"]).code == 0).then_some(()));
    for (name, command, tells) in [("Ben", "fetch", "Ben is your friend now"), ("Cleo", "requests", "friends")] {
        let guest = Folder::of(name);
        let said = guest.does(&["add", &ann.invitation(&[])]);
        assert!(said.contains("on its way"), "{said}");
        let said = ann.tries(&["--json", command]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!((said.out + &said.err).contains(tells), "{name} asked");
    }
    assert_eq!(ann.json(&["friends"]).len(), 2);
}

/// The tracker that the demo uses, in a process of its own.
#[cfg(feature = "demo")]
struct Tracker {
    child: Child,
    url: String,
}

#[cfg(feature = "demo")]
impl Tracker {
    fn start() -> Self {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_peerfeed"));
        command.args(["demo-tracker", "--", "--http", "127.0.0.1:0", "--udp", "127.0.0.1:0"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.find_map(|line| {
            let line = line.unwrap();
            line.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned)
        });
        Self { child, url: url.expect("the tracker says where it listens") }
    }
}

#[cfg(feature = "demo")]
impl Drop for Tracker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_folder_too_deep_for_a_socket_works_without_a_daemon() {
    let folder = Folder::empty();
    let deep = folder.root.path().join("d".repeat(100)).display().to_string();
    folder.does(&["--data", &deep, "init", "--name", "Ann"]);
    folder.does(&["--data", &deep, "post", "deep"]);
    assert_eq!(folder.one(&["--data", &deep, "read"])["text"], "deep");
    folder.tries(&["--data", &deep, "--listen", "none", "run"]).ends(2, &["socket", "shorter `--data DIR`"]);
}
