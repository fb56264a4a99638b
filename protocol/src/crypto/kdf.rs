//! Keys from keys: HKDF-SHA-256 with one label per purpose. spec: ID-4

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

const SALT: &[u8] = b"peerfeed/1";

/// `N` bytes (at most 8,160) from the key material `ikm`, for the purpose `label`.
///
/// HKDF-SHA-256 with salt `peerfeed/1` and info = label ‖ 0x00 ‖ parts. The parts of one label always have the same
/// lengths, so that no two lists of parts give the same info. spec: ID-4
pub fn derive<const N: usize>(ikm: &[u8], label: &str, parts: &[&[u8]]) -> Zeroizing<[u8; N]> {
    Extracted::new(ikm).derive(label, parts)
}

/// Key material made ready once (HKDF's first step), for deriving many keys from it.
#[derive(Clone)]
pub struct Extracted(Hkdf<Sha256>);

impl Extracted {
    /// Makes `ikm` ready.
    pub fn new(ikm: &[u8]) -> Self {
        Self(Hkdf::new(Some(SALT), ikm))
    }

    /// As the function [`derive()`], for the material that this was made of.
    pub fn derive<const N: usize>(&self, label: &str, parts: &[&[u8]]) -> Zeroizing<[u8; N]> {
        const { assert!(N <= 255 * 32, "HKDF-SHA-256 gives no more") };
        let mut info: Vec<&[u8]> = vec![label.as_bytes(), &[0]];
        info.extend_from_slice(parts);
        let mut out = Zeroizing::new([0; N]);
        self.0.expand_multi_info(&info, out.as_mut_slice()).expect("the length was checked when this was compiled");
        out
    }
}

impl fmt::Debug for Extracted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Extracted(\u{2026})")
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};

    use super::*;

    fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    #[test]
    fn it_is_hkdf_with_salt_and_info_as_written_in_the_spec() {
        let extracted = hmac(b"peerfeed/1", &[b"material"]);
        let first = hmac(&extracted, &[b"label", b"\0", b"part", &[1]]);
        let second = hmac(&extracted, &[&first, b"label", b"\0", b"part", &[2]]);
        let derived = derive::<40>(b"material", "label", &[b"pa", b"rt"]);
        assert_eq!(derived[..32], first);
        assert_eq!(derived[32..], second[..8]);
    }

    #[test]
    fn another_label_gives_another_key() {
        assert_ne!(derive::<32>(b"m", "a", &[]), derive::<32>(b"m", "b", &[]));
    }
}
