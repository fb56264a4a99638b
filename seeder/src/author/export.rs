//! An identity in one file: `export`, and what `import` takes from it. spec: STORE-21

use peerfeed_protocol::bencode::{self, Dict, Value};
use peerfeed_protocol::crypto::{IdentityKey, OwnerKey, SealedFile};
use peerfeed_protocol::feed::{EpochSecret, Granted, Records};
use peerfeed_protocol::ids::{EpochId, FeedId};
use peerfeed_protocol::limits::SEALED_FILE_BYTES_MAX;
use zeroize::Zeroizing;

use super::belongings::{Belongings, Membership};
use super::{Author, AuthorError};
use crate::keys;
use crate::store::{AudienceName, AudienceRow, FeedRow, Reading, Reads, Store, WriteError, WriteTxn};

const KIND: &str = "export";

/// What an export holds.
pub struct Exported {
    /// The identity; absent where it is kept cold.
    pub identity: Option<IdentityKey>,
    /// Manifest and roster as they were.
    pub records: Records,
    epochs: Vec<(EpochId, EpochSecret)>,
    belongings: Belongings,
}

/// The identity of a folder in one sealed file: its key, records, the secrets of its own epochs, who is in its audiences,
/// and whom its owner follows. The device's keys stay where they are.
pub fn export(store: &Store, author: &Author, passphrase: &str) -> Result<Vec<u8>, AuthorError> {
    let (cost, key, nonce) = keys::fresh_key(passphrase)?;
    let content = Zeroizing::new(content(store, author)?.encode());
    Ok(SealedFile::seal(KIND, &content, cost, &key, nonce).encode())
}

fn content(store: &Store, author: &Author) -> Result<Dict<'static>, AuthorError> {
    let (txn, feed) = (store.read()?, author.feed());
    let records = txn.records(feed)?.ok_or(AuthorError::RecordsLost)?;
    let whole = txn.epochs(feed)?.into_iter().filter_map(|(epoch, granted)| match granted {
        Granted::Secret(secret) => Some(Value::from(vec![Value::from(epoch), Value::from(*secret.expose())])),
        Granted::ReadKey(_) => None,
    });
    let belongings = Belongings::gather(&txn)?;
    let audiences = belongings.audiences.iter().map(|(name, row)| {
        let epoch = row.epoch.unwrap_or(EpochId::PUBLIC);
        let left = Value::from(u64::from(row.left));
        Value::from(vec![Value::from(name.as_bytes().to_vec()), Value::from(epoch), left])
    });
    let members = belongings.members.iter().map(|(member, name, since_s, member_reads)| {
        let dict = Dict::new()
            .with(b"a", *since_s)
            .with(b"f", *member.as_bytes())
            .with(b"n", name.as_bytes().to_vec())
            .with_optional(b"r", reads(member_reads));
        Value::from(dict)
    });
    let followed = belongings
        .followed
        .iter()
        .map(|(followed, row)| Value::from(vec![Value::from(*followed.as_bytes()), Value::from(row.to_bytes())]));
    let identity = match &author.keys.owner {
        Some(OwnerKey::Identity(identity)) => Some(*identity.seed()),
        _ => None,
    };
    Ok(Dict::new()
        .with(b"a", audiences.collect::<Vec<_>>())
        .with(b"e", whole.collect::<Vec<_>>())
        .with(b"f", *feed.as_bytes())
        .with_optional(b"i", identity)
        .with(b"m", records.manifest().bytes().to_vec())
        .with(b"p", members.collect::<Vec<_>>())
        .with(b"r", records.roster().bytes().to_vec())
        .with(b"v", 1)
        .with(b"w", followed.collect::<Vec<_>>()))
}

fn reads(reads: &Reads) -> Option<Vec<Value<'static>>> {
    match reads {
        Reads::Everything => None,
        Reads::FromNow(epochs) => Some(epochs.iter().map(|epoch| Value::from(*epoch)).collect()),
    }
}

impl Exported {
    /// Opens an exported file.
    pub fn open(bytes: &[u8], passphrase: &str) -> Result<Self, AuthorError> {
        let path = || std::path::PathBuf::from("the file");
        let failed = |source| AuthorError::Keys(keys::KeyError::Sealed { path: path(), source });
        let sealed = SealedFile::decode(bytes).map_err(failed)?;
        let key = sealed.cost().stretch(passphrase).map_err(|error| failed(error.into()))?;
        let content = sealed.open(KIND, &key).map_err(failed)?;
        Self::decode(&content).ok_or(AuthorError::Export)
    }

    fn decode(content: &[u8]) -> Option<Self> {
        let dict = bencode::decode(content, SEALED_FILE_BYTES_MAX).ok()?.into_dict()?;
        let feed = FeedId::from_bytes(dict.array(b"f").ok()?).ok()?;
        let records = Records::decode(&feed, dict.bytes(b"m").ok()?, dict.bytes(b"r").ok()?).ok()?;
        let identity = dict.optional_array(b"i").ok()?.map(|seed| IdentityKey::from_seed(&Zeroizing::new(seed)));
        if dict.uint(b"v").ok()? != 1 || identity.as_ref().is_some_and(|identity| identity.feed_id() != feed) {
            return None;
        }
        Some(Self {
            identity,
            records,
            epochs: dict.list(b"e").ok()?.iter().map(epoch).collect::<Option<_>>()?,
            belongings: Belongings {
                audiences: dict.list(b"a").ok()?.iter().map(audience).collect::<Option<_>>()?,
                members: dict.list(b"p").ok()?.iter().map(member).collect::<Option<_>>()?,
                // An earlier version wrote none.
                followed: dict.optional_list(b"w").ok()?.unwrap_or(&[]).iter().map(followed).collect::<Option<_>>()?,
            },
        })
    }

    /// Puts epochs, audiences, members and whom its owner follows into a store that has the feed.
    pub(super) fn restore(&self, txn: &mut WriteTxn) -> Result<(), WriteError> {
        let own = *self.records.manifest().feed();
        for (epoch, secret) in &self.epochs {
            txn.put_epoch(own, *epoch, &Granted::Secret(secret.clone()))?;
        }
        self.belongings.restore(txn)
    }
}

fn epoch(value: &Value<'_>) -> Option<(EpochId, EpochSecret)> {
    let [id, secret] = value.as_list()? else { return None };
    let id = EpochId::from_slice(id.as_bytes()?).ok()?;
    Some((id, EpochSecret::new(secret.as_bytes()?.try_into().ok()?)))
}

fn followed(value: &Value<'_>) -> Option<(FeedId, FeedRow)> {
    let [feed, row] = value.as_list()? else { return None };
    Some((FeedId::from_slice(feed.as_bytes()?).ok()?, FeedRow::from_bytes(row.as_bytes()?)?))
}

fn audience(value: &Value<'_>) -> Option<(AudienceName, AudienceRow)> {
    let [name, epoch, left] = value.as_list()? else { return None };
    let epoch = EpochId::from_slice(epoch.as_bytes()?).ok()?;
    let epoch = (epoch != EpochId::PUBLIC).then_some(epoch);
    Some((AudienceName::from_stored(name.as_bytes()?), AudienceRow { epoch, left: left.as_int()? != 0 }))
}

fn member(value: &Value<'_>) -> Option<Membership> {
    let dict = value.as_dict()?;
    let reads = match dict.optional_list(b"r").ok()? {
        None => Reads::Everything,
        Some(epochs) => {
            let epoch = |epoch: &Value<'_>| EpochId::from_slice(epoch.as_bytes()?).ok();
            Reads::FromNow(epochs.iter().map(epoch).collect::<Option<_>>()?)
        }
    };
    let feed = FeedId::from_bytes(dict.array(b"f").ok()?).ok()?;
    Some((feed, AudienceName::from_stored(dict.bytes(b"n").ok()?), dict.uint(b"a").ok()?, reads))
}
