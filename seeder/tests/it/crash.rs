//! `kill -9` at random moments: everything acknowledged is there, and nothing half-written is visible.
//!
//! The test runs itself as a child process that writes and reports each item that was acknowledged; the parent kills it,
//! opens the store, and looks.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use peerfeed::author::{self, Audience, Author, Draft};
use peerfeed::reader::{self, EntryState, Query};
use peerfeed::store::{Options, Reading, Store};
use peerfeed_protocol::merkle::root_from_nodes;

/// Set for the child: the data folder to write to.
const FOLDER: &str = "PEERFEED_TEST_CRASH_FOLDER";
/// How this program becomes the child.
const CHILD: [&str; 4] = ["--exact", "crash::child_that_posts_until_it_is_killed", "--nocapture", "--test-threads=1"];
/// How often it is killed; more often where the machine is so slow that nothing is acknowledged in between.
const ROUNDS: u64 = 12;
const ROUNDS_AT_MOST: u64 = 60;

/// The child. Does nothing when the tests are run as usual.
#[test]
fn child_that_posts_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let store = Store::open(&folder.join("data"), &Options::default()).unwrap();
    let author = match Author::open(&store).unwrap() {
        Some(author) => author,
        None => author::init(&store, Some("Ana"), &[]).unwrap().author,
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "acknowledged feed {}", author.feed()).unwrap();
    for number in 0.. {
        let text = format!("{} of process {}", number, std::process::id());
        let files = if number % 3 == 1 { vec![folder.join("file.bin")] } else { Vec::new() };
        let draft = Draft { text: text.clone(), channel: None, audience: Audience::Friends, files };
        let place = match author.post(&draft, &mut |_| {}) {
            Ok(place) => place,
            Err(error) => {
                writeln!(out, "refused: {error}").unwrap();
                return;
            }
        };
        writeln!(out, "acknowledged {} {text}", place.id()).unwrap();
        out.flush().unwrap();
    }
}

fn start_child(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(CHILD)
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Runs the child until `after` it has opened the store, kills it, and gives what it had acknowledged.
fn run_and_kill(folder: &Path, after: Duration) -> Vec<String> {
    let mut child = start_child(folder);
    let (lines, seen) = mpsc::channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    let reading = thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if let Some((_, acknowledged)) = line.split_once("acknowledged ") {
                lines.send(acknowledged.to_owned()).unwrap();
            }
        }
    });
    // Now and then before it has even opened the store.
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reading.join().unwrap();
    seen.iter().collect()
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_half_written_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..=252).cycle().take(3_000_000).collect();
    std::fs::write(folder.path().join("file.bin"), &content).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = now.as_secs() << 30 | u64::from(now.subsec_nanos());
    println!("seed {seed}");
    let mut random = seed;
    let mut acknowledged = BTreeMap::new();
    let mut feed = None;
    let began = Instant::now();
    for round in 0..ROUNDS_AT_MOST {
        if round >= ROUNDS && acknowledged.len() > 5 {
            break;
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let after = Duration::from_millis(20 + (random >> 33) % (60 * (round + 1)));
        for line in run_and_kill(folder.path(), after) {
            let (id, text) = line.split_once(' ').unwrap();
            if id == "feed" {
                assert_eq!(feed.get_or_insert(text.to_owned()), text, "the identity stays the same");
            } else {
                acknowledged.insert(id.to_owned(), text.to_owned());
            }
        }
        look(&folder.path().join("data"), &acknowledged, &content);
    }
    println!("{} posts acknowledged in {:?}", acknowledged.len(), began.elapsed());
    assert!(acknowledged.len() > 5, "the children were killed too early to prove anything");
}

fn look(data: &Path, acknowledged: &BTreeMap<String, String>, content: &[u8]) {
    let store = Store::open(data, &Options::default()).unwrap();
    reader::index_pending_blocking(&store).unwrap();
    let query = Query { limit: usize::MAX, ..Query::default() };
    let entries = reader::timeline(&store, &query).unwrap().entries;
    let texts: BTreeMap<_, _> = entries.iter().map(|entry| (entry.id.to_string(), entry.text.clone())).collect();
    for (id, text) in acknowledged {
        assert_eq!(texts.get(id), Some(text), "acknowledged and lost");
    }
    let txn = store.read().unwrap();
    let mut charged = 0;
    for (feed, _) in txn.feeds().unwrap() {
        for row in txn.logs(feed).unwrap() {
            assert_eq!(root_from_nodes(&txn.nodes(&row), row.size), Some(row.root), "the tree is that of the head");
            let whole = 0..row.size;
            assert_eq!(txn.held(&row).unwrap(), [whole], "every entry of one's own log is there");
            assert_eq!(row.complete, row.size, "and every file");
        }
        for blob in txn.blobs(feed).unwrap() {
            charged += blob.size.bytes();
        }
    }
    assert_eq!(txn.total_usage().unwrap().chunk_bytes, charged, "chunks of unfinished posts were freed");
    // Before its keys are on the disk an identity was told to nobody: the next attempt makes another one.
    let told = data.join("device.key").exists();
    assert!(!told || entries.iter().all(|entry| entry.state == EntryState::Open));
    let out = tempfile::tempdir().unwrap();
    if let Some(entry) = entries.iter().find(|entry| !entry.attachments.is_empty()) {
        let file = &entry.attachments[0];
        let path = reader::write_attachment(&store, entry.place.feed, file, out.path(), &mut |_| {}).unwrap();
        assert!(std::fs::read(path).unwrap() == content);
    }
}

#[test]
fn a_disk_that_fills_up_refuses_the_post_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let content = vec![7; 3_000_000];
    std::fs::write(folder.path().join("file.bin"), &content).unwrap();
    // No file may grow beyond 24 MB: what the child sees then is what a full disk shows, at a write it did not expect.
    let out = Command::new("bash")
        .args(["-c", "trap '' XFSZ; ulimit -f 24000; exec \"$@\"", "bash"])
        .arg(std::env::current_exe().unwrap())
        .args(CHILD)
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(text.contains("refused: the disk is full: make room"), "{text}");
    let acknowledged = text
        .lines()
        .filter_map(|line| line.split_once("acknowledged "))
        .filter_map(|(_, line)| line.split_once(' '))
        .filter(|(id, _)| *id != "feed")
        .map(|(id, text)| (id.to_owned(), text.to_owned()))
        .collect::<BTreeMap<_, _>>();
    assert!(!acknowledged.is_empty(), "{text}");
    look(&folder.path().join("data"), &acknowledged, &content);
}

#[test]
fn two_processes_on_one_folder_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file.bin"), b"small").unwrap();
    let mut child = start_child(folder.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.by_ref().map_while(Result::ok).find(|line| line.contains("acknowledged feed")).expect("the child is at work");
    let result = Store::open(&folder.path().join("data"), &Options::default());
    child.kill().unwrap();
    child.wait().unwrap();
    let Err(error) = result else { panic!("both had the folder") };
    assert!(error.to_string().contains(&format!("process {} (", child.id())), "{error}");
    Store::open(&folder.path().join("data"), &Options::default()).expect("a killed process holds nothing");
}
