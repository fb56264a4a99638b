//! The envelope of every signed record: 64 bytes of signature, then the record's bytes.

use thiserror::Error;

use super::sign::{self, PublicKey, Signature, SignatureError};
use crate::ids::FeedId;

/// Why bytes are no signed record: the fault of who sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignedError {
    /// Not even a signature and one byte.
    #[error("signed record of {0} bytes is too short")]
    TooShort(usize),
}

/// A record as it came, not yet verified: signature ‖ bytes. spec: ID-7
///
/// The bytes are kept and forwarded as received; nothing is ever verified over bytes that were encoded again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedBytes<'a> {
    signature: Signature,
    record: &'a [u8],
}

impl<'a> SignedBytes<'a> {
    /// Takes signature and record apart.
    pub fn split(bytes: &'a [u8]) -> Result<Self, SignedError> {
        match bytes.split_first_chunk::<{ Signature::LENGTH }>() {
            Some((signature, record)) if !record.is_empty() => {
                Ok(Self { signature: Signature::new(*signature), record })
            }
            _ => Err(SignedError::TooShort(bytes.len())),
        }
    }

    /// Puts signature and record together.
    pub fn join(signature: &Signature, record: &[u8]) -> Vec<u8> {
        [signature.as_bytes(), record].concat()
    }

    /// The signature.
    pub fn signature(&self) -> Signature {
        self.signature
    }

    /// The record's bytes before anything is known of who wrote them: for finding out whose key is to be used.
    pub fn unverified(&self) -> &'a [u8] {
        self.record
    }

    /// The record's bytes, if `signer` signed them as a record of this type in this feed. spec: ID-7
    pub fn verify(
        &self,
        signer: &impl PublicKey,
        record_type: &str,
        feed: &FeedId,
    ) -> Result<&'a [u8], SignatureError> {
        sign::verify(signer, record_type, feed, self.record, &self.signature)?;
        Ok(self.record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::IdentityKey;

    #[test]
    fn a_record_is_given_out_only_when_its_signature_holds() {
        let identity = IdentityKey::from_seed(&[1; 32]);
        let bytes = identity.sign_record("manifest", b"de");
        let signed = SignedBytes::split(&bytes).unwrap();
        assert_eq!(signed.verify(&identity.feed_id(), "manifest", &identity.feed_id()), Ok(&b"de"[..]));
        assert_eq!(signed.verify(&identity.feed_id(), "roster", &identity.feed_id()), Err(SignatureError));
        assert_eq!(SignedBytes::join(&signed.signature(), signed.unverified()), bytes);
    }

    #[test]
    fn a_signature_without_a_record_is_too_short() {
        assert_eq!(SignedBytes::split(&[0; 64]), Err(SignedError::TooShort(64)));
        assert!(SignedBytes::split(&[0; 65]).is_ok());
    }
}
