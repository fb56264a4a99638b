//! Randomness, which is passed in.

use std::convert::Infallible;
use std::fmt;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};

/// A cryptographic generator (`ChaCha20`) that starts from a seed: the system's randomness in the program, a fixed value in
/// a test. This crate never asks the system itself.
pub struct Entropy(ChaCha20Rng);

impl Entropy {
    /// A generator whose whole output follows from `seed`, which has to be as secret as what is made from it.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Fills `bytes` with the next ones.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// A generator of its own for another part of the program.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::from_seed(self.bytes())
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(\u{2026})")
    }
}

impl TryRng for Entropy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for Entropy {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_a_fork_others() {
        let (mut one, mut other) = (Entropy::from_seed([1; 32]), Entropy::from_seed([1; 32]));
        assert_eq!(one.bytes::<48>(), other.bytes::<48>());
        assert_eq!(one.fork().bytes::<8>(), other.fork().bytes::<8>());
        assert_ne!(one.fork().bytes::<8>(), one.bytes::<8>());
    }

    #[test]
    fn a_generator_does_not_print_its_state() {
        assert_eq!(format!("{:?}", Entropy::from_seed([0xaa; 32])), "Entropy(\u{2026})");
    }
}
