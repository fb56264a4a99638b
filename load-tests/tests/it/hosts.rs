//! The programs come with nobody's address: no tracker, seeder or server of anybody's, to whom anything could be told.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};

use crate::layers::code_of;
use crate::paths::root;

/// How names of hosts end that are somebody's.
const ENDS: [&str; 8] = ["com", "de", "dev", "eu", "info", "io", "net", "org"];

#[test]
fn no_program_knows_the_address_of_anybody() -> Result<()> {
    let mut named = Vec::new();
    for package in ["protocol/src", "tracker/src", "seeder/src"] {
        let mut tested = None;
        for (file, line) in code_of(&root().join(package))? {
            if line.contains("#[cfg(test)]") || file.ends_with("tests.rs") {
                tested = Some(file.clone());
            }
            if tested.as_ref() != Some(&file) {
                named.extend(hosts_in(&line).map(|host| format!("{}: {host}", file.display())));
            }
        }
    }
    ensure!(named.is_empty(), "{}", named.join("\n"));
    Ok(())
}

#[test]
fn an_address_of_somebody_is_told_from_examples_and_from_code() {
    let found = |line| hosts_in(line).collect::<Vec<_>>();
    assert_eq!(found("add(\"udp://tracker.somewhere.org:6969/announce\")"), ["tracker.somewhere.org"]);
    assert_eq!(found("let known = [\"dht.somewhere.com:6881\", \"1.2.3.4:80\"];"), ["dht.somewhere.com", "1.2.3.4"]);
    for line in [
        "peerfeed trackers add udp://tracker.example:6969",
        "127.0.0.1:6970 and 0.0.0.0:6969, 192.0.2.7:4040, 10.0.0.0/8",
        "let net = self.net; format!(\"http://{address}/announce\")",
        "use std::net::Ipv4Addr;",
    ] {
        assert!(found(line).is_empty(), "{line}: {:?}", found(line));
    }
}

/// Names and addresses of hosts in a line of code that are somebody's: no examples, and not of this machine or house.
fn hosts_in(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|at: char| !(at.is_ascii_alphanumeric() || matches!(at, '.' | '-' | ':' | '/')));
    words.filter_map(|word| {
        let (scheme, rest) = word.split_once("://").unwrap_or(("", word));
        let (host, behind) = rest.split_at(rest.find([':', '/']).unwrap_or(rest.len()));
        if let Ok(address) = host.parse::<Ipv4Addr>() {
            let nobodys = address.is_loopback() || address.is_unspecified() || address.is_documentation();
            return (!nobodys && !address.is_private()).then_some(host);
        }
        let has_port = behind.strip_prefix(':').is_some_and(|port| port.starts_with(|at: char| at.is_ascii_digit()));
        let end = host.rsplit_once('.').map(|(_, end)| end)?;
        (ENDS.contains(&end) && (!scheme.is_empty() || has_port)).then_some(host)
    })
}
