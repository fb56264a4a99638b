//! `seed --code` and `seeders add CODE`: somebody without a server finds one that knows nothing of their feed.

use bech32::{Bech32m, Hrp};
use peerfeed_protocol::crypto::WitnessSecret;
use peerfeed_protocol::hold::HoldCode;

use super::folder::Folder;
use super::together::Daemon;

/// A home server that holds nothing yet.
fn server() -> (Folder, Daemon) {
    let folder = Folder::empty();
    let daemon = Daemon::start(&folder, &["--listen", "127.0.0.1:0"]);
    (folder, daemon)
}

fn code(server: &Folder, options: &[&str]) -> String {
    server.one(&[&["seed", "--code"], options].concat())["code"].as_str().unwrap().to_owned()
}

/// Feeds that are held, and seeders that the own feed names.
fn feeds(folder: &Folder) -> usize {
    folder.one(&["status"])["feeds"].as_array().unwrap().len()
}

fn listed(folder: &Folder) -> usize {
    folder.json(&["seeders"]).len()
}

#[test]
fn a_code_brings_a_feed_that_its_seeder_knows_nothing_of() {
    let (home, daemon) = server();
    let code = code(&home, &["--quota", "1GiB"]);
    let ann = Folder::of("Ann");
    ann.does(&["post", "Written before there was a server."]);
    let said = ann.does(&["seeders", "add", &code]);
    assert!(said.contains(&format!("listed {}, which holds all", daemon.code())), "{said}");
    let held = &home.one(&["status"])["feeds"][0];
    assert_eq!((&held["feed"], &held["quota_bytes"]), (&ann.one(&["id"])["feed"], &(1u64 << 30).into()));
    assert_eq!(held["roles"], serde_json::json!(["seed"]));

    // Readers find it there, and so do letters.
    let ben = Folder::of("Ben");
    ben.does(&["add", &ann.link(&["--with-key"]), "--follow-only"]);
    ben.does(&["fetch"]);
    assert_eq!(ben.json(&["read"])[0]["text"], "Written before there was a server.");
    let eve = Folder::of("Eve");
    assert!(eve.does(&["add", &ann.invitation(&[])]).contains("on its way"));
    assert!(ann.does(&["requests"]).contains("Eve  is your friend now"));

    // The seeder keeps nothing by which somebody could come again.
    drop(daemon);
    let secret = code.split_once('#').unwrap().1.parse::<HoldCode>().unwrap();
    let bytes = bech32::decode(&secret.to_string()).unwrap().1;
    let store = std::fs::read(home.data().join("store.redb")).unwrap();
    assert!(store.windows(32).any(|part| part == secret.key().id().as_bytes()), "the test looks in the right place");
    assert!(!store.windows(16).any(|part| part == &bytes[40..]));
}

#[test]
fn a_code_that_is_good_no_more_is_one_clear_line_and_changes_nothing() {
    let (home, daemon) = server();
    let (ann, ben) = (Folder::of("Ann"), Folder::of("Ben"));
    let once = code(&home, &[]);
    ann.does(&["seeders", "add", &once]);
    ben.tries(&["seeders", "add", &once]).ends(2, &["used already", "peerfeed seed --code"]);
    // Ann may give it again, as after a broken connection.
    ann.does(&["seeders", "add", &once]);

    let short = code(&home, &["--expires", "1s"]);
    std::thread::sleep(std::time::Duration::from_secs(2));
    ben.tries(&["seeders", "add", &short]).ends(2, &["the code has expired", "peerfeed seed --code"]);

    let back = code(&home, &["--uses", "5"]);
    assert!(home.does(&["unseed", "--codes"]).contains("took back 1 code"));
    home.tries(&["unseed", "--codes"]).ends(1, &["no code that was given away is still good"]);
    ben.tries(&["seeders", "add", &back]).ends(2, &["does not know this code"]);

    // Of another seeder, at this one's address.
    let (other, _other) = server();
    let foreign = code(&other, &[]);
    let address = daemon.code().split_once('#').unwrap().0;
    let moved = format!("{address}#{}", foreign.split_once('#').unwrap().1);
    ben.tries(&["seeders", "add", &moved]).ends(2, &["does not know this code"]);

    let mistyped = format!("{}qq", &foreign[..foreign.len() - 2]);
    ben.tries(&["seeders", "add", &mistyped]).ends(2, &["mistyped or incomplete"]);
    let gone = format!("127.0.0.1:9#{}", foreign.split_once('#').unwrap().1);
    ben.tries(&["seeders", "add", &gone]).ends(1, &["nothing listens there", "the code was not used"]);
    assert_eq!((listed(&ben), feeds(&home), feeds(&other)), (0, 1, 0));
    // Nothing of all that used it up.
    ben.does(&["seeders", "add", &foreign]);
}

#[test]
fn a_code_is_not_used_up_by_who_cannot_list_the_seeder() {
    let (home, _daemon) = server();
    let ann = Folder::of("Ann");
    let code = code(&home, &[]);
    for port in 1..=4 {
        let key = WitnessSecret::from_seed(&[port; 32]).key();
        let key = bech32::encode::<Bech32m>(Hrp::parse("wit").unwrap(), key.as_bytes()).unwrap();
        ann.does(&["seeders", "add", &format!("127.0.0.1:{port}#{key}")]);
    }
    ann.tries(&["seeders", "add", &code]).ends(2, &["seeders"]);
    assert_eq!(feeds(&home), 0);
    ann.does(&["seeders", "remove", "127.0.0.1:4"]);
    ann.does(&["seeders", "add", &code]);
    assert_eq!(feeds(&home), 1);
}

#[test]
fn a_code_needs_an_address_where_others_come_to() {
    let home = Folder::empty();
    home.tries(&["seed", "--code"]).ends(2, &["nothing listens here", "--address"]);
    let said = home.does(&["seed", "--code", "--address", "home.example:4040"]);
    assert!(said.starts_with("home.example:4040#hold1"), "{said}");
    home.tries(&["seed", "--code", "feed1x"]).ends(2, &["--code"]);
    home.tries(&["seed"]).ends(2, &["FEED-ID|LINK"]);
}
