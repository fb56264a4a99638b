//! The keys of connection ids, a new one every hour.

use std::hash::Hasher as _;
use std::net::IpAddr;
use std::time::Duration;

use peerfeed_protocol::announce::connection_id::{ConnectionId, ConnectionIdError, ConnectionIdKey};
use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::limit::{CONNECTION_ID_LIFETIME, CONNECTION_KEY_PERIOD};

/// Issues connection ids and verifies them. Trackers that are given one secret accept each other's.
///
/// The secret itself signs nothing: the key of each hour of Unix time is derived from it, so that whoever works on one
/// by trying has an hour. spec: ANN-20 to ANN-23
#[derive(Clone)]
pub struct ConnectionKeys {
    secret: [u8; 16],
}

impl ConnectionKeys {
    /// Keys derived from 16 random bytes.
    pub fn new(secret: [u8; 16]) -> Self {
        Self { secret }
    }

    /// The id for a client at `ip`, issued at `now` (time since the Unix epoch).
    pub fn issue(&self, ip: IpAddr, now: Duration) -> ConnectionId {
        self.key_at(now).issue(ip, now)
    }

    /// Accepts an id that was issued to `ip` within the last ten minutes.
    pub fn verify(&self, id: ConnectionId, ip: IpAddr, now: Duration) -> Result<(), ConnectionIdError> {
        // The id tells the low bits of its second; one that seems older than 9 hours is from the future.
        let age = i64::from(low_16_bits(now.as_secs()).wrapping_sub(low_16_bits(id.0 >> 48)).cast_signed());
        let issued = now.as_secs().checked_add_signed(-age).ok_or(ConnectionIdError::Stale)?;
        self.key_at(Duration::from_secs(issued)).verify(id, ip, now, CONNECTION_ID_LIFETIME)
    }

    fn key_at(&self, time: Duration) -> ConnectionIdKey {
        let mut derivation = SipHasher24::new_with_key(&self.secret);
        derivation.write(b"connection id key");
        derivation.write(&(time.as_secs() / CONNECTION_KEY_PERIOD.as_secs()).to_be_bytes());
        ConnectionIdKey::new(derivation.finish128().as_bytes())
    }
}

/// Does not show the secret.
impl std::fmt::Debug for ConnectionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConnectionKeys")
    }
}

fn low_16_bits(value: u64) -> u16 {
    u16::try_from(value & u64::from(u16::MAX)).expect("cut before")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of an hour.
    const HOUR: Duration = Duration::from_secs(500_000 * 3600);
    const MINUTE: Duration = Duration::from_secs(60);

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn an_id_holds_for_ten_minutes_also_while_the_key_changes() {
        let keys = ConnectionKeys::new([7; 16]);
        for issued in [HOUR, HOUR + 30 * MINUTE, HOUR + 55 * MINUTE, HOUR + Duration::from_secs(3599)] {
            let id = keys.issue(ip(1), issued);
            for age in [0, 1, 9, 10] {
                assert_eq!(keys.verify(id, ip(1), issued + age * MINUTE), Ok(()), "{age} min after {issued:?}");
                assert!(keys.verify(id, ip(2), issued + age * MINUTE).is_err(), "another address");
            }
            assert_eq!(keys.verify(id, ip(1), issued + 11 * MINUTE), Err(ConnectionIdError::Stale));
        }
    }

    #[test]
    fn the_key_of_an_hour_signs_nothing_in_the_next_one() {
        let keys = ConnectionKeys::new([7; 16]);
        let known = keys.key_at(HOUR);
        let forged = known.issue(ip(1), HOUR + 60 * MINUTE);
        assert_eq!(keys.verify(forged, ip(1), HOUR + 60 * MINUTE), Err(ConnectionIdError::Forged));
        assert_eq!(keys.verify(forged, ip(1), HOUR + 71 * MINUTE), Err(ConnectionIdError::Stale));
    }

    #[test]
    fn trackers_with_one_secret_accept_each_others_ids_and_others_do_not() {
        let id = ConnectionKeys::new([7; 16]).issue(ip(1), HOUR);
        assert_eq!(ConnectionKeys::new([7; 16]).verify(id, ip(1), HOUR), Ok(()));
        assert_eq!(ConnectionKeys::new([8; 16]).verify(id, ip(1), HOUR), Err(ConnectionIdError::Forged));
        assert!(!format!("{:?}", ConnectionKeys::new([7; 16])).contains('7'));
    }
}
