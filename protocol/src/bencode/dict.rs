//! A bencoded dictionary: the shape of every record.

use std::borrow::Cow;

use super::Value;

/// A dictionary: entries sorted by key bytes, each key once. spec: BEN-2
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dict<'a>(Vec<(Cow<'a, [u8]>, Value<'a>)>);

impl<'a> Dict<'a> {
    /// An empty dictionary.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key`, replacing what it held.
    pub fn insert(&mut self, key: impl Into<Cow<'a, [u8]>>, value: impl Into<Value<'a>>) {
        let (key, value) = (key.into(), value.into());
        match self.position(&key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    /// The same dictionary with `key` set: for building a record in one expression.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'a, [u8]>>, value: impl Into<Value<'a>>) -> Self {
        self.insert(key, value);
        self
    }

    /// The same dictionary with `key` set, if there is a value for it.
    #[must_use]
    pub fn with_optional(self, key: impl Into<Cow<'a, [u8]>>, value: Option<impl Into<Value<'a>>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &[u8]) -> Option<Value<'a>> {
        self.position(key).ok().map(|at| self.0.remove(at).1)
    }

    /// What `key` holds.
    pub fn get(&self, key: &[u8]) -> Option<&Value<'a>> {
        self.position(key).ok().map(|at| &self.0[at].1)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &Value<'a>)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// The entries that a reader of `known` keys does not understand: kept and hashed, never interpreted.
    pub fn unknown_keys<'s>(&'s self, known: &'s [&'s [u8]]) -> impl Iterator<Item = (&'s [u8], &'s Value<'a>)> {
        self.iter().filter(move |(key, _)| !known.contains(key))
    }

    /// The same dictionary, borrowing from nothing.
    pub fn into_owned(self) -> Dict<'static> {
        Dict(self.0.into_iter().map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned())).collect())
    }

    /// Its canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_to(&mut out);
        out
    }

    fn position(&self, key: &[u8]) -> Result<usize, usize> {
        self.0.binary_search_by(|(held, _)| held.as_ref().cmp(key))
    }
}

impl<'a> FromIterator<(Cow<'a, [u8]>, Value<'a>)> for Dict<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, [u8]>, Value<'a>)>>(entries: I) -> Self {
        let mut dict = Self::new();
        for (key, value) in entries {
            dict.insert(key, value);
        }
        dict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_whatever_the_order_of_insertion() {
        let dict = Dict::new().with(b"b", 2).with(b"aa", 1).with(b"a", 0).with(b"b", 3);
        let keys: Vec<_> = dict.iter().map(|(key, value)| (key.to_vec(), value.as_int())).collect();
        assert_eq!(keys, [(b"a".to_vec(), Some(0)), (b"aa".to_vec(), Some(1)), (b"b".to_vec(), Some(3))]);
    }

    #[test]
    fn an_absent_optional_value_leaves_no_trace() {
        assert_eq!(Dict::new().with_optional(b"a", None::<i64>), Dict::new());
        assert_eq!(Dict::new().with_optional(b"a", Some(1)).encode(), b"d1:ai1ee");
    }

    #[test]
    fn unknown_keys_are_those_the_reader_does_not_list() {
        let dict = Dict::new().with(b"a", 1).with(b"b", 2).with(b"c", 3);
        let unknown: Vec<_> = dict.unknown_keys(&[b"a", b"c"]).map(|(key, _)| key).collect();
        assert_eq!(unknown, [b"b"]);
    }
}
