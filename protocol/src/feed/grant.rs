//! Grants: an epoch's secret, sealed to one friend's device, in a row that only that device recognises.

use std::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;

use super::epoch::{EpochSecret, ReadKey};
use crate::crypto::kdf::derive;
use crate::crypto::{AgreementError, BoxKey, Entropy, secretbox};
use crate::ids::{BoxPublic, EpochId, FeedId};
use crate::limits::GRANT_ROWS_MAX;

/// Bytes of a row: 8 of tag by which it is found, 48 of sealed secret. spec: EPOCH-8
pub const GRANT_ROW_BYTES: usize = GRANT_TAG_BYTES + SEALED_BYTES;
/// Bytes of the tag in front of a row.
pub const GRANT_TAG_BYTES: usize = 8;
const SEALED_BYTES: usize = 48;

/// What a grant gives. spec: EPOCH-9
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Granted {
    /// The epoch's secret: this epoch and all history that it seals.
    Secret(EpochSecret),
    /// The read key alone: this epoch and nothing before.
    ReadKey(ReadKey),
}

/// Which of the two a row holds; part of what its key is derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// [`Granted::Secret`].
    Secret,
    /// [`Granted::ReadKey`].
    ReadKey,
}

/// What two devices share for one grant: the tag of its row and the key that opens it. spec: EPOCH-9
pub struct GrantKey {
    kind: GrantKind,
    tag: [u8; GRANT_TAG_BYTES],
    key: zeroize::Zeroizing<[u8; 32]>,
}

/// One row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GrantRow([u8; GRANT_ROW_BYTES]);

/// The rows of a control entry: sorted by tag, padded with random ones to a power of two. spec: EPOCH-8
#[derive(Clone, PartialEq, Eq)]
pub struct GrantRows(Vec<u8>);

/// The row does not open: it is another device's with the same tag, or padding, or was made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenGrantError {
    /// The tag is not this key's.
    #[error("the grant is for another device")]
    OtherTag,
    /// The sealed secret does not open.
    #[error("the grant does not open")]
    Forged(#[from] secretbox::OpenError),
}

/// Why bytes are not grant rows: the fault of who wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GrantRowsError {
    /// Not a whole number of rows.
    #[error("{0} bytes are not a whole number of grant rows")]
    Length(usize),
    /// Not a power of two, or too many.
    #[error("{0} grant rows are not a power of two up to {GRANT_ROWS_MAX}")]
    Count(usize),
    /// Not sorted by tag, or one tag twice.
    #[error("grant rows are not sorted and unique")]
    Order,
}

impl GrantKey {
    /// The key between one's own device and another: the author's with a friend's to seal, and the friend's with the
    /// author's to open, give the same. spec: EPOCH-9
    pub fn agree(
        own: &BoxKey,
        other: &BoxPublic,
        feed: &FeedId,
        epoch: &EpochId,
        kind: GrantKind,
    ) -> Result<Self, AgreementError> {
        Ok(Self::derive(&*own.agree(other)?, feed, epoch, kind))
    }

    fn derive(shared: &[u8; 32], feed: &FeedId, epoch: &EpochId, kind: GrantKind) -> Self {
        let parts: [&[u8]; 3] = [feed.as_bytes(), epoch.as_bytes(), &[kind.byte()]];
        let secret = derive::<40>(shared, "grant", &parts);
        let mut grant = Self { kind, tag: [0; GRANT_TAG_BYTES], key: zeroize::Zeroizing::new([0; 32]) };
        grant.tag.copy_from_slice(&secret[..GRANT_TAG_BYTES]);
        grant.key.copy_from_slice(&secret[GRANT_TAG_BYTES..]);
        grant
    }

    /// By which the row is found and asked for.
    pub fn tag(&self) -> &[u8; GRANT_TAG_BYTES] {
        &self.tag
    }

    /// The row that gives `secret`. The key follows from devices, feed, epoch and kind, so that it only ever seals this one
    /// value, under a nonce of zeros. spec: EPOCH-9
    pub fn seal(&self, secret: &[u8; 32]) -> GrantRow {
        let mut row = [0; GRANT_ROW_BYTES];
        row[..GRANT_TAG_BYTES].copy_from_slice(&self.tag);
        row[GRANT_TAG_BYTES..].copy_from_slice(&secretbox::seal(&self.key, &[0; 24], secret));
        GrantRow(row)
    }

    /// What the row gives, if it is the one for this key.
    pub fn open(&self, row: &GrantRow) -> Result<Granted, OpenGrantError> {
        if !bool::from(self.tag.ct_eq(row.tag())) {
            return Err(OpenGrantError::OtherTag);
        }
        let opened = secretbox::open(&self.key, &[0; 24], &row.0[GRANT_TAG_BYTES..])?;
        let secret = opened[..].try_into().expect("48 bytes without the tag");
        Ok(match self.kind {
            GrantKind::Secret => Granted::Secret(EpochSecret::new(secret)),
            GrantKind::ReadKey => Granted::ReadKey(ReadKey::new(secret)),
        })
    }
}

impl GrantKind {
    fn byte(self) -> u8 {
        match self {
            Self::Secret => 0,
            Self::ReadKey => 1,
        }
    }
}

impl GrantRow {
    /// The row made of these bytes.
    pub const fn new(bytes: [u8; GRANT_ROW_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; GRANT_ROW_BYTES] {
        &self.0
    }

    /// By which it is found.
    pub fn tag(&self) -> &[u8; GRANT_TAG_BYTES] {
        self.0.first_chunk().expect("a row is longer than its tag")
    }
}

impl GrantRows {
    /// Sorts rows and pads them with random ones to a power of two, so that neither their order nor, closely, their number
    /// tells anything. Fails for two rows of one tag and for more than 1,024: the caller's fault. spec: EPOCH-8
    pub fn padded(rows: Vec<GrantRow>, entropy: &mut Entropy) -> Result<Self, GrantRowsError> {
        let count = rows.len().max(1).next_power_of_two();
        Self::padded_to(count, rows, entropy)
    }

    /// As [`Self::padded`], to this many rows, a power of two.
    pub(super) fn padded_to(count: usize, rows: Vec<GrantRow>, entropy: &mut Entropy) -> Result<Self, GrantRowsError> {
        if count > GRANT_ROWS_MAX {
            return Err(GrantRowsError::Count(rows.len()));
        }
        let mut rows: Vec<_> = rows.into_iter().map(|row| row.0).collect();
        while rows.len() < count {
            let row: [u8; GRANT_ROW_BYTES] = entropy.bytes();
            if rows.iter().all(|held| held[..GRANT_TAG_BYTES] != row[..GRANT_TAG_BYTES]) {
                rows.push(row);
            }
        }
        rows.sort_unstable();
        Self::decode(&rows.concat())
    }

    /// Reads the rows of a control entry. spec: EPOCH-8
    pub fn decode(bytes: &[u8]) -> Result<Self, GrantRowsError> {
        let (rows, rest) = bytes.as_chunks::<GRANT_ROW_BYTES>();
        if !rest.is_empty() {
            return Err(GrantRowsError::Length(bytes.len()));
        }
        if !rows.len().is_power_of_two() || rows.len() > GRANT_ROWS_MAX {
            return Err(GrantRowsError::Count(rows.len()));
        }
        if !rows.is_sorted_by(|one, next| one[..GRANT_TAG_BYTES] < next[..GRANT_TAG_BYTES]) {
            return Err(GrantRowsError::Order);
        }
        Ok(Self(bytes.to_vec()))
    }

    /// The rows one after the other, as they stand in the control entry.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The rows, sorted by tag.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = GrantRow> {
        self.0.as_chunks().0.iter().map(|row| GrantRow(*row))
    }

    /// What the rows give to the device with the key `own`, if the device with the key `author` granted it anything: the
    /// row under either kind's tag, as long as it opens. spec: EPOCH-15
    pub fn granted_to(&self, own: &BoxKey, author: &BoxPublic, feed: &FeedId, epoch: &EpochId) -> Option<Granted> {
        let shared = own.agree(author).ok()?;
        [GrantKind::Secret, GrantKind::ReadKey].into_iter().find_map(|kind| {
            let key = GrantKey::derive(&shared, feed, epoch, kind);
            key.open(&self.find(key.tag())?).ok()
        })
    }

    /// The row with this tag, if there is one.
    pub fn find(&self, tag: &[u8; GRANT_TAG_BYTES]) -> Option<GrantRow> {
        let rows = self.0.as_chunks::<GRANT_ROW_BYTES>().0;
        rows.binary_search_by(|row| row[..GRANT_TAG_BYTES].cmp(tag)).ok().map(|at| GrantRow(rows[at]))
    }
}

impl fmt::Debug for GrantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrantKey({:?})", self.kind)
    }
}

impl fmt::Debug for GrantRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrantRow({:02x?})", self.tag())
    }
}

impl fmt::Debug for GrantRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrantRows({})", self.0.len() / GRANT_ROW_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::IdentityKey;

    fn entropy() -> Entropy {
        Entropy::from_seed([9; 32])
    }

    fn key(own: u8, other: u8, kind: GrantKind) -> GrantKey {
        let feed = IdentityKey::from_seed(&[1; 32]).feed_id();
        let other = BoxKey::from_bytes([other; 32]).public();
        GrantKey::agree(&BoxKey::from_bytes([own; 32]), &other, &feed, &EpochId::new([5; 16]), kind).unwrap()
    }

    #[test]
    fn the_friend_finds_and_opens_the_row_and_nobody_else_does() {
        let rows = (10..15).map(|friend| key(1, friend, GrantKind::Secret).seal(&[friend; 32])).collect();
        let rows = GrantRows::padded(rows, &mut entropy()).unwrap();
        assert_eq!(rows.iter().len(), 8);
        for friend in 10..15 {
            let own = key(friend, 1, GrantKind::Secret);
            let row = rows.find(own.tag()).unwrap();
            assert_eq!(own.open(&row), Ok(Granted::Secret(EpochSecret::new([friend; 32]))));
        }
        let stranger = key(99, 1, GrantKind::Secret);
        assert_eq!(rows.find(stranger.tag()), None);
        let row = rows.iter().next().unwrap();
        assert_eq!(stranger.open(&row), Err(OpenGrantError::OtherTag));
    }

    #[test]
    fn a_read_key_is_not_mistaken_for_a_secret() {
        let row = key(1, 2, GrantKind::ReadKey).seal(&[7; 32]);
        assert_eq!(key(2, 1, GrantKind::ReadKey).open(&row), Ok(Granted::ReadKey(ReadKey::new([7; 32]))));
        assert_eq!(key(2, 1, GrantKind::Secret).open(&row), Err(OpenGrantError::OtherTag));
    }

    #[test]
    fn a_row_with_a_flipped_bit_does_not_open() {
        let row = key(1, 2, GrantKind::Secret).seal(&[7; 32]);
        for bit in 0..GRANT_ROW_BYTES * 8 {
            let mut broken = row;
            broken.0[bit / 8] ^= 1 << (bit % 8);
            assert!(key(2, 1, GrantKind::Secret).open(&broken).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn rows_are_padded_to_a_power_of_two_and_one_friend_twice_is_refused() {
        for (given, padded) in [(0, 1), (1, 1), (2, 2), (3, 4), (100, 128), (1_024, 1_024)] {
            let rows = (0..given).map(|_| GrantRow(entropy_row(given))).collect::<Vec<_>>();
            let rows = rows.into_iter().enumerate().map(|(at, row)| numbered(row, at)).collect();
            assert_eq!(GrantRows::padded(rows, &mut entropy()).unwrap().iter().len(), padded);
        }
        let row = key(1, 2, GrantKind::Secret).seal(&[7; 32]);
        assert_eq!(GrantRows::padded(vec![row, row], &mut entropy()), Err(GrantRowsError::Order));
        assert_eq!(GrantRows::padded(vec![row; 1_025], &mut entropy()), Err(GrantRowsError::Count(1_025)));
    }

    fn entropy_row(seed: usize) -> [u8; GRANT_ROW_BYTES] {
        Entropy::from_seed([u8::try_from(seed % 256).unwrap(); 32]).bytes()
    }

    fn numbered(mut row: GrantRow, number: usize) -> GrantRow {
        row.0[..8].copy_from_slice(&(number as u64).to_be_bytes());
        row
    }

    #[test]
    fn rows_of_a_wrong_length_number_or_order_are_refused() {
        let rows = GrantRows::padded(vec![GrantRow([1; 56]), GrantRow([2; 56])], &mut entropy()).unwrap();
        let bytes = rows.as_bytes();
        assert_eq!(GrantRows::decode(&bytes[..111]), Err(GrantRowsError::Length(111)));
        assert_eq!(GrantRows::decode(&[]), Err(GrantRowsError::Count(0)));
        assert_eq!(GrantRows::decode(&[bytes, &[3; 56]].concat()), Err(GrantRowsError::Count(3)));
        assert_eq!(GrantRows::decode(&[&bytes[56..], &bytes[..56]].concat()), Err(GrantRowsError::Order));
    }
}
