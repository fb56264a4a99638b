//! The UDP connection id: proof that a sender receives what is sent to its address, without a table.
//!
//! A sender of datagrams can write any source address on them. The id that a tracker returns to a `connect` reaches
//! only the owner of the address, so an announce that carries it may be believed and answered at length.
//!
//! ```text
//! 0      2                                8
//! +------+--------------------------------+
//! | time | tag                            |   time: low 16 bits of the second of issue, big endian
//! +------+--------------------------------+   tag:  first 48 bits of SipHash-2-4(key, second of issue as u64 ‖ IP as 4 or 16 bytes)
//! ```
//!
//! The tag covers the whole second, not its low 16 bits, so an id does not become valid again when these wrap after 18
//! hours. Someone who wants to forge one for a foreign address must guess 48 bits: 2^47 datagrams on average, each
//! answered by silence. The port is not covered: NATs change it, and clients share one id among their sockets. All
//! listeners that clients may reach under one address must share one key (spec: ANN-20 to ANN-23).

use std::net::IpAddr;
use std::time::Duration;

use siphasher::sip::SipHasher24;
use subtle::ConstantTimeEq as _;

/// A connection id as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionId(pub u64);

/// The secret under which ids are issued and verified.
#[derive(Clone)]
pub struct ConnectionIdKey([u8; 16]);

/// Why an id is not accepted. None of these may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionIdError {
    /// Issued too long ago, or seemingly in the future.
    #[error("the connection id is too old")]
    Stale,
    /// Not issued to this address under this key.
    #[error("the connection id was not issued to this address")]
    Forged,
}

/// How far the clock of another tracker with the same key may run ahead.
const SKEW_SECONDS: u16 = 10;

impl ConnectionIdKey {
    /// A key from 16 random bytes.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The id for a client at `ip`, issued at `now` (time since the Unix epoch).
    pub fn issue(&self, ip: IpAddr, now: Duration) -> ConnectionId {
        self.issue_at(ip, now.as_secs())
    }

    /// Accepts an id that this key issued to `ip` at most `max_age` (below 18 hours) before `now`.
    pub fn verify(
        &self,
        id: ConnectionId,
        ip: IpAddr,
        now: Duration,
        max_age: Duration,
    ) -> Result<(), ConnectionIdError> {
        let now = now.as_secs();
        let issued_low = low_16_bits(id.0 >> 48);
        let age = low_16_bits(now).wrapping_sub(issued_low);
        let ahead = issued_low.wrapping_sub(low_16_bits(now));
        let issued = if u64::from(age) <= max_age.as_secs() {
            now.checked_sub(u64::from(age))
        } else if ahead <= SKEW_SECONDS {
            now.checked_add(u64::from(ahead))
        } else {
            None
        };
        let expected = self.issue_at(ip, issued.ok_or(ConnectionIdError::Stale)?);
        if bool::from(expected.0.ct_eq(&id.0)) { Ok(()) } else { Err(ConnectionIdError::Forged) }
    }

    fn issue_at(&self, ip: IpAddr, second: u64) -> ConnectionId {
        const SECOND_BYTES: usize = size_of::<u64>();
        let mut covered = [0; SECOND_BYTES + 16];
        covered[..SECOND_BYTES].copy_from_slice(&second.to_be_bytes());
        let covered = match ip.to_canonical() {
            IpAddr::V4(ip) => {
                covered[SECOND_BYTES..][..4].copy_from_slice(&ip.octets());
                &covered[..SECOND_BYTES + 4]
            }
            IpAddr::V6(ip) => {
                covered[SECOND_BYTES..].copy_from_slice(&ip.octets());
                &covered
            }
        };
        ConnectionId(second << 48 | SipHasher24::new_with_key(&self.0).hash(covered) >> 16)
    }
}

impl std::fmt::Debug for ConnectionIdKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConnectionIdKey(…)")
    }
}

fn low_16_bits(value: u64) -> u16 {
    let [.., high, low] = value.to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_AGE: Duration = Duration::from_secs(120);
    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn key() -> ConnectionIdKey {
        ConnectionIdKey::new([7; 16])
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_id_is_accepted_from_its_address_until_it_is_too_old() {
        let id = key().issue(ip("192.0.2.1"), NOW);
        let verify = |age| key().verify(id, ip("192.0.2.1"), NOW + Duration::from_secs(age), MAX_AGE);
        assert_eq!(verify(0), Ok(()));
        assert_eq!(verify(120), Ok(()));
        assert_eq!(verify(121), Err(ConnectionIdError::Stale));
    }

    #[test]
    fn an_id_does_not_become_valid_again_when_its_time_wraps() {
        let id = key().issue(ip("192.0.2.1"), NOW);
        let wrapped = NOW + Duration::from_secs(1 << 16);
        assert_eq!(key().verify(id, ip("192.0.2.1"), wrapped, MAX_AGE), Err(ConnectionIdError::Forged));
    }

    #[test]
    fn an_id_from_the_future_is_refused_beyond_a_small_skew() {
        let id = key().issue(ip("192.0.2.1"), NOW);
        let now_before = |ahead| Duration::from_secs(NOW.as_secs() - ahead);
        let verify = |ahead| key().verify(id, ip("192.0.2.1"), now_before(ahead), MAX_AGE);
        assert_eq!(verify(10), Ok(()));
        assert_eq!(verify(11), Err(ConnectionIdError::Stale));
    }

    #[test]
    fn an_id_is_refused_from_another_address_and_under_another_key() {
        let id = key().issue(ip("192.0.2.1"), NOW);
        let forged = Err(ConnectionIdError::Forged);
        assert_eq!(key().verify(id, ip("192.0.2.2"), NOW, MAX_AGE), forged);
        assert_eq!(key().verify(id, ip("2001:db8::1"), NOW, MAX_AGE), forged);
        let other = ConnectionIdKey::new([8; 16]);
        assert_eq!(other.verify(id, ip("192.0.2.1"), NOW, MAX_AGE), forged);
    }

    #[test]
    fn a_mapped_address_counts_as_the_ipv4_address_in_it() {
        let id = key().issue(ip("192.0.2.1"), NOW);
        assert_eq!(key().verify(id, ip("::ffff:192.0.2.1"), NOW, MAX_AGE), Ok(()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let id = key().issue(ip("192.0.2.1"), NOW);
        for bit in 0..64 {
            let flipped = ConnectionId(id.0 ^ 1 << bit);
            assert!(key().verify(flipped, ip("192.0.2.1"), NOW, MAX_AGE).is_err(), "bit {bit}");
        }
    }
}
