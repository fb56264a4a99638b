//! The choices of one announce.

use std::convert::Infallible;

use rand_core::TryRng;

/// Everything that is left to chance in one answer, as it follows from one number that nobody can foretell: so that what will
/// be drawn can be looked at before it is.
#[derive(Clone, Debug)]
pub struct Luck(u64);

impl Luck {
    /// What follows from this number.
    pub fn new(number: u64) -> Self {
        Self(number)
    }
}

/// `SplitMix64`: every number is as likely as any other, and few instructions make one.
impl TryRng for Luck {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| u32::try_from(number >> 32).expect("half of it"))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(mixed ^ (mixed >> 31))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for part in bytes.chunks_mut(8) {
            let number = self.try_next_u64()?.to_le_bytes();
            part.copy_from_slice(&number[..part.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand_core::Rng as _;

    use super::*;

    #[test]
    fn it_is_the_generator_that_it_is_said_to_be() {
        let mut luck = Luck::new(1_234_567);
        let numbers = [luck.next_u64(), luck.next_u64(), luck.next_u64()];
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        let mut bytes = [0; 12];
        Luck::new(1_234_567).fill_bytes(&mut bytes);
        assert_eq!(bytes[..8], numbers[0].to_le_bytes());
        assert_eq!(bytes[8..], numbers[1].to_le_bytes()[..4]);
    }
}
