//! Secret boxes: XSalsa20-Poly1305, as NaCl's `secretbox`: 16-byte tag, then ciphertext. spec: ID-14
//!
//! Who seals decides the nonce: the same key must never seal two different contents under the same nonce. Poly1305 does
//! not commit to a key, so where several keys are tried, the format around it carries a commitment.

use thiserror::Error;
use xsalsa20poly1305::aead::AeadInPlace;
use xsalsa20poly1305::{Key, KeyInit, Nonce, Tag, XSalsa20Poly1305};
use zeroize::Zeroizing;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 24;
/// Bytes of the tag, by which a sealed box is longer than its content.
pub const TAG_BYTES: usize = 16;

/// The box was not sealed with this key and nonce, or it was changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("sealed box does not open with this key")]
pub struct OpenError;

/// Encrypts `buffer` where it lies and returns the tag.
pub fn seal_in_place(key: &[u8; KEY_BYTES], nonce: &[u8; NONCE_BYTES], buffer: &mut [u8]) -> [u8; TAG_BYTES] {
    cipher(key)
        .encrypt_in_place_detached(Nonce::from_slice(nonce), b"", buffer)
        .expect("it fails for associated data only, and there is none")
        .into()
}

/// Decrypts `buffer` where it lies, if `tag` fits; else the buffer stays as it was.
pub fn open_in_place(
    key: &[u8; KEY_BYTES],
    nonce: &[u8; NONCE_BYTES],
    buffer: &mut [u8],
    tag: &[u8; TAG_BYTES],
) -> Result<(), OpenError> {
    cipher(key)
        .decrypt_in_place_detached(Nonce::from_slice(nonce), b"", buffer, Tag::from_slice(tag))
        .map_err(|_| OpenError)
}

/// Tag ‖ ciphertext of `plaintext`.
pub fn seal(key: &[u8; KEY_BYTES], nonce: &[u8; NONCE_BYTES], plaintext: &[u8]) -> Vec<u8> {
    let mut sealed = vec![0; TAG_BYTES + plaintext.len()];
    sealed[TAG_BYTES..].copy_from_slice(plaintext);
    let tag = seal_in_place(key, nonce, &mut sealed[TAG_BYTES..]);
    sealed[..TAG_BYTES].copy_from_slice(&tag);
    sealed
}

/// The plaintext of tag ‖ ciphertext; erased from memory when it is dropped.
pub fn open(key: &[u8; KEY_BYTES], nonce: &[u8; NONCE_BYTES], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (tag, ciphertext) = sealed.split_first_chunk::<TAG_BYTES>().ok_or(OpenError)?;
    let mut plaintext = Zeroizing::new(ciphertext.to_vec());
    open_in_place(key, nonce, &mut plaintext, tag)?;
    Ok(plaintext)
}

fn cipher(key: &[u8; KEY_BYTES]) -> XSalsa20Poly1305 {
    XSalsa20Poly1305::new(Key::from_slice(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn it_gives_the_bytes_of_nacls_own_test() {
        let key = hex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389").try_into().unwrap();
        let nonce = hex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37").try_into().unwrap();
        let message = hex(
            "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c012335\
             61f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60\
             902e52f0a089bc76897040e082f937763848645e0705",
        );
        let due = hex(
            "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce8\
             7b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0\
             e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5",
        );
        assert_eq!(seal(&key, &nonce, &message), due);
        assert_eq!(*open(&key, &nonce, &due).unwrap(), message);
    }

    #[test]
    fn one_flipped_bit_anywhere_keeps_a_box_shut() {
        let (key, nonce) = ([1; 32], [2; 24]);
        let sealed = seal(&key, &nonce, b"content");
        for bit in 0..sealed.len() * 8 {
            let mut broken = sealed.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&key, &nonce, &broken), Err(OpenError), "bit {bit}");
        }
        assert_eq!(open(&key, &[3; 24], &sealed), Err(OpenError));
        assert_eq!(open(&key, &nonce, &sealed[..15]), Err(OpenError));
    }

    #[test]
    fn a_box_that_does_not_open_leaves_the_buffer_alone() {
        let mut buffer = *b"not sealed";
        assert_eq!(open_in_place(&[0; 32], &[0; 24], &mut buffer, &[0; 16]), Err(OpenError));
        assert_eq!(&buffer, b"not sealed");
    }
}
