//! What is done with the bytes of each fuzz target: every way in which bytes from outside enter the tracker.
//!
//! A target panics when a promise is broken. `cargo test -p peerfeed-tracker` replays `corpus/` through the same
//! functions; CONTRIBUTING.md has the command that looks for new inputs.

mod http;
mod operator;
mod proxy;
mod udp;

type Target = fn(&[u8]);

/// Each target by the name of its folder in `corpus/` and of its file in `fuzz_targets/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("access_list", operator::access_list),
    ("config", operator::config),
    ("forwarded_for", proxy::forwarded_for),
    ("http_head", http::head),
    ("http_request", http::request),
    ("proxy_v2", proxy::v2),
    ("quantity", operator::quantity),
    ("udp_datagram", udp::datagram),
];

/// Runs the target of this name.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target of this name");
    target(bytes);
}
