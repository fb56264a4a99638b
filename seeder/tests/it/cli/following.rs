//! `add`, `unfollow`, `seed`, `unseed`.

use std::io::Write;
use std::process::Stdio;

use super::folder::Folder;

#[test]
fn a_friend_is_followed_by_link_under_a_name() {
    let (ann, bob) = (Folder::of("Ann"), Folder::empty());
    let added = bob.one(&["add", &ann.link(&["--with-key"])]);
    assert_eq!(added["event"], "feed");
    assert_eq!(added["change"], "added");
    assert_eq!(added["name"], "Ann");
    assert_eq!(added["readable"], true);
    let again = bob.one(&["add", &ann.link(&[]), "--name", "Annie"]);
    assert_eq!(again["change"], "known");
    assert_eq!(again["name"], "Annie");
    assert_eq!(again["readable"], true, "a link without a key takes none away");
    assert_eq!(bob.one(&["unfollow", "annie"])["change"], "removed");
    assert_eq!(bob.one(&["status"])["feeds"].as_array().unwrap().len(), 0);
}

#[test]
fn a_link_can_come_from_standard_input() {
    let (ann, bob) = (Folder::of("Ann"), Folder::empty());
    let mut child = bob.command(&["add", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", ann.link(&[])).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(bob.one(&["status"])["feeds"][0]["roles"][0], "follow");
}

#[test]
fn a_mistyped_feed_id_or_link_says_what_is_wrong_and_changes_nothing() {
    let (ann, bob) = (Folder::of("Ann"), Folder::empty());
    let feed = ann.one(&["id"])["feed"].as_str().unwrap().to_owned();
    let wrong = feed.replacen(&feed[20..21], if &feed[20..21] == "q" { "p" } else { "q" }, 1);
    bob.tries(&["add", &wrong]).ends(2, &["feed id"]);
    bob.tries(&["add", &feed[..40]]).ends(2, &["characters"]);
    let link = ann.link(&[]);
    bob.tries(&["add", &link[..link.len() - 3]]).ends(2, &["checksum", "copy all of it"]);
    bob.tries(&["add", "hello"]).ends(2, &["neither a link"]);
    bob.tries(&["seed", "hello"]).ends(2, &["neither a link"]);
    assert_eq!(bob.one(&["status"])["feeds"].as_array().unwrap().len(), 0);
}

#[test]
fn names_are_unique_and_found_in_any_case() {
    let (ann, other, bob) = (Folder::of("Ann"), Folder::of("Ann"), Folder::empty());
    bob.does(&["add", &ann.link(&["--with-key"])]);
    bob.tries(&["add", &other.link(&["--with-key"]), "--name", "ANN"]).ends(2, &["already called", "--name"]);
    bob.tries(&["unfollow", "Zoe"]).ends(2, &["nobody here is called Zoe", "peerfeed status"]);
    bob.tries(&["add", &other.link(&[]), "--name", "a\nb"]).ends(2, &["name"]);
}

#[test]
fn ones_own_feed_is_not_followed() {
    let ann = Folder::of("Ann");
    ann.tries(&["add", &ann.link(&[])]).ends(2, &["your own feed"]);
    ann.tries(&["unfollow", "Ann"]).ends(1, &["do not follow"]);
}

#[test]
fn a_seeder_keeps_no_key_and_prints_its_code_only_when_it_listens() {
    let (ann, seeder) = (Folder::of("Ann"), Folder::empty());
    let lines = seeder.json(&["seed", &ann.link(&["--with-key"]), "--quota", "5GiB"]);
    assert_eq!(lines[0]["event"], "feed");
    assert_eq!(lines[0]["readable"], false);
    assert_eq!(lines[0]["quota_bytes"], 5_u64 << 30);
    let status = seeder.one(&["status"]);
    assert_eq!(status["feeds"][0]["roles"][0], "seed");
    assert_eq!(status["feeds"][0]["readable"], false);
    let feed = status["feeds"][0]["feed"].as_str().unwrap().to_owned();
    seeder.tries(&["read"]).ends(1, &["nothing to read here"]);
    seeder.tries(&["unfollow", &feed]).ends(1, &["do not follow"]);
    seeder.does(&["unseed", &feed]);
    seeder.tries(&["unseed", &feed]).ends(2, &["not in this data folder"]);
    assert_eq!(seeder.one(&["status"])["feeds"].as_array().unwrap().len(), 0);
}

#[test]
fn what_a_seeded_feed_may_take_of_the_line_is_kept_shown_and_taken_back() {
    let (ann, seeder) = (Folder::of("Ann"), Folder::empty());
    let link = ann.link(&[]);
    let said = seeder.does(&["seed", &link, "--up", "500KiB", "--down", "2MB"]);
    assert!(said.contains("at most up 500 KiB/s and down 1.9 MiB/s"), "{said}");
    let feed = || seeder.one(&["status"])["feeds"][0].clone();
    assert_eq!((feed()["up"].as_u64(), feed()["down"].as_u64()), (Some(500 << 10), Some(2_000_000)));
    seeder.does(&["seed", &link, "--up", "none", "--quota", "1GiB"]);
    assert_eq!((feed()["up"].as_u64(), feed()["down"].as_u64()), (None, Some(2_000_000)), "what is not named stays");
    assert!(seeder.does(&["status"]).contains("at most down 1.9 MiB/s"));
    seeder.tries(&["seed", &link, "--up", "fast"]).ends(2, &["write a rate"]);
}

#[test]
fn a_feed_that_is_followed_and_seeded_stays_when_one_of_both_ends() {
    let (ann, bob) = (Folder::of("Ann"), Folder::empty());
    let link = ann.link(&["--with-key"]);
    bob.does(&["add", &link]);
    bob.does(&["seed", &link]);
    let status = bob.one(&["status"]);
    assert_eq!(status["feeds"][0]["roles"].as_array().unwrap().len(), 2);
    bob.does(&["unseed", "Ann"]);
    assert_eq!(bob.one(&["status"])["feeds"][0]["roles"], serde_json::json!(["follow"]));
}
