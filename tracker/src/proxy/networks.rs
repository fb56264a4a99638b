//! Networks in CIDR notation.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// A network: `10.0.0.0/8`, `2001:db8::/32`; an address alone is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix_bits: u8,
}

/// The networks whose word about other addresses is believed.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Neither an address nor an address and a length.
    #[error("{0:?} is no network: write an address, or an address and the length of its prefix, such as 10.0.0.0/8")]
    Text(String),
    /// Bits behind the prefix are set: one of the two is a mistake.
    #[error("{text:?} has bits set behind its prefix: is {meant} meant?")]
    HostBits {
        /// What was written.
        text: String,
        /// The network that holds it.
        meant: Network,
    },
}

impl Network {
    /// Whether `ip` is in it; an IPv4-mapped IPv6 address counts as the IPv4 address.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.base, ip.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                masked(base.to_bits().into(), 32, self.prefix_bits) == masked(ip.to_bits().into(), 32, self.prefix_bits)
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                masked(base.to_bits(), 128, self.prefix_bits) == masked(ip.to_bits(), 128, self.prefix_bits)
            }
            _ => false,
        }
    }
}

impl Networks {
    /// These networks.
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Whether one of them holds `ip`.
    pub fn contain(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(ip))
    }

    /// Each of them, in the order given.
    pub fn as_slice(&self) -> &[Network] {
        &self.0
    }

    /// Whether there is none: nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError::Text(text.to_owned());
        let (address, prefix) = text.trim().split_once('/').map_or((text.trim(), None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().map_err(|_| wrong())?,
            Some(_) => return Err(wrong()),
            None => width,
        };
        if prefix_bits > width {
            return Err(wrong());
        }
        let base = match address {
            IpAddr::V4(v4) => {
                let bits = masked(v4.to_bits().into(), 32, prefix_bits);
                IpAddr::V4(u32::try_from(bits).expect("masked from 32 bits").into())
            }
            IpAddr::V6(v6) => IpAddr::V6(masked(v6.to_bits(), 128, prefix_bits).into()),
        };
        let network = Self { base, prefix_bits };
        if base == address {
            Ok(network)
        } else {
            Err(NetworkError::HostBits { text: text.to_owned(), meant: network })
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix_bits)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The first `prefix` of `width` bits; the rest zero.
fn masked(bits: u128, width: u8, prefix: u8) -> u128 {
    let behind = u32::from(width - prefix);
    bits.checked_shr(behind).and_then(|kept| kept.checked_shl(behind)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, ip: &str) -> bool {
        network.parse::<Network>().unwrap().contains(ip.parse().unwrap())
    }

    #[test]
    fn an_address_is_in_a_network_when_their_prefixes_agree() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::1", "::1", "::2"),
            ("fd00::/8", "fdff::1", "fe00::1"),
        ] {
            assert!(holds(network, inside) && !holds(network, outside), "{network}");
        }
        assert!(holds("0.0.0.0/0", "203.0.113.9") && holds("::/0", "2001:db8::1"));
    }

    #[test]
    fn families_do_not_mix_but_a_mapped_address_is_an_ipv4_one() {
        assert!(!holds("::/0", "10.0.0.1") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.0.0.1"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_may_be() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/-1", "10/8", "localhost", "a/8"]
        {
            assert!(matches!(text.parse::<Network>(), Err(NetworkError::Text(_))), "{text}");
        }
        let error = "10.1.2.3/8".parse::<Network>().unwrap_err().to_string();
        assert!(error.contains("10.0.0.0/8"), "{error}");
    }
}
