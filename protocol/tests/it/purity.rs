//! The crate is a function of bytes, time and randomness that are passed in.

use std::fs;
use std::path::Path;

/// What would let the core reach a socket, a clock, a file or the system's randomness by another crate's hand.
const RUNTIMES: [&str; 13] = [
    "tokio",
    "hyper",
    "mio",
    "socket2",
    "nix",
    "libc",
    "redb",
    "getrandom",
    "rand",
    "async-std",
    "smol",
    "reqwest",
    "tracing",
];

#[test]
fn the_core_depends_on_no_runtime() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let start = manifest.find("\n[dependencies]").expect("a list of dependencies");
    let list = manifest[start + 1..].lines().skip(1).take_while(|line| !line.starts_with('['));
    let names: Vec<_> =
        list.filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty()).collect();
    assert!(names.contains(&"sha2"), "the list was read: {names:?}");
    for runtime in RUNTIMES {
        assert!(!names.contains(&runtime), "{runtime} must not be a dependency of the core");
    }
}

#[test]
fn clippy_denies_what_would_reach_outside() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    assert!(library.contains("#![deny(clippy::disallowed_methods, clippy::disallowed_types"));
    let list = fs::read_to_string(root.join("clippy.toml")).unwrap();
    for path in
        ["std::net::TcpStream", "std::net::UdpSocket", "std::fs::File", "std::time::Instant", "std::thread::spawn"]
    {
        assert!(list.contains(path), "{path} is on the list");
    }
}
