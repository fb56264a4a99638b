//! `seeders`, `trackers`, and `fetch` when nobody is there.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::folder::Folder;

const CODE: &str = "192.0.2.7:4040#wit1tpnxvenxvenxvenxvenxvenxvenxvenxvenxvenxvenxvenxvenq9mr82u";

#[test]
fn trackers_are_named_shown_and_removed() {
    let ann = Folder::of("Ann");
    let url = "https://tracker.example:8443/announce";
    assert_eq!(ann.one(&["trackers", "add", url])["change"], "added");
    assert_eq!(ann.one(&["trackers", "add", url])["change"], "known");
    assert_eq!(ann.one(&["trackers"])["url"], url);
    assert_eq!(ann.one(&["trackers", "remove", url])["change"], "removed");
    ann.tries(&["trackers", "remove", url]).ends(1, &["does not name", "peerfeed trackers"]);
    ann.tries(&["trackers", "add", "gopher://x:1"]).ends(2, &["no tracker", "udp://"]);
    for port in 1..=4 {
        ann.does(&["trackers", "add", &format!("udp://t.example:{port}")]);
    }
    ann.tries(&["trackers", "add", "udp://t.example:5"]).ends(2, &["4 trackers", "peerfeed trackers remove"]);
}

#[test]
fn a_tracker_given_at_init_is_named_by_the_feed() {
    let ann = Folder::empty();
    ann.does(&["--tracker", "udp://t.example:1", "init"]);
    assert_eq!(ann.one(&["trackers"])["url"], "udp://t.example:1");
    let link: peerfeed_protocol::feed::Link = ann.link(&[]).parse().unwrap();
    assert_eq!(link.trackers, ["udp://t.example:1"]);
}

#[test]
fn a_seeder_is_listed_by_its_code_and_then_stands_in_links() {
    let ann = Folder::of("Ann");
    let listed = ann.one(&["seeders", "add", CODE]);
    assert_eq!((listed["listed"].as_bool(), listed["code"].as_str()), (Some(true), Some(CODE)));
    assert_eq!(ann.one(&["seeders"])["address"], "192.0.2.7:4040");
    let link: peerfeed_protocol::feed::Link = ann.link(&[]).parse().unwrap();
    assert_eq!(link.seeders[0].address, "192.0.2.7:4040");
    assert!(link.seeders[0].witness.is_some());
    ann.does(&["seeders", "remove", "192.0.2.7:4040"]);
    ann.tries(&["seeders", "remove", "192.0.2.7:4040"]).ends(1, &["does not name"]);
    ann.tries(&["seeders", "add", "nowhere"]).ends(2, &["HOST:PORT"]);
    ann.tries(&["seeders", "add", &CODE[..CODE.len() - 1]]).ends(2, &["mistyped"]);
}

#[test]
fn a_seeder_that_does_not_answer_is_not_listed() {
    let ann = Folder::of("Ann");
    let (_unused, closed) = closed_port();
    ann.tries(&["seeders", "add", &closed, "--timeout", "3s"]).ends(1, &[&closed, "peerfeed seed LINK"]);
    assert!(ann.json(&["seeders"]).is_empty());
}

#[test]
fn fetch_without_anybody_to_ask_says_how_to_name_somebody() {
    let (ann, bob) = (Folder::of("Ann"), Folder::empty());
    bob.does(&["add", &ann.link(&["--with-key"])]);
    bob.tries(&["fetch", "--timeout", "5s"]).ends(1, &["--tracker URL", "peerfeed add LINK"]);
    let cleo = Folder::of("Cleo");
    cleo.tries(&["fetch"]).ends(1, &["you follow nobody yet", "peerfeed add LINK"]);
}

#[test]
fn fetch_with_nobody_there_ends_in_time_and_names_each_that_was_tried() {
    let (ann, bob) = (Folder::of("Ann"), Folder::empty());
    let [(_one, tracker), (_other, dead_seeder)] = [closed_port(), closed_port()];
    let dead_tracker = format!("http://{tracker}/announce");
    ann.does(&["trackers", "add", &dead_tracker]);
    ann.does(&["seeders", "add", &CODE.replace("192.0.2.7:4040", &dead_seeder)]);
    bob.does(&["add", &ann.link(&["--with-key"])]);
    let begun = Instant::now();
    let said = bob.tries(&["fetch", "--timeout", "3s"]);
    said.ends(1, &[&dead_tracker, &dead_seeder, "try again later"]);
    // Not the half minute that it tries by default.
    assert!(begun.elapsed() < Duration::from_secs(28), "{:?}", begun.elapsed());
}

/// An address at which nobody listens, and what keeps others from it: it is bound, and does not listen.
fn closed_port() -> (Socket, String) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap().to_string();
    (socket, address)
}
