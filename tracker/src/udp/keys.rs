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
    pub fn issue(&self, ip: IpAddr, now: Duration, last: &mut LastKey) -> ConnectionId {
        self.key_at(now, last).issue(ip, now)
    }

    /// Accepts an id that was issued to `ip` within the last ten minutes.
    pub fn verify(
        &self,
        id: ConnectionId,
        ip: IpAddr,
        now: Duration,
        last: &mut LastKey,
    ) -> Result<(), ConnectionIdError> {
        // The id tells the low bits of its second; one that seems older than 9 hours is from the future.
        let age = i64::from(low_16_bits(now.as_secs()).wrapping_sub(low_16_bits(id.0 >> 48)).cast_signed());
        let issued = now.as_secs().checked_add_signed(-age).ok_or(ConnectionIdError::Stale)?;
        self.key_at(Duration::from_secs(issued), last).verify(id, ip, now, CONNECTION_ID_LIFETIME)
    }

    fn key_at<'a>(&self, time: Duration, LastKey(last): &'a mut LastKey) -> &'a ConnectionIdKey {
        let period = time.as_secs() / CONNECTION_KEY_PERIOD.as_secs();
        let kept = last.take().filter(|(of, _)| *of == period);
        let (_, key) = last.insert(kept.unwrap_or_else(|| (period, self.key_of(period))));
        key
    }

    fn key_of(&self, period: u64) -> ConnectionIdKey {
        let mut derivation = SipHasher24::new_with_key(&self.secret);
        derivation.write(b"connection id key");
        derivation.write(&period.to_be_bytes());
        ConnectionIdKey::new(derivation.finish128().as_bytes())
    }
}

/// The key that was used last, so that it is derived once an hour and not for every datagram. One per worker.
#[derive(Clone, Default)]
pub struct LastKey(Option<(u64, ConnectionIdKey)>);

/// Does not show the key.
impl std::fmt::Debug for LastKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LastKey")
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
        let mut last = LastKey::default();
        for issued in [HOUR, HOUR + 30 * MINUTE, HOUR + 55 * MINUTE, HOUR + Duration::from_secs(3599)] {
            let id = keys.issue(ip(1), issued, &mut last);
            let mut verify = |ip, age| keys.verify(id, ip, issued + age * MINUTE, &mut last);
            for age in [0, 1, 9, 10] {
                assert_eq!(verify(ip(1), age), Ok(()), "{age} min after {issued:?}");
                assert!(verify(ip(2), age).is_err(), "another address");
            }
            assert_eq!(verify(ip(1), 11), Err(ConnectionIdError::Stale));
        }
    }

    #[test]
    fn the_key_of_an_hour_signs_nothing_in_the_next_one() {
        let keys = ConnectionKeys::new([7; 16]);
        let mut last = LastKey::default();
        let known = keys.key_at(HOUR, &mut last).clone();
        let forged = known.issue(ip(1), HOUR + 60 * MINUTE);
        let mut verify = |age| keys.verify(forged, ip(1), HOUR + age * MINUTE, &mut last);
        assert_eq!(verify(60), Err(ConnectionIdError::Forged));
        assert_eq!(verify(71), Err(ConnectionIdError::Stale));
    }

    #[test]
    fn trackers_with_one_secret_accept_each_others_ids_and_others_do_not() {
        let issue = |secret| ConnectionKeys::new([secret; 16]).issue(ip(1), HOUR, &mut LastKey::default());
        let verify = |secret| ConnectionKeys::new([secret; 16]).verify(issue(7), ip(1), HOUR, &mut LastKey::default());
        assert_eq!(verify(7), Ok(()));
        assert_eq!(verify(8), Err(ConnectionIdError::Forged));
        let shown =
            format!("{:?} {:?}", ConnectionKeys::new([7; 16]), LastKey(Some((7, ConnectionIdKey::new([7; 16])))));
        assert!(!shown.contains('7'));
    }
}
