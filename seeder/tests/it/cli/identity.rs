//! `init` and `id`.

use std::os::unix::fs::PermissionsExt;

use super::folder::Folder;

#[test]
fn init_makes_an_identity_and_shows_24_words_once() {
    let folder = Folder::empty();
    let created = folder.one(&["init", "--name", "Ann"]);
    assert_eq!(created["event"], "created");
    assert_eq!(created["recovery_phrase"].as_str().unwrap().split(' ').count(), 24);
    let identity = folder.one(&["id"]);
    assert_eq!(identity["feed"], created["feed"]);
    assert_eq!(identity["name"], "Ann");
    assert_eq!(identity["fingerprint"].as_str().unwrap().split(' ').count(), 6);
    assert_eq!(identity["devices"][0]["this"], true);
    let phrase = created["recovery_phrase"].as_str().unwrap();
    for file in std::fs::read_dir(folder.data()).unwrap() {
        let path = file.unwrap().path();
        let content = std::fs::read(&path).unwrap();
        assert!(!content.windows(phrase.len()).any(|window| window == phrase.as_bytes()), "{}", path.display());
    }
}

#[test]
fn secrets_are_for_their_owner_alone() {
    let folder = Folder::of("Ann");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.data()), 0o700);
    for name in ["identity.key", "device.key", "node.key", "store.redb"] {
        assert_eq!(mode(&folder.data().join(name)), 0o600, "{name}");
    }
}

#[test]
fn init_does_not_overwrite() {
    let folder = Folder::of("Ann");
    let before = folder.one(&["id"]);
    folder.tries(&["init", "--name", "Bob"]).ends(2, &["already has an identity", "peerfeed id"]);
    assert_eq!(folder.one(&["id"]), before);
}

#[test]
fn id_and_post_without_an_identity_name_init() {
    let folder = Folder::empty();
    let other = Folder::of("Ann");
    folder.does(&["add", &other.link(&[])]);
    for command in [&["id"][..], &["post", "x"], &["invite"], &["seeders"], &["trackers", "add", "udp://t.example:1"]] {
        folder.tries(command).ends(2, &["no identity", "peerfeed init"]);
    }
}

#[test]
fn a_name_that_is_too_long_changes_nothing() {
    let folder = Folder::empty();
    folder.tries(&["init", "--name", &"x".repeat(200)]).ends(2, &["name"]);
    folder.does(&["init", "--name", "Ann"]);
}
