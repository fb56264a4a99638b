//! `post` and `invite`.

use std::io::Write;
use std::process::Stdio;

use super::folder::Folder;

#[test]
fn a_post_with_text_channel_and_file_is_there_when_the_command_ends() {
    let ann = Folder::of("Ann");
    let file = ann.file("rose.txt", b"a rose");
    let posted = ann.one(&["post", "look", "--attach", &file, "--channel", "garden"]);
    let entry = ann.one(&["read"]);
    assert_eq!(entry["id"], posted["id"]);
    assert_eq!(entry["author"], "Ann");
    assert_eq!(entry["type"], "post");
    assert_eq!(entry["text"], "look");
    assert_eq!(entry["channel"], "garden");
    assert_eq!(entry["attachments"][0]["name"], "rose.txt");
    assert_eq!(entry["attachments"][0]["size_bytes"], 6);
    assert!(entry["time"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn a_post_that_nobody_can_find_is_noted_until_the_feed_names_somebody() {
    let ann = Folder::of("Ann");
    ann.tries(&["post", "x"]).ends(0, &["nobody finds your feed", "peerfeed trackers add URL"]);
    ann.does(&["trackers", "add", "udp://tracker.example:1"]);
    ann.tries(&["post", "x"]).ends(0, &["it is on this disk", "peerfeed run"]);
}

#[test]
fn a_dash_reads_the_text_from_standard_input() {
    let ann = Folder::of("Ann");
    let mut child = ann.command(&["post", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all("zwei\nZeilen\n".as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(ann.one(&["read"])["text"], "zwei\nZeilen");
}

#[test]
fn a_post_that_cannot_be_made_says_why_and_changes_nothing() {
    let ann = Folder::of("Ann");
    let before = ann.one(&["status"])["feeds"][0]["entries"].clone();
    ann.tries(&["post"]).ends(2, &["TEXT"]);
    ann.tries(&["post", ""]).ends(2, &["needs a text or a file"]);
    ann.tries(&["post", " \n"]).ends(2, &["needs a text or a file"]);
    ann.tries(&["post", "x", "--attach", "/no/such/file"]).ends(2, &["/no/such/file", "nothing was posted"]);
    ann.tries(&["post", "x", "--attach", "/tmp"]).ends(2, &["not a regular file"]);
    ann.tries(&["post", &"x".repeat(50_001)]).ends(2, &["50000", "--attach"]);
    for channel in ["", "two\nlines", &"c".repeat(65)] {
        ann.tries(&["post", "x", "--channel", channel]).ends(2, &["channel", "1 to 64 visible bytes"]);
    }
    ann.tries(&["post", "x", "--to", "everyone"]).ends(2, &["public", "friends"]);
    assert_eq!(ann.one(&["status"])["feeds"][0]["entries"], before);
}

#[test]
fn a_post_that_waits_without_a_seeder_is_a_plain_no_that_still_names_the_post() {
    let ann = Folder::of("Ann");
    let said = ann.tries(&["--json", "post", "x", "--wait", "1s"]);
    said.ends(1, &["seeder"]);
    assert!(said.out.contains("\"posted\""), "{said:?}");
    assert_eq!(ann.one(&["read"])["text"], "x");
}

#[test]
fn a_link_carries_the_key_only_when_asked_and_the_name_only_to_friends() {
    let ann = Folder::of("Ann");
    ann.does(&["trackers", "add", "udp://tracker.example:6969"]);
    let blind: peerfeed_protocol::feed::Link = ann.link(&[]).parse().unwrap();
    assert!(blind.key.is_none() && blind.name.is_none());
    assert_eq!(blind.trackers.len(), 1);
    let open: peerfeed_protocol::feed::Link = ann.link(&["--with-key"]).parse().unwrap();
    assert!(open.key.is_some());
    assert_eq!(open.name.as_deref(), Some("Ann"));
    assert_eq!(open.feed, blind.feed);
}

#[test]
fn a_link_that_nobody_will_find_anything_by_is_noted() {
    let ann = Folder::of("Ann");
    let said = ann.tries(&["invite"]);
    said.ends(0, &["no tracker and no seeder", "peerfeed trackers add"]);
    assert!(said.out.starts_with("peerfeed:"));
}
