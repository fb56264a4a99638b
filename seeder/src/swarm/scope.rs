//! How far an address reaches, and who may name it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// From where an address can be reached, the narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// From the machine itself.
    Machine,
    /// From the same cable.
    Link,
    /// From the same house, company or provider.
    Site,
    /// From everywhere.
    World,
}

impl Scope {
    /// The scope of an address; none if it is no host's.
    pub fn of(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => Self::of_v6(ip),
        }
    }

    fn of_v4(ip: Ipv4Addr) -> Option<Self> {
        match ip.octets() {
            [0 | 224..=255, ..] => None,
            [127, ..] => Some(Self::Machine),
            [169, 254, ..] => Some(Self::Link),
            // RFC 1918, and what providers use behind their own translators (RFC 6598).
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Some(Self::Site),
            _ => Some(Self::World),
        }
    }

    fn of_v6(ip: Ipv6Addr) -> Option<Self> {
        match ip.segments() {
            [0, 0, 0, 0, 0, 0, 0, 1] => Some(Self::Machine),
            [0 | 0xff00..=0xffff, ..] => None,
            [0xfe80..=0xfebf, ..] => Some(Self::Link),
            [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Some(Self::Site),
            // A translator passes on to the IPv4 address within: NAT64 (RFC 6052) and 6to4 (RFC 3056).
            [0x64, 0xff9b, .., high, low] | [0x2002, high, low, ..] => Self::of_v4(joined(high, low)),
            _ => Some(Self::World),
        }
    }
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

/// Whether an address is to be believed of who named it: it must reach at least as far as who names it.
///
/// Otherwise a stranger on the internet could have us knock at doors within our own house. A tracker on this machine may
/// name this machine.
pub fn may_name(source: IpAddr, named: SocketAddr) -> bool {
    match (Scope::of(source), Scope::of(named.ip())) {
        (Some(source), Some(named_scope)) => named.port() != 0 && source <= named_scope,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(source: &str, named: &str) -> bool {
        may_name(source.parse().unwrap(), named.parse().unwrap())
    }

    #[test]
    fn a_stranger_cannot_name_what_is_in_our_house() {
        for inner in [
            "127.0.0.1:80",
            "10.1.2.3:80",
            "172.31.0.1:80",
            "192.168.1.1:80",
            "169.254.1.1:80",
            "100.64.0.1:80",
            "[::1]:80",
            "[fe80::1]:80",
            "[fd00::1]:80",
            "[::ffff:192.168.1.1]:80",
            "[64:ff9b::a00:1]:80",
            "[2002:c0a8:101::1]:80",
        ] {
            assert!(!named("203.0.113.7", inner), "{inner}");
            assert!(!named("2001:db8::7", inner), "{inner}");
        }
        assert!(named("203.0.113.7", "198.51.100.1:80") && named("203.0.113.7", "[2001:db8::1]:80"));
    }

    #[test]
    fn each_scope_names_its_own_and_all_wider_ones() {
        assert!(named("127.0.0.1", "127.0.0.1:80") && named("::1", "127.0.0.2:80"));
        assert!(named("127.0.0.1", "192.168.1.1:80") && named("127.0.0.1", "198.51.100.1:80"));
        assert!(named("192.168.1.1", "10.0.0.1:80") && named("fd00::1", "192.168.1.1:80"));
        assert!(!named("192.168.1.1", "127.0.0.1:80") && !named("192.168.1.1", "169.254.0.1:80"));
    }

    #[test]
    fn what_is_no_hosts_address_is_named_by_nobody() {
        for nobody in ["0.0.0.0:80", "255.255.255.255:80", "224.0.0.1:80", "[::]:80", "[ff02::1]:80", "198.51.100.1:0"]
        {
            assert!(!named("127.0.0.1", nobody), "{nobody}");
        }
    }
}
