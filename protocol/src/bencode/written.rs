//! A dictionary written entry by entry, with nothing in between: for answers of which there are thousands per second.

use super::Value;
use super::encode::{encode_bytes, encode_number};

/// A dictionary on its way into a buffer. Whoever writes gives the keys in their order. spec: BEN-2
#[derive(Debug)]
pub struct WrittenDict<'o> {
    out: &'o mut Vec<u8>,
    /// Where the last key stands in `out`, to see that the order is kept.
    last: std::ops::Range<usize>,
}

impl<'o> WrittenDict<'o> {
    /// Begins a dictionary at the end of `out`.
    pub fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'd');
        Self { out, last: 0..0 }
    }

    /// Writes an entry that holds a number.
    pub fn number(&mut self, key: &[u8], number: u64) {
        self.key(key);
        self.out.push(b'i');
        encode_number(number, self.out);
        self.out.push(b'e');
    }

    /// Writes an entry that holds bytes.
    pub fn bytes(&mut self, key: &[u8], bytes: &[u8]) {
        self.key(key);
        encode_bytes(bytes, self.out);
    }

    /// Writes an entry that holds anything.
    pub fn value(&mut self, key: &[u8], value: &Value<'_>) {
        self.key(key);
        value.encode_to(self.out);
    }

    /// Ends the dictionary.
    pub fn end(self) {
        self.out.push(b'e');
    }

    fn key(&mut self, key: &[u8]) {
        debug_assert!(self.last.is_empty() || self.out[self.last.clone()] < *key, "keys are written in their order");
        encode_bytes(key, self.out);
        self.last = self.out.len() - key.len()..self.out.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bencode::Dict;

    #[test]
    fn what_is_written_entry_by_entry_is_what_a_dictionary_encodes_to() {
        let inner = Value::from(vec![Value::from(1), Value::from(-1)]);
        let mut out = b"before".to_vec();
        let mut written = WrittenDict::begin(&mut out);
        written.number(b"a", 0);
        written.bytes(b"aa", b"\xff\x00");
        written.value(b"b", &inner);
        written.number(b"c", i64::MAX.unsigned_abs());
        written.end();
        let dict = Dict::new().with(b"a", 0).with(b"aa", &b"\xff\x00"[..]).with(b"b", inner).with(b"c", i64::MAX);
        assert_eq!(out, [b"before", &dict.encode()[..]].concat());
    }

    #[test]
    #[should_panic(expected = "in their order")]
    fn keys_out_of_order_are_a_mistake_of_the_writer() {
        let mut out = Vec::new();
        let mut written = WrittenDict::begin(&mut out);
        written.number(b"b", 1);
        written.number(b"a", 1);
    }
}
