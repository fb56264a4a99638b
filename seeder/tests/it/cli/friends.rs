//! `accept`, `friends`, `remove`, `mute`.

use super::folder::Folder;
use super::together::Daemon;

/// A home server that holds the feeds of people who are online only for a moment.
pub(super) struct Server {
    pub(super) folder: Folder,
    daemon: Daemon,
}

impl Server {
    pub(super) fn start() -> Self {
        let folder = Folder::empty();
        let daemon = Daemon::start(&folder, &["--listen", "127.0.0.1:0"]);
        Self { folder, daemon }
    }

    /// Holds a person's feed, who lists it.
    pub(super) fn holds(&self, person: &Folder) {
        self.folder.does(&["seed", &person.link(&[])]);
        person.does(&["seeders", "add", self.daemon.code()]);
    }
}

/// Posts, and goes when the server has it.
pub(super) fn posts(person: &Folder, text: &str) {
    person.does(&["post", text, "--wait", "60s"]);
}

/// The texts that a person reads of another one, oldest first, and how many entries are sealed. These stand in the
/// timeline by a coarser time, so that their place among the others is not always the same.
fn reads(person: &Folder, name: &str) -> (Vec<String>, usize) {
    person.does(&["fetch", name]);
    let entries = person.json(&["read", name, "--sealed"]);
    let texts = entries.iter().filter_map(|entry| entry["text"].as_str()).map(str::to_owned);
    (texts.collect(), entries.iter().filter(|entry| entry["type"] == "sealed").count())
}

#[test]
fn two_people_who_are_never_online_together_become_friends_and_part_again() {
    let (ann, ben, server) = (Folder::of("Ann"), Folder::of("Ben"), Server::start());
    server.holds(&ann);
    server.holds(&ben);
    posts(&ann, "Before we met.");
    posts(&ben, "Ben's own.");
    // Links without keys go back and forth.
    ann.does(&["add", &ben.link(&[]), "--name", "ben", "--follow-only"]);
    ben.does(&["add", &ann.link(&[]), "--name", "ann", "--follow-only"]);
    assert_eq!(reads(&ben, "ann"), (vec![], 2), "the name is for friends, too");

    let accepted = ann.one(&["accept", "ben"]);
    assert_eq!((&accepted["change"], &accepted["granted"]), (&"added".into(), &false.into()));
    ann.does(&["fetch"]);
    let friends = ann.one(&["friends"]);
    assert_eq!((&friends["name"], &friends["granted"]), (&"ben".into(), &true.into()));
    assert_eq!(friends["fingerprint"], ben.one(&["id"])["fingerprint"]);
    posts(&ann, "Now we know each other.");
    let both = ["Before we met.", "Now we know each other."].map(str::to_owned).to_vec();
    assert_eq!(reads(&ben, "ann"), (both.clone(), 0));

    // What is for somebody else alone is not shown to Ben, who is told that there is something.
    ann.does(&["add", &Folder::of("Cleo").link(&[]), "--name", "cleo", "--follow-only"]);
    ann.does(&["accept", "cleo"]);
    for text in ["one", "two", "three"] {
        ann.does(&["dm", "cleo", text, "--wait", "60s"]);
    }
    assert_eq!(reads(&ben, "ann"), (both.clone(), 3));
    let said = ben.tries(&["read", "ann"]);
    said.ends(0, &["3 entries are for others", "peerfeed read --sealed"]);
    assert!(said.out.contains("Before we met.") && said.out.contains("Now we know"), "{said:?}");
    assert!(!said.out.contains("sealed"), "{said:?}");
    ann.does(&["remove", "cleo"]);

    assert_eq!(ann.one(&["remove", "BEN"])["change"], "removed");
    posts(&ann, "After we parted.");
    assert_eq!(reads(&ben, "ann"), (both, 4));
    ann.tries(&["friends"]).ends(1, &["no friends here yet", "peerfeed accept"]);

    // The other way, from now on.
    ben.does(&["accept", "ann", "--from-now"]);
    posts(&ben, "For Ann, from now on.");
    assert_eq!(reads(&ann, "ben"), (vec!["For Ann, from now on.".to_owned()], 2));
}

#[test]
fn accepting_again_oneself_or_nobody_gives_three_different_lines() {
    let (ann, ben) = (Folder::of("Ann"), Folder::of("Ben"));
    ann.does(&["add", &ben.link(&[]), "--name", "Ben", "--follow-only"]);
    ann.tries(&["accept", "Zoe"]).ends(2, &["nobody here is called Zoe", "peerfeed add"]);
    ann.tries(&["accept", "Ann"]).ends(2, &["your own feed"]);
    assert_eq!(ann.one(&["accept", "Ben"])["change"], "added");
    assert_eq!(ann.one(&["accept", "ben"])["change"], "known");
    ann.tries(&["accept", "Ben", "--from-now"]).ends(1, &["reads everything already", "peerfeed remove"]);
    assert_eq!(ann.json(&["friends"]).len(), 1);
}

#[test]
fn only_who_is_a_friend_can_be_removed_and_an_unfollowed_one_still_can() {
    let (ann, ben) = (Folder::of("Ann"), Folder::of("Ben"));
    let added = ann.one(&["add", &ben.link(&[]), "--name", "Ben", "--follow-only"]);
    ann.tries(&["remove", "Ben"]).ends(1, &["no friend of yours", "peerfeed friends"]);
    ann.tries(&["remove", "Zoe"]).ends(2, &["nobody here is called Zoe"]);
    ann.does(&["accept", "Ben"]);
    ann.does(&["unfollow", "Ben"]);
    let feed = added["feed"].as_str().unwrap();
    assert_eq!(ann.one(&["friends"])["feed"], feed, "what they may read is another matter than what one reads");
    assert_eq!(ann.one(&["remove", feed])["change"], "removed");
    Folder::empty().tries(&["friends"]).ends(2, &["there is nothing in"]);
}

#[test]
fn who_is_muted_is_shown_only_when_asked_for_until_it_is_undone() {
    let (ann, ben, server) = (Folder::of("Ann"), Folder::of("Ben"), Server::start());
    server.holds(&ben);
    ben.does(&["post", "Good morning, everybody.", "--to", "public", "--wait", "60s"]);
    ann.does(&["add", &ben.link(&[]), "--name", "Ben", "--follow-only"]);
    ann.does(&["fetch"]);
    ann.does(&["post", "Ann's own."]);
    let texts = |args: &[&str]| -> Vec<String> {
        let entries = ann.json(&[&["read"], args].concat());
        entries.iter().filter_map(|entry| entry["text"].as_str()).map(str::to_owned).collect()
    };
    assert_eq!(texts(&[]).len(), 2);
    assert_eq!(ann.one(&["mute", "ben"])["muted"], true);
    assert_eq!(texts(&[]), ["Ann's own."]);
    assert_eq!(texts(&["Ben"]), ["Good morning, everybody."]);
    assert!(ann.does(&["status"]).contains("muted"));
    ann.tries(&["mute", "Ben"]).ends(1, &["is muted already"]);
    ann.tries(&["mute", "Ann"]).ends(1, &["do not follow"]);
    assert_eq!(ann.one(&["mute", "Ben", "--undo"])["change"], "unmuted");
    ann.tries(&["mute", "Ben", "--undo"]).ends(1, &["is not muted"]);
    assert_eq!(texts(&[]).len(), 2);
}
