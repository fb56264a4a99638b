//! Whom an address belongs to, as far as it tells.

use std::net::IpAddr;

/// A network that one customer has: an IPv4 address, an IPv6 /64, or the /48 around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    kind: u8,
    bits: u64,
}

impl Prefix {
    /// The /32 of an IPv4 address, the /64 of an IPv6 one: whoever has one address there has them all.
    pub fn site_of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self { kind: 32, bits: u64::from(ip.to_bits()) },
            IpAddr::V6(ip) => Self { kind: 64, bits: high_bits(ip.to_bits()) },
        }
    }

    /// The /48 of an IPv6 address: hosters give these away whole, with 65,536 networks in each.
    pub fn around(ip: IpAddr) -> Option<Self> {
        match ip.to_canonical() {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => Some(Self { kind: 48, bits: high_bits(ip.to_bits()) >> 16 }),
        }
    }

    /// Bytes that tell it from every other prefix.
    pub fn to_bytes(self) -> [u8; 9] {
        let mut bytes = [self.kind; 9];
        bytes[1..].copy_from_slice(&self.bits.to_be_bytes());
        bytes
    }
}

fn high_bits(address: u128) -> u64 {
    u64::try_from(address >> 64).expect("half of 128 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_customer_share_a_prefix() {
        let site = |text: &str| Prefix::site_of(text.parse().unwrap());
        let around = |text: &str| Prefix::around(text.parse().unwrap());
        assert_eq!(site("192.0.2.1"), site("::ffff:192.0.2.1"));
        assert_ne!(site("192.0.2.1"), site("192.0.2.2"));
        assert_eq!(site("2001:db8:1:2::1"), site("2001:db8:1:2:ffff::"));
        assert_ne!(site("2001:db8:1:2::1"), site("2001:db8:1:3::1"));
        assert_eq!(around("2001:db8:1:2::1"), around("2001:db8:1:3::1"));
        assert_ne!(around("2001:db8:1::1"), around("2001:db8:2::1"));
        assert_eq!(around("192.0.2.1"), None);
        let bytes = [site("::1:0:0:0:0"), around("0:0:1::").unwrap(), site("0.0.0.1")].map(Prefix::to_bytes);
        assert!(bytes[0] != bytes[1] && bytes[1] != bytes[2] && bytes[0] != bytes[2]);
    }
}
