//! `X-Forwarded-For`: a list that each HTTP proxy extends at its right end.
//!
//! Only entries written by trusted proxies can be believed, and these are the rightmost ones: whatever stands further left
//! a client may have written itself. So the list is read from the right, trusted addresses are passed over, and the first
//! other address is the client. Nothing left of it is looked at.
//!
//! Garbage where the client should stand is refused rather than replaced by the proxy's own address: a tracker that lists
//! its proxy as a peer hurts everyone in the swarm. A request without the header speaks for the address that it comes
//! from, so that a program on the proxy's machine can announce directly.

use std::net::{IpAddr, SocketAddr};

use super::networks::Networks;

/// The header's name; HTTP compares names without regard to case.
pub const HEADER: &str = "x-forwarded-for";

/// Most trusted proxies in a row: real chains have two or three.
pub const HOPS_MAX: usize = 16;

/// Why the client's address cannot be told, in the words that the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardedError {
    /// Something else than an address stands where the client should.
    #[error("the proxy in front of this tracker does not tell your address")]
    NoAddress,
    /// More than [`HOPS_MAX`] trusted proxies.
    #[error("there are too many proxies in front of this tracker")]
    TooManyHops,
}

/// The address for which a request speaks that came from `peer` with these values of [`HEADER`], in the order of the
/// request. Never an IPv4-mapped one.
pub fn client<'a>(
    peer: IpAddr,
    values: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &Networks,
) -> Result<IpAddr, ForwardedError> {
    let peer = peer.to_canonical();
    if !trusted.contain(peer) {
        return Ok(peer);
    }
    let mut furthest = peer;
    // Several headers are one list, cut anywhere.
    let entries = values.rev().flat_map(|value| value.rsplit(|&byte| byte == b','));
    for (hops, entry) in entries.enumerate() {
        if hops >= HOPS_MAX {
            return Err(ForwardedError::TooManyHops);
        }
        furthest = address(entry).ok_or(ForwardedError::NoAddress)?;
        if !trusted.contain(furthest) {
            break;
        }
    }
    Ok(furthest)
}

/// An address as proxies write it: alone, in brackets, with a port.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry.trim_ascii()).ok()?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let ip: IpAddr = text.parse().ok().or_else(with_port).or_else(bracketed)?;
    let ip = ip.to_canonical();
    (!ip.is_unspecified() && !ip.is_multicast()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(peer: &str, values: &[&str], trusted: &[&str]) -> Result<String, ForwardedError> {
        let trusted = Networks::new(trusted.iter().map(|text| text.parse().unwrap()).collect());
        let values: Vec<_> = values.iter().map(|value| value.as_bytes()).collect();
        client(peer.parse().unwrap(), values.into_iter(), &trusted).map(|ip| ip.to_string())
    }

    const PROXIES: &[&str] = &["127.0.0.0/8", "10.0.0.0/8", "2001:db8:ffff::/48"];

    #[test]
    fn a_stranger_cannot_speak_for_others() {
        assert_eq!(ask("192.0.2.1", &["198.51.100.7"], PROXIES).unwrap(), "192.0.2.1");
        assert_eq!(ask("127.0.0.1", &["198.51.100.7"], &[]).unwrap(), "127.0.0.1");
    }

    #[test]
    fn the_rightmost_untrusted_address_is_the_client() {
        for (values, client) in [
            (&["198.51.100.7"][..], "198.51.100.7"),
            (&["203.0.113.66, 198.51.100.7"], "198.51.100.7"),
            (&["203.0.113.66, 198.51.100.7, 10.1.1.1,10.2.2.2"], "198.51.100.7"),
            (&["203.0.113.66", "198.51.100.7", "10.1.1.1"], "198.51.100.7"),
            (&["2001:db8::7, 2001:db8:ffff::1"], "2001:db8::7"),
        ] {
            assert_eq!(ask("127.0.0.1", values, PROXIES).unwrap(), client, "{values:?}");
        }
    }

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        for (value, client) in [
            ("198.51.100.7:4711", "198.51.100.7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("\t198.51.100.7  ", "198.51.100.7"),
        ] {
            assert_eq!(ask("::ffff:127.0.0.1", &[value], PROXIES).unwrap(), client, "{value}");
        }
    }

    #[test]
    fn garbage_where_the_client_should_stand_is_refused() {
        for value in
            ["", "unknown", "198.51.100.7,", "198.51.100.7, _hidden", "999.1.1.1", "0.0.0.0", "::", "224.0.0.1"]
        {
            assert_eq!(ask("127.0.0.1", &[value], PROXIES), Err(ForwardedError::NoAddress), "{value}");
        }
        assert_eq!(ask("127.0.0.1", &["fe80::1%eth0"], PROXIES), Err(ForwardedError::NoAddress));
    }

    #[test]
    fn garbage_further_left_is_the_clients_own_and_changes_nothing() {
        let long = ",".repeat(10_000) + " 198.51.100.7";
        for value in ["unknown, 198.51.100.7", "\u{0}\u{fffd},198.51.100.7", &long] {
            assert_eq!(ask("127.0.0.1", &[value], PROXIES).unwrap(), "198.51.100.7");
        }
    }

    #[test]
    fn a_request_without_the_header_speaks_for_where_it_comes_from() {
        assert_eq!(ask("127.0.0.1", &[], PROXIES).unwrap(), "127.0.0.1");
    }

    #[test]
    fn a_client_within_the_trusted_networks_is_the_furthest_address() {
        assert_eq!(ask("127.0.0.1", &["10.9.9.9, 10.1.1.1"], PROXIES).unwrap(), "10.9.9.9");
        let endless = ["10.1.1.1"; HOPS_MAX + 1].join(",");
        assert_eq!(ask("127.0.0.1", &[&endless], PROXIES), Err(ForwardedError::TooManyHops));
    }
}
