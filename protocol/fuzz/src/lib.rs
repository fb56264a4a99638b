//! What is done with the bytes of each fuzz target: every way in which bytes from outside enter this package.
//!
//! A target panics when a promise is broken. `cargo test -p peerfeed-protocol` replays `corpus/` through the same
//! functions; CONTRIBUTING.md has the command that looks for new inputs.

mod bencode;
mod conversation;
mod feed;
mod mailbox;
mod peer;
mod text;
mod tracker;

type Target = fn(&[u8]);

/// Each target by the name of its folder in `corpus/` and of its file in `fuzz_targets/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("bencode", bencode::value),
    ("chunks", peer::chunks),
    ("control", feed::control),
    ("conversation", conversation::conversation),
    ("content", feed::content),
    ("handshake", conversation::handshake),
    ("head", feed::head),
    ("leaf", feed::leaf),
    ("letter", mailbox::letter),
    ("message", peer::message),
    ("packet", mailbox::packet),
    ("proof", peer::proof),
    ("records", feed::records),
    ("text", text::text),
    ("tracker_body", tracker::body),
    ("tracker_query", tracker::query),
    ("tracker_url", tracker::url),
    ("udp_reply", tracker::udp_reply),
    ("udp_request", tracker::udp_request),
];

/// Runs the target of this name.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target of this name");
    target(bytes);
}
