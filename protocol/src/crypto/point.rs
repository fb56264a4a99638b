//! Which points of the curve may be keys.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::traits::IsIdentity;

use crate::ids::KeyError;

/// The point with this encoding, if it may be a public key: canonically encoded, torsion-free, not the identity element.
/// spec: ID-1
pub(crate) fn check(bytes: &[u8; 32]) -> Result<EdwardsPoint, KeyError> {
    let encoding = CompressedEdwardsY(*bytes);
    let point = encoding.decompress().ok_or(KeyError::NotAPoint)?;
    if point.compress() != encoding {
        Err(KeyError::NotCanonical)
    } else if point.is_identity() {
        Err(KeyError::IdentityElement)
    } else if !point.is_torsion_free() {
        Err(KeyError::Torsion)
    } else {
        Ok(point)
    }
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};

    use super::*;

    #[test]
    fn points_of_small_order_are_no_keys() {
        for (order, point) in EIGHT_TORSION.iter().enumerate() {
            let due = if order == 0 { KeyError::IdentityElement } else { KeyError::Torsion };
            assert_eq!(check(point.compress().as_bytes()), Err(due), "multiple {order}");
        }
    }

    #[test]
    fn a_point_with_a_torsion_component_is_no_key() {
        assert_eq!(check(ED25519_BASEPOINT_POINT.compress().as_bytes()), Ok(ED25519_BASEPOINT_POINT));
        let mixed = ED25519_BASEPOINT_POINT + EIGHT_TORSION[1];
        assert_eq!(check(mixed.compress().as_bytes()), Err(KeyError::Torsion));
    }

    #[test]
    fn a_second_encoding_of_a_point_is_no_key() {
        // y = p + 1, which is 1 again: the identity element, written otherwise.
        let mut bytes = [0xff; 32];
        bytes[0] = 0xee;
        bytes[31] = 0x7f;
        assert_eq!(check(&bytes), Err(KeyError::NotCanonical));
        // y = 1 with the sign bit of x = 0 set.
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes[31] = 0x80;
        assert_eq!(check(&bytes), Err(KeyError::NotCanonical));
    }

    #[test]
    fn bytes_that_are_no_point_are_no_key() {
        let mut bytes = [0; 32];
        bytes[0] = 2;
        assert_eq!(check(&bytes), Err(KeyError::NotAPoint));
    }
}
