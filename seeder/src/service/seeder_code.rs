//! A seeder as one hands it around: where it is, and the key by which it proves itself.

use std::fmt;
use std::str::FromStr;

use bech32::{Bech32m, Hrp};
use peerfeed_protocol::hold::{HoldCode, HoldCodeError};
use peerfeed_protocol::ids::WitnessKey;
use peerfeed_protocol::limits::ADDRESS_BYTES_MAX;

const PREFIX: Hrp = Hrp::parse_unchecked("wit");

/// Stands in a printed code for the name of a machine that does not know how others call it.
pub(super) const PLACEHOLDER: &str = "HOST";

/// `HOST:PORT`, or `HOST:PORT#wit1…` with the witness key in bech32m, whose checksum finds typing errors, or
/// `HOST:PORT#hold1…` with what lets a feed be held there as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeederCode {
    /// `HOST:PORT`, `IPv4:PORT` or `[IPv6]:PORT`.
    pub address: String,
    /// The key, when the code carries one.
    pub witness: Option<WitnessKey>,
    /// What lets a feed be held that the seeder does not know; it names the same key.
    pub hold: Option<HoldCode>,
}

/// Why a text is no seeder code: the typist's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeederCodeError {
    /// Not an address and a port.
    #[error("a seeder's address is HOST:PORT, for example seeder.example:4040")]
    Address,
    /// The word HOST as it was printed.
    #[error("HOST stands for your machine's name or address, as others reach it")]
    Placeholder,
    /// Longer than a manifest takes.
    #[error("a seeder's address has at most {ADDRESS_BYTES_MAX} bytes")]
    TooLong,
    /// The part after `#` is not a witness key.
    #[error("the key after `#` is mistyped or incomplete")]
    Witness,
    /// The part after `#` is to let a feed be held, and does not.
    #[error(transparent)]
    Hold(#[from] HoldCodeError),
}

impl SeederCode {
    /// A seeder at an address, with the key that it proves if that is known.
    pub fn new(address: &str, witness: Option<WitnessKey>) -> Self {
        Self { address: address.to_owned(), witness, hold: None }
    }
}

impl fmt::Display for SeederCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)?;
        if let Some(hold) = &self.hold {
            return write!(f, "#{hold}");
        }
        if let Some(witness) = &self.witness {
            f.write_str("#")?;
            bech32::encode_lower_to_fmt::<Bech32m, _>(f, PREFIX, witness.as_bytes()).map_err(|_| fmt::Error)?;
        }
        Ok(())
    }
}

impl FromStr for SeederCode {
    type Err = SeederCodeError;

    fn from_str(text: &str) -> Result<Self, SeederCodeError> {
        let text = text.trim();
        let (address, key) = text.split_once('#').map_or((text, None), |(address, key)| (address, Some(key)));
        let is_hold = |key: &str| key.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("hold1"));
        let (witness, hold) = match key {
            Some(key) if is_hold(key) => {
                let hold: HoldCode = key.parse()?;
                (Some(hold.witness), Some(hold))
            }
            Some(key) => (Some(read_witness(key)?), None),
            None => (None, None),
        };
        if address.len() > ADDRESS_BYTES_MAX {
            return Err(SeederCodeError::TooLong);
        }
        let (host, port) = address.rsplit_once(':').ok_or(SeederCodeError::Address)?;
        if host == PLACEHOLDER {
            return Err(SeederCodeError::Placeholder);
        }
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host_fits = match bracketed {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'),
        };
        if !host_fits || !port.parse::<u16>().is_ok_and(|port| port > 0) {
            return Err(SeederCodeError::Address);
        }
        Ok(Self { address: address.to_ascii_lowercase(), witness, hold })
    }
}

fn read_witness(text: &str) -> Result<WitnessKey, SeederCodeError> {
    let checked = bech32::primitives::decode::CheckedHrpstring::new::<Bech32m>(text);
    let checked = checked.map_err(|_| SeederCodeError::Witness)?;
    if checked.hrp() != PREFIX {
        return Err(SeederCodeError::Witness);
    }
    let bytes: Vec<u8> = checked.byte_iter().collect();
    WitnessKey::from_slice(&bytes).map_err(|_| SeederCodeError::Witness)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> WitnessKey {
        // The base point of the curve: a proper key.
        let mut bytes = [0x66; 32];
        bytes[0] = 0x58;
        WitnessKey::from_bytes(bytes).unwrap()
    }

    #[test]
    fn a_code_reads_back_as_it_was_printed() {
        for address in ["192.0.2.7:4040", "[2001:db8::1]:4040", "seeder.example:1"] {
            for witness in [None, Some(key())] {
                let code = SeederCode::new(address, witness);
                assert_eq!(code.to_string().parse(), Ok(code));
            }
        }
    }

    #[test]
    fn a_mistyped_key_is_noticed() {
        let text = SeederCode::new("a:1", Some(key())).to_string();
        let last = text.chars().last().unwrap();
        let wrong = format!("{}{}", &text[..text.len() - 1], if last == 'q' { 'p' } else { 'q' });
        assert_eq!(wrong.parse::<SeederCode>(), Err(SeederCodeError::Witness));
        assert_eq!(text[..text.len() - 5].parse::<SeederCode>(), Err(SeederCodeError::Witness));
    }

    #[test]
    fn a_code_that_lets_a_feed_be_held_names_the_seeder_too() {
        let hold = HoldCode::new(key(), 1_900_000_000, [7; 16]);
        let code = SeederCode { hold: Some(hold), ..SeederCode::new("a:1", Some(key())) };
        let text = code.to_string();
        assert!(text.starts_with("a:1#hold1"), "{text}");
        assert_eq!(text.parse(), Ok(code));
        assert_eq!(text[..text.len() - 3].parse::<SeederCode>(), Err(SeederCodeError::Hold(HoldCodeError::Mistyped)));
    }

    #[test]
    fn a_code_whose_host_was_not_filled_in_is_refused() {
        assert_eq!("HOST:4040".parse::<SeederCode>(), Err(SeederCodeError::Placeholder));
    }

    #[test]
    fn an_address_needs_a_host_and_a_port() {
        for text in ["seeder.example", ":4040", "a:0", "a:70000", "2001:db8::1:4040", "a b:1", "[x]:1", ""] {
            assert_eq!(text.parse::<SeederCode>(), Err(SeederCodeError::Address), "{text:?}");
        }
    }
}
