//! The part of an address that one household or customer has.

use std::net::IpAddr;

/// An IPv4 address, or the part of an IPv6 address that a provider gives a customer: the first 56 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Prefix {
    V4([u8; 4]),
    V6([u8; 7]),
    /// This machine itself: everything that tests and demos start shares it.
    Loopback,
}

impl Prefix {
    /// The prefix of an address.
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            ip if ip.is_loopback() => Self::Loopback,
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => Self::V6(*ip.octets().first_chunk().expect("an address has 16 bytes")),
        }
    }
}
