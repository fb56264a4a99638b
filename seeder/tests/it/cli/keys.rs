//! `passwd`, `unlock`, `init --cold`, `recover`, `export`, `import`: whose keys lie where, and who may do what with them.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::folder::Folder;
use super::friends::{Server, posts};
use super::together::{Daemon, until};

/// A person whose words are known.
fn with_words(args: &[&str]) -> (Folder, String) {
    let folder = Folder::empty();
    let created = folder.one(&[&["init", "--name", "Ann"], args].concat());
    let words = created["recovery_phrase"].as_str().unwrap().to_owned();
    let file = folder.file("words", words.as_bytes());
    (folder, file)
}

fn texts(folder: &Folder, args: &[&str]) -> Vec<String> {
    let entries = folder.json(&[&["read"], args].concat());
    entries.iter().filter_map(|entry| entry["text"].as_str()).map(str::to_owned).collect()
}

#[test]
fn sealed_keys_need_the_passphrase_and_everything_says_so() {
    let ann = Folder::of("Ann");
    ann.does(&["post", "Before."]);
    let (short, one, two) =
        (ann.file("short", b"short"), ann.file("one", b"correct horse\n"), ann.file("two", b"another horse"));
    ann.tries(&["passwd"]).ends(2, &["asked for at a terminal", "--new-passphrase-file"]);
    ann.tries(&["passwd", "--new-passphrase-file", &short]).ends(2, &["at least 8 characters"]);
    assert_eq!(ann.one(&["passwd", "--new-passphrase-file", &one])["state"], "unlocked");
    for command in [&["post", "x"][..], &["read"], &["id"], &["friends"], &["invite"], &["passwd", "--remove"]] {
        ann.tries(command).ends(2, &["sealed under a passphrase", "--passphrase-file", "peerfeed unlock"]);
    }
    ann.tries(&["post", "x", "--passphrase-file", &two]).ends(2, &["passphrase does not fit"]);
    ann.does(&["status"]);
    ann.does(&["post", "After.", "--passphrase-file", &one]);
    assert_eq!(texts(&ann, &["--passphrase-file", &one]), ["Before.", "After."]);
    ann.does(&["passwd", "--passphrase-file", &one, "--new-passphrase-file", &two]);
    ann.tries(&["id", "--passphrase-file", &one]).ends(2, &["passphrase does not fit"]);
    assert_eq!(ann.one(&["passwd", "--remove", "--passphrase-file", &two])["state"], "open");
    ann.does(&["id"]);
}

#[test]
fn no_session_and_no_token_is_left_in_the_folder() {
    let ann = Folder::of("Ann");
    let one = ann.file("one", b"correct horse");
    ann.does(&["passwd", "--new-passphrase-file", &one]);
    let daemon = Daemon::start(&ann, &["--listen", "none"]);
    ann.does(&["unlock", "--passphrase-file", &one]);
    ann.does(&["post", "Unlocked."]);
    daemon.stop();
    let mut files: Vec<_> =
        fs::read_dir(ann.data()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert_eq!(files, ["device.key", "identity.key", "lock", "node.key", "store.redb"]);
    ann.tries(&["read"]).ends(2, &["sealed under a passphrase"]);
}

#[test]
fn a_locked_daemon_seeds_and_takes_nothing_for_granted_until_it_is_unlocked() {
    let (ann, ben, server) = (Folder::of("Ann"), Folder::of("Ben"), Server::start());
    server.holds(&ann);
    ann.does(&["add", &ben.link(&[]), "--name", "Ben"]);
    let passphrase = ben.file("passphrase", b"correct horse");
    ben.does(&["passwd", "--new-passphrase-file", &passphrase]);
    ben.does(&["seed", &ann.link(&[])]);
    ben.does(&["add", &ann.link(&[]), "--name", "Ann", "--follow-only"]);
    let daemon = Daemon::start(&ben, &["--listen", "127.0.0.1:0"]);
    ann.does(&["seeders", "add", daemon.code()]);
    // That one of both has it is enough for Ann.
    posts(&ann, "Hello.");
    ben.tries(&["read"]).ends(2, &["sealed under a passphrase"]);
    ben.tries(&["unlock"]).ends(2, &["sealed under a passphrase"]);
    ben.tries(&["add", &ann.link(&["--with-key"])]).ends(2, &["sealed under a passphrase"]);
    until("it holds Ann's feed while it is locked", || {
        let status = ben.one(&["status"]);
        let held = status["feeds"].as_array().unwrap().iter().filter_map(|feed| feed["entries_held"].as_u64()).max();
        (held >= Some(3)).then_some(())
    });
    assert_eq!(ben.one(&["unlock", "--passphrase-file", &passphrase])["state"], "unlocked");
    ben.does(&["read", "Ann"]);
    ben.does(&["post", "Unlocked."]);
}

#[test]
fn a_cold_identity_is_nowhere_on_the_machine_and_rare_acts_ask_for_the_words() {
    let (ann, words) = with_words(&["--cold"]);
    assert!(!ann.data().join("identity.key").exists());
    ann.does(&["post", "Cold."]);
    assert_eq!(texts(&ann, &[]), ["Cold."]);
    let add = ["trackers", "add", "udp://tracker.example:6969"];
    ann.tries(&add).ends(2, &["signed by your identity", "24 words", "--words-file"]);
    assert!(ann.json(&["trackers"]).is_empty());
    let (_other, words_of_another) = with_words(&[]);
    ann.tries(&[&add[..], &["--words-file", &words_of_another]].concat()).ends(2, &["words of another feed"]);
    let typed = fs::read_to_string(&words).unwrap();
    let mut mistyped: Vec<_> = typed.split(' ').collect();
    mistyped[6] = "peerfed";
    let mistyped = ann.file("mistyped", mistyped.join(" ").as_bytes());
    ann.tries(&[&add[..], &["--words-file", &mistyped]].concat()).ends(2, &["word 7"]);
    ann.does(&[&add[..], &["--words-file", &words]].concat());
    assert_eq!(ann.json(&["trackers"]).len(), 1);
    ann.tries(&["trackers", "remove", "udp://tracker.example:6969"]).ends(2, &["24 words"]);
    ann.tries(&["init"]).ends(2, &["already has an identity"]);
}

#[test]
fn words_alone_bring_a_feed_back_with_all_that_its_owner_wrote() {
    let (server, ben, (ann, words)) = (Server::start(), Folder::of("Ben"), with_words(&[]));
    server.holds(&ann);
    server.holds(&ben);
    posts(&ben, "Ben's.");
    ann.does(&["add", &ben.link(&[]), "--name", "Ben"]);
    ann.does(&["fetch"]);
    ann.does(&["accept", "Ben"]);
    posts(&ann, "For friends.");
    ann.does(&["dm", "Ben", "For Ben.", "--wait", "60s"]);
    let (link, feed) = (ann.link(&[]), ann.one(&["id"])["feed"].clone());

    let new = Folder::empty();
    new.tries(&["recover", &link]).ends(2, &["24 words", "--words-file"]);
    new.tries(&["recover", &ben.link(&[]), "--words-file", &words]).ends(2, &["words of another feed"]);
    let back = new.one(&["recover", &link, "--words-file", &words]);
    assert_eq!((&back["feed"], &back["name"]), (&feed, &"Ann".into()));
    assert_eq!(back["devices"].as_array().unwrap().len(), 2);
    assert_eq!(texts(&new, &[]), ["For friends.", "For Ben."]);
    new.tries(&["recover", &link, "--words-file", &words]).ends(2, &["already has an identity"]);
    new.does(&["post", "From the new machine.", "--to", "public", "--wait", "60s"]);
    ben.does(&["add", &link, "--name", "Ann"]);
    ben.does(&["fetch", "Ann"]);
    assert_eq!(texts(&ben, &["Ann"]).last().unwrap(), "From the new machine.");
}

#[test]
fn words_alone_bring_friends_lists_and_names_back_and_a_new_post_reaches_them() {
    let (server, ben, zoe, (ann, words)) = (Server::start(), Folder::of("Ben"), Folder::of("Zoe"), with_words(&[]));
    for person in [&ann, &ben, &zoe] {
        server.holds(person);
        posts(person, "My own.");
    }
    ann.does(&["add", &ben.link(&[]), "--name", "Ben of the hill", "--follow-only"]);
    ann.does(&["add", &zoe.link(&[]), "--name", "Zoe of the lake", "--follow-only"]);
    ben.does(&["add", &ann.link(&[]), "--name", "Ann", "--follow-only"]);
    ann.does(&["fetch"]);
    ann.does(&["accept", "Ben of the hill"]);
    ann.does(&["list", "add", "hikers", "Ben of the hill"]);
    ann.does(&["mute", "Zoe of the lake"]);
    posts(&ann, "For friends.");
    ann.does(&["post", "For hikers.", "--to", "hikers", "--wait", "60s"]);
    ben.does(&["fetch"]);
    let sealed = |folder: &Folder| {
        let entries = folder.json(&["read", "Ann"]);
        entries.iter().filter(|entry| entry["type"] != "post").count()
    };
    assert_eq!(sealed(&ben), 0, "nobody is shown that the state was kept");
    assert_eq!(texts(&ann, &["Ann"]), ["My own.", "For friends.", "For hikers."]);
    let (link, friends, typed) = (ann.link(&[]), ann.one(&["friends"]), fs::read_to_string(&words).unwrap());
    drop(ann);

    let new = Folder::empty();
    let told = new.tries(&["recover", &link, "--words-file", &new.file("words", typed.as_bytes())]);
    told.ends(0, &["1 friend, 1 list and 2 feeds that you follow came back"]);
    assert_eq!(new.one(&["friends"])["feed"], friends["feed"]);
    assert_eq!(new.one(&["friends"])["name"], "Ben of the hill");
    assert_eq!(new.one(&["list"])["members"][0]["feed"], friends["feed"]);
    let feeds = new.one(&["status"])["feeds"].as_array().unwrap().clone();
    let muted = |name: &str| feeds.iter().find(|feed| feed["name"] == name).unwrap()["muted"].clone();
    assert_eq!((muted("Ben of the hill"), muted("Zoe of the lake")), (false.into(), true.into()));
    assert_eq!(texts(&new, &["Ann"]), ["My own.", "For friends.", "For hikers."]);
    // Their feeds are fetched again, and they are granted what is owed to them.
    new.does(&["fetch"]);
    assert_eq!(new.one(&["friends"])["granted"], true);
    posts(&new, "From the new machine.");
    new.does(&["post", "Hikers again.", "--to", "hikers", "--wait", "60s"]);
    ben.does(&["fetch"]);
    let read = texts(&ben, &["Ann"]);
    assert_eq!(read[3..], ["From the new machine.", "Hikers again."], "{read:?}");
}

/// What a thief of the disk has.
fn copy(from: &Folder) -> Folder {
    let thief = Folder::empty();
    let copied = Command::new("cp").arg("-r").arg(from.data()).arg(thief.data()).status().unwrap();
    assert!(copied.success());
    thief
}

#[test]
fn a_stolen_feed_is_taken_back_and_the_thief_writes_to_nobody() {
    let (server, ben, (ann, words)) = (Server::start(), Folder::of("Ben"), with_words(&[]));
    server.holds(&ann);
    posts(&ann, "Before the theft.");
    let link = ann.link(&["--with-key"]);
    ben.does(&["add", &link, "--name", "Ann"]);
    ben.does(&["fetch"]);
    let thief = copy(&ann);
    // The thief is quick.
    thief.does(&["trackers", "add", "udp://thief.example:1"]);
    thief.does(&["post", "I am Ann.", "--to", "public", "--wait", "60s"]);

    let new = Folder::empty();
    let back = new.one(&["recover", &link, "--stolen", "--words-file", &words]);
    let revoked = |device: &&serde_json::Value| device["revoked"] == true;
    assert_eq!(back["devices"].as_array().unwrap().iter().filter(revoked).count(), 1);
    assert!(!new.data().join("identity.key").exists(), "the successor's key is nowhere");
    new.does(&["trackers", "remove", "udp://thief.example:1", "--words-file", &words]);
    new.does(&["post", "It is me again.", "--to", "public", "--wait", "60s"]);
    ben.does(&["fetch"]);
    thief.tries(&["post", "Believe me!", "--to", "public", "--wait", "5s"]);
    ben.does(&["fetch"]);
    let read = texts(&ben, &["Ann"]);
    assert_eq!(read.last().unwrap(), "It is me again.");
    assert!(!read.contains(&"Believe me!".to_owned()), "{read:?}");
    let (ours, theirs) = (new.link(&[]), ben.one(&["status"]).to_string());
    assert!(!theirs.contains("thief.example"), "{theirs}");
    // Ann's friends are hers again, with keys that the thief does not get.
    server.holds(&ben);
    posts(&ben, "Ben's.");
    new.does(&["add", &ben.link(&[]), "--name", "Ben"]);
    ben.does(&["add", &ours, "--name", "Ann", "--follow-only"]);
    new.does(&["accept", "Ben"]);
    new.does(&["fetch", "Ben"]);
    posts(&new, "For friends only.");
    ben.does(&["fetch"]);
    assert_eq!(texts(&ben, &["Ann"]).last().unwrap(), "For friends only.");
}

#[test]
fn an_exported_identity_becomes_a_second_device_with_a_log_of_its_own() {
    let (server, ann) = (Server::start(), Folder::of("Ann"));
    server.holds(&ann);
    posts(&ann, "From the first.");
    let zoe = Folder::of("Zoe");
    ann.does(&["add", &zoe.link(&[]), "--name", "Zoe of the hill", "--follow-only"]);
    ann.does(&["mute", "Zoe of the hill"]);
    let (seal, wrong) = (ann.file("seal", b"a third horse"), ann.file("wrong", b"some other horse"));
    let file = ann.root.path().join("ann.peerfeed").display().to_string();
    ann.does(&["export", &file, "--new-passphrase-file", &seal]);
    ann.tries(&["export", &file, "--new-passphrase-file", &seal]).ends(2, &["ann.peerfeed", "not overwritten"]);
    assert_eq!(mode(Path::new(&file)), 0o600);

    let second = Folder::empty();
    second.tries(&["import", &file, "--file-passphrase", &wrong]).ends(2, &["passphrase does not fit"]);
    let said = second.tries(&["--json", "import", &file, "--file-passphrase", &seal]);
    // The head of the new device's log went to the seeder before the roster that names it, and meant nothing there.
    assert!(said.code == 0 && !said.err.contains("no seeder has heard of this device"), "{said:?}");
    let back: serde_json::Value = serde_json::from_str(said.out.trim()).unwrap();
    assert_eq!(back["feed"], ann.one(&["id"])["feed"]);
    assert_eq!(texts(&second, &[]), ["From the first."]);
    let followed = second.one(&["status"])["feeds"][1].clone();
    assert_eq!((&followed["name"], &followed["muted"]), (&"Zoe of the hill".into(), &true.into()));
    let keys = |folder: &Folder| fs::read(folder.data().join("device.key")).unwrap();
    assert_ne!(keys(&ann), keys(&second), "a device's keys never move");
    second.does(&["post", "From the second.", "--to", "public", "--wait", "60s"]);
    ann.does(&["post", "From the first again.", "--to", "public", "--wait", "60s"]);
    // Nobody knows where Zoe is; what another device wrote comes all the same.
    second.tries(&["fetch"]).ends(1, &["Zoe of the hill"]);
    assert_eq!(texts(&second, &["--limit", "1"]), ["From the first again."]);
    let ben = Folder::empty();
    ben.does(&["add", &ann.link(&[]), "--name", "Ann"]);
    ben.does(&["fetch"]);
    assert_eq!(texts(&ben, &["Ann"]), ["From the second.", "From the first again."]);
    assert_eq!(second.one(&["id"])["devices"].as_array().unwrap().len(), 2);
    ann.tries(&["import", &file, "--file-passphrase", &seal]).ends(2, &["already has an identity"]);
    second.tries(&["import", "/nonexistent", "--file-passphrase", &seal]).ends(2, &["already has an identity"]);
    let missing = Folder::empty().tries(&["import", "/nonexistent", "--file-passphrase", &seal]);
    missing.ends(2, &["/nonexistent cannot be read", "peerfeed export"]);
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
