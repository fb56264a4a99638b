//! What a quota holds back, and what `unseed`, `unfollow` and `mute` give back, measured on the disk.

use std::os::unix::fs::MetadataExt;

use super::folder::Folder;
use super::friends::Server;
use super::together::{Daemon, until};

const FILM_BYTES: usize = 6 << 20;

/// Bytes that the store takes of the disk.
fn disk_bytes(folder: &Folder) -> u64 {
    ["store.redb", "chunks"]
        .map(|file| std::fs::metadata(folder.data().join(file)).unwrap().blocks() * 512)
        .iter()
        .sum()
}

/// Bytes held for feeds, as `status` tells.
fn held_bytes(folder: &Folder) -> u64 {
    let status = folder.one(&["status"]);
    status["feeds"].as_array().unwrap().iter().map(|feed| feed["held_bytes"].as_u64().unwrap()).sum()
}

/// A person with a film that no two have alike, on a server.
fn with_film(name: &str, server: &Server) -> Folder {
    let person = Folder::of(name);
    server.holds(&person);
    let seed = u64::from(name.as_bytes()[0]);
    let film: Vec<u8> = (0..FILM_BYTES as u64).map(|at| at.wrapping_mul(seed).to_le_bytes()[1]).collect();
    let film = person.file("film.mkv", &film);
    person.does(&["post", "a film", "--attach", &film, "--to", "public", "--wait", "60s"]);
    person
}

#[test]
fn what_is_no_longer_seeded_or_followed_makes_room_and_a_muted_feed_stays() {
    let server = Server::start();
    let ann = with_film("Ann", &server);
    let (feed, one_film) = (ann.one(&["id"])["feed"].as_str().unwrap().to_owned(), disk_bytes(&server.folder));
    assert!(held_bytes(&server.folder) > FILM_BYTES as u64);

    let reader = Folder::empty();
    reader.does(&["add", &ann.link(&[]), "--name", "Ann"]);
    reader.does(&["fetch", "--files"]);
    let held = held_bytes(&reader);
    reader.does(&["mute", "Ann"]);
    assert_eq!(held_bytes(&reader), held, "it is left out of what is shown, and nothing else");
    reader.does(&["unfollow", "Ann"]);
    assert_eq!(held_bytes(&reader), 0);

    server.folder.does(&["unseed", &feed]);
    assert_eq!(held_bytes(&server.folder), 0);
    let _ben = with_film("Ben", &server);
    let two_films = disk_bytes(&server.folder);
    assert!(
        two_films < one_film + one_film / 5,
        "the second film takes the place of the first: {one_film}, {two_films}"
    );
}

#[test]
fn a_file_beyond_a_quota_is_left_out_and_told_what_else_is_posted_comes_and_a_larger_quota_brings_it() {
    let (server, ann) = (Server::start(), Folder::of("Ann"));
    server.holds(&ann);
    let feed = ann.one(&["id"])["feed"].as_str().unwrap().to_owned();
    server.folder.does(&["seed", &feed, "--quota", "1MiB"]);
    let _writing = Daemon::start(&ann, &["--listen", "none"]);
    ann.does(&["post", "a film", "--attach", &ann.file("film.mkv", &vec![7; FILM_BYTES])]);
    let seen = || server.folder.one(&["status"])["feeds"][0].clone();
    let why = until("the film is left out", || seen()["left_out"][0].as_str().map(str::to_owned));
    assert!(why.contains("does not fit in what is left of the feed's quota of 1048576 bytes"), "{why}");
    let page = server.folder.does(&["status"]);
    assert!(page.contains("one file is left out: a file of") && page.contains("--quota SIZE"), "{page}");
    ann.does(&["post", "a photo", "--attach", &ann.file("photo.jpg", &vec![7; 10_000])]);
    until("the photo is there", || (seen()["files_held"] == 1).then_some(()));
    assert!(seen()["stopped"].is_null(), "{:#}", seen());
    server.folder.does(&["seed", &feed, "--quota", "20MiB"]);
    until("the film is there", || (seen()["files_held"] == 2 && seen()["left_out"].is_null()).then_some(()));
}
