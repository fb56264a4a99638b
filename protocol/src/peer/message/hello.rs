//! HELLO: how a peer introduces itself. spec: PEER-32

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::field::{address, address_bytes, dict, optional_small, out_of_range, wrong_length};
use super::{MalformedMessage, Message, MessageType};
use crate::bencode::{Dict, FieldError, Value};
use crate::limits::{EXTENSIONS_MAX, PROGRAM_TEXT_BYTES_MAX, REQUESTS_OPEN_MAX};

/// The first message of both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Whether the sender computes AES in hardware and agrees to records sealed with it. spec: PEER-25
    pub fast_aes: bool,
    /// Extensions that the sender understands, and the message type (0x80 to 0xff) under which it wants each.
    pub extensions: BTreeMap<String, u8>,
    /// Port on which it listens.
    pub listen_port: Option<u16>,
    /// Requests that it is willing to have open at once.
    pub requests_max: u32,
    /// Name and version of its program.
    pub program: Option<String>,
    /// Proof of a witness key.
    pub witness: Option<WitnessProof>,
    /// The other side's address as the sender sees it.
    pub observed: Option<SocketAddr>,
}

/// A witness key and its signature over the handshake, neither checked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WitnessProof {
    /// The claimed key.
    pub key: [u8; 32],
    /// Signature over the handshake hash and the signer's role. spec: PEER-33
    pub signature: [u8; 64],
}

impl Message for Hello {
    const TYPE: MessageType = MessageType::Hello;

    fn encode(&self) -> Vec<u8> {
        let extensions: Dict<'_> =
            self.extensions.iter().map(|(name, id)| (name.as_bytes().into(), Value::from(*id))).collect();
        let witness = self.witness.map(|proof| vec![Value::from(proof.key), Value::from(proof.signature)]);
        Dict::new()
            .with_optional(b"a", self.fast_aes.then_some(1))
            .with(b"e", extensions)
            .with_optional(b"p", self.listen_port)
            .with(b"q", self.requests_max)
            .with_optional(b"v", self.program.as_deref())
            .with_optional(b"w", witness)
            .with_optional(b"y", self.observed.map(address_bytes))
            .encode()
    }

    fn decode(rest: &[u8]) -> Result<Self, MalformedMessage> {
        let dict = dict(rest)?;
        let witness = match dict.optional_list(b"w")? {
            None => None,
            Some([key, signature, ..]) => Some(WitnessProof {
                key: super::field::array(key, b"w")?,
                signature: super::field::array(signature, b"w")?,
            }),
            Some(_) => return Err(wrong_length(b"w").into()),
        };
        let program = dict.optional_text(b"v")?;
        if program.is_some_and(|text| text.len() > PROGRAM_TEXT_BYTES_MAX) {
            return Err(wrong_length(b"v").into());
        }
        let observed = match dict.optional_bytes(b"y")? {
            None => None,
            Some(bytes) => Some(address(bytes).ok_or_else(|| wrong_length(b"y"))?),
        };
        Ok(Self {
            fast_aes: dict.optional_uint(b"a")? == Some(1),
            extensions: extensions(&dict)?,
            listen_port: optional_small::<u16>(&dict, b"p")?.filter(|port| *port != 0),
            requests_max: optional_small(&dict, b"q")?.unwrap_or(REQUESTS_OPEN_MAX),
            program: program.map(str::to_owned),
            witness,
            observed,
        })
    }
}

fn extensions(dict: &Dict<'_>) -> Result<BTreeMap<String, u8>, FieldError> {
    let Some(offered) = dict.optional_dict(b"e")? else { return Ok(BTreeMap::new()) };
    if offered.len() > EXTENSIONS_MAX {
        return Err(wrong_length(b"e"));
    }
    offered
        .iter()
        .map(|(name, id)| {
            let name = std::str::from_utf8(name).map_err(|_| out_of_range(b"e"))?;
            let id = id.as_int().and_then(|id| u8::try_from(id).ok()).filter(|id| *id >= 0x80);
            Ok((name.to_owned(), id.ok_or_else(|| out_of_range(b"e"))?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Hello {
        Hello {
            fast_aes: true,
            extensions: BTreeMap::from([("relay".to_owned(), 0x80)]),
            listen_port: Some(6881),
            requests_max: 64,
            program: Some("peerfeed 0.1".to_owned()),
            witness: Some(WitnessProof { key: [1; 32], signature: [2; 64] }),
            observed: Some("[2001:db8::1]:7".parse().unwrap()),
        }
    }

    #[test]
    fn a_hello_is_read_as_it_was_written() {
        let empty = Hello {
            fast_aes: false,
            extensions: BTreeMap::new(),
            listen_port: None,
            requests_max: REQUESTS_OPEN_MAX,
            program: None,
            witness: None,
            observed: None,
        };
        for hello in [full(), empty] {
            assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
        }
    }

    #[test]
    fn unknown_keys_are_skipped_and_absent_ones_have_their_default() {
        let hello = Hello::decode(b"d1:zi1ee").unwrap();
        assert_eq!(hello.requests_max, REQUESTS_OPEN_MAX);
        assert_eq!((hello.observed, hello.fast_aes), (None, false));
    }

    #[test]
    fn an_extension_may_not_take_a_number_of_version_1() {
        assert!(Hello::decode(b"d1:ed5:relayi127eee").is_err());
        assert!(Hello::decode(b"d1:ed5:relayi256eee").is_err());
    }

    #[test]
    fn an_address_of_another_length_is_refused() {
        assert!(Hello::decode(b"d1:y5:12345e").is_err());
    }
}
