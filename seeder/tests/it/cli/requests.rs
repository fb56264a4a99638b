//! `invite`, `add`, `requests`, `accept`, `refuse`: becoming friends by letters that wait at a home server.

use peerfeed_protocol::feed::Link;

use super::folder::Folder;
use super::together::{Daemon, until};

/// A home server that keeps feeds, and letters for their owners.
struct Server {
    folder: Folder,
    daemon: Daemon,
}

impl Server {
    fn start() -> Self {
        let folder = Folder::empty();
        let daemon = Daemon::start(&folder, &["--listen", "127.0.0.1:0"]);
        Self { folder, daemon }
    }

    /// Somebody whose feed it holds.
    fn guest(&self, name: &str) -> Folder {
        let person = Folder::of(name);
        self.folder.does(&["seed", &person.link(&[])]);
        person.does(&["seeders", "add", self.daemon.code()]);
        person.does(&["post", &format!("{name} was here first."), "--wait", "60s"]);
        person
    }
}

/// The texts that a person reads of another one.
fn reads(person: &Folder, name: &str) -> Vec<String> {
    person.does(&["fetch", name]);
    let entries = person.json(&["read", name]);
    entries.iter().filter_map(|entry| entry["text"].as_str()).map(str::to_owned).collect()
}

fn states(person: &Folder) -> Vec<(String, String)> {
    let said = person.tries(&["--json", "requests"]);
    let lines = said.out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    lines.map(|line| (text(&line["name"]), text(&line["state"]))).collect()
}

fn feeds(person: &Folder) -> usize {
    person.one(&["status"])["feeds"].as_array().unwrap().len()
}

#[test]
fn an_invitation_makes_friends_of_two_who_are_never_online_together() {
    let server = Server::start();
    let (ann, ben) = (server.guest("Ann"), server.guest("Ben"));
    let said = ben.does(&["add", &ann.invitation(&[]), "--name", "annie"]);
    assert!(said.contains("on its way"), "{said}");
    assert_eq!(states(&ben), [("annie".to_owned(), "sent".to_owned())]);
    // Ann asks her server later, when Ben is gone; nobody has to accept anything.
    assert_eq!(states(&ann), [("Ben".to_owned(), "friends".to_owned())]);
    assert_eq!(ann.one(&["friends"])["fingerprint"], ben.one(&["id"])["fingerprint"]);
    assert_eq!(reads(&ben, "annie"), ["Ann was here first."]);
    let friends = ben.one(&["friends"]);
    assert_eq!((&friends["name"], &friends["granted"]), (&"annie".into(), &true.into()));
    assert_eq!(reads(&ann, "Ben"), ["Ben was here first."]);
    // Asked again, either of them: nothing changes.
    ben.does(&["add", &ann.link(&[])]);
    assert_eq!(ben.json(&["friends"]).len(), 1);
    ben.tries(&["requests"]).ends(1, &["nobody waits"]);
}

#[test]
fn a_request_without_an_invitation_waits_for_a_yes_or_a_no() {
    let server = Server::start();
    let (ann, ben, eve) = (server.guest("Ann"), server.guest("Ben"), server.guest("Eve"));
    let open = ann.link(&[]);
    assert!(open.parse::<Link>().unwrap().invitation.is_none());
    ben.does(&["add", &open, "--name", "Ann"]);
    eve.does(&["add", &open, "--name", "Ann"]);
    ben.tries(&["add", &open]).ends(1, &["asked Ann already"]);
    let waiting = ann.json(&["requests"]);
    let names: Vec<_> = waiting.iter().filter(|line| line["event"] == "request").map(|line| &line["name"]).collect();
    assert_eq!(names.len(), 2, "{waiting:?}");
    assert!(waiting.iter().any(|line| line["fingerprint"] == ben.one(&["id"])["fingerprint"]));
    assert_eq!(feeds(&ann), 1, "who only asks is not followed");
    assert_eq!(ann.one(&["status"])["requests"], 2);
    assert!(ann.does(&["status"]).contains("2 people ask to be friends"));

    ann.tries(&["accept", "Zoe"]).ends(2, &["nobody here is called Zoe"]);
    ann.tries(&["refuse", "Zoe"]).ends(1, &["nobody called Zoe waits"]);
    let accepted = ann.one(&["accept", "ben", "--from-now", "--seed", "--name", "Benny"]);
    assert_eq!((&accepted["change"], &accepted["name"]), (&"added".into(), &"Benny".into()));
    assert_eq!(accepted["from_now"], true);
    assert_eq!(ann.one(&["refuse", "Eve"])["state"], "refused");
    ann.tries(&["refuse", "Eve"]).ends(1, &["nobody called Eve waits"]);

    ann.does(&["post", "For Benny.", "--wait", "60s"]);
    assert_eq!(reads(&ben, "Ann"), ["For Benny."]);
    assert_eq!(ben.json(&["friends"]).len(), 1);
    assert_eq!(reads(&ann, "Benny"), ["Ben was here first."]);
    let roles = ann.one(&["status"])["feeds"].to_string();
    assert!(roles.contains("seed"), "{roles}");

    assert!(reads(&eve, "Ann").is_empty());
    assert_eq!(states(&eve), [("Ann".to_owned(), "refused by them".to_owned())]);
    eve.tries(&["friends"]).ends(1, &["no friends here yet"]);
    // Who was refused may ask again in vain, until there is an invitation.
    eve.does(&["add", &open]);
    ann.tries(&["requests"]).ends(1, &["nobody waits"]);
    eve.does(&["add", &ann.invitation(&[])]);
    assert!(ann.does(&["requests"]).contains("Eve  is your friend now"));
}

#[test]
fn an_invitation_that_was_used_or_is_for_another_feed_is_one_clear_line_and_changes_nothing() {
    let server = Server::start();
    let (ann, ben, eve) = (server.guest("Ann"), server.guest("Ben"), server.guest("Eve"));
    let invitation = ann.invitation(&[]);
    ben.does(&["add", &invitation]);
    let refused = ["was used already", "peerfeed invite"];
    eve.tries(&["add", &invitation]).ends(2, &refused);
    assert_eq!(feeds(&eve), 1);
    eve.tries(&["requests"]).ends(1, &["nobody waits"]);

    // Ben's invitation in a link to Ann.
    let mut forged: Link = ann.link(&[]).parse().unwrap();
    forged.invitation = ben.invitation(&[]).parse::<Link>().unwrap().invitation;
    eve.tries(&["add", &forged.to_text().unwrap()]).ends(2, &refused);
    assert_eq!(feeds(&eve), 1);

    // One whose time is over is not even sent.
    let mut late: Link = ann.invitation(&[]).parse().unwrap();
    late.expiry = Some(1);
    eve.tries(&["add", &late.to_text().unwrap()]).ends(2, &["the link has expired", "peerfeed invite"]);
    ann.tries(&["invite", "--expires", "0s"]).ends(2, &["a second at least"]);
    assert!(ann.does(&["requests"]).contains("Ben  is your friend now"));
}

#[test]
fn two_requests_that_cross_make_friends_without_anybody_accepting() {
    let server = Server::start();
    let (ann, ben) = (server.guest("Ann"), server.guest("Ben"));
    ann.does(&["add", &ben.link(&[]), "--name", "Ben"]);
    let said = ben.does(&["add", &ann.link(&[]), "--name", "Ann"]);
    assert!(said.contains("You are friends now"), "{said}");
    assert!(ann.does(&["requests"]).contains("Ben  is your friend now"));
    assert_eq!((ann.json(&["friends"]).len(), ben.json(&["friends"]).len()), (1, 1));
    assert_eq!(reads(&ben, "Ann"), ["Ann was here first."]);
    assert_eq!(reads(&ann, "Ben"), ["Ben was here first."]);
    ann.tries(&["requests"]).ends(1, &["nobody waits"]);
}

/// Requests that wait, as `status` tells them: it asks no mailbox.
fn waiting(person: &Folder) -> u64 {
    person.one(&["status"])["requests"].as_u64().unwrap()
}

#[test]
fn a_daemon_shows_a_request_as_soon_as_it_comes() {
    let server = Server::start();
    let (ann, ben, eve) = (server.guest("Ann"), server.guest("Ben"), server.guest("Eve"));
    ben.does(&["add", &ann.link(&[]), "--name", "Ann"]);
    assert_eq!(waiting(&ann), 0, "nobody has looked yet");
    // What waits when it starts, and what comes while it runs.
    let _daemon = Daemon::start(&ann, &["--listen", "none"]);
    until("Ben's request is read", || (waiting(&ann) == 1).then_some(()));
    eve.does(&["add", &ann.link(&[]), "--name", "Ann"]);
    until("Eve's request is read", || (waiting(&ann) == 2).then_some(()));
    // Who is invited becomes a friend without anybody saying so.
    let cleo = server.guest("Cleo");
    cleo.does(&["add", &ann.invitation(&[]), "--name", "Ann"]);
    until("Cleo is a friend", || (ann.tries(&["friends"]).code == 0).then_some(()));
    assert_eq!(waiting(&ann), 2);
}

#[test]
fn a_node_of_ones_own_is_a_mailbox_too() {
    let (ann, ben) = (Folder::of("Ann"), Folder::of("Ben"));
    let daemon = Daemon::start(&ann, &["--listen", "127.0.0.1:0"]);
    ann.does(&["seeders", "add", daemon.code()]);
    ben.does(&["add", &ann.link(&[]), "--name", "Ann"]);
    until("Ben's request is read", || (waiting(&ann) == 1).then_some(()));
    ann.does(&["accept", "Ben"]);
    ben.does(&["fetch", "Ann"]);
    assert_eq!(ben.json(&["friends"]).len(), 1);
}

#[test]
fn a_request_waits_here_while_nobody_of_theirs_can_be_reached() {
    let (ann, ben) = (Folder::of("Ann"), Folder::of("Ben"));
    let said = ben.does(&["add", &ann.invitation(&[]), "--name", "Ann"]);
    assert!(said.contains("goes out when"), "{said}");
    assert_eq!(states(&ben), [("Ann".to_owned(), "not sent yet".to_owned())]);
    // Later there is a server, and Ben tries again by fetching.
    let server = Server::start();
    server.folder.does(&["seed", &ann.link(&[])]);
    ann.does(&["seeders", "add", server.daemon.code()]);
    ann.does(&["post", "Now I have a server.", "--wait", "60s"]);
    ben.does(&["add", &ann.link(&[]), "--follow-only"]);
    ben.does(&["fetch"]);
    assert_eq!(states(&ben), [("Ann".to_owned(), "sent".to_owned())]);
    assert!(ann.does(&["requests"]).contains("Ben  is your friend now"));
    // Ben has no mailbox: that he can read is the answer.
    assert_eq!(reads(&ben, "Ann"), ["Now I have a server."]);
    assert_eq!(ben.json(&["friends"]).len(), 1);
}

#[test]
fn names_that_play_tricks_are_shown_as_what_they_are() {
    let server = Server::start();
    let ann = server.guest("Ann");
    let trickster = server.guest("B\u{1b}[2Jen\u{202e}nna");
    trickster.does(&["add", &ann.link(&[])]);
    let said = ann.tries(&["requests"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("B\\u{1b}[2Jen\\u{202e}nna"), "{said:?}");
    assert!(!said.out.contains(['\u{1b}', '\u{202e}']) && !said.err.contains(['\u{1b}', '\u{202e}']), "{said:?}");
}

#[test]
fn a_link_is_shown_as_a_code_and_works_for_as_long_as_it_says() {
    let ann = Folder::of("Ann");
    let said = ann.does(&["invite", "--qr", "--expires", "2d"]);
    assert!(said.contains('█') || said.contains('▀'), "{said}");
    let told = ann.one(&["invite"]);
    assert!(told["expires"].is_string(), "{told}");
    assert!(ann.one(&["invite", "--open"])["expires"].is_null());
    assert!(ann.one(&["invite", "--with-key"])["expires"].is_null());
    ann.tries(&["invite", "--open", "--expires", "1h"]).ends(2, &["--open"]);
}
