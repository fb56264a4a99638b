//! Writing bencode in its one canonical form.

use super::{Dict, Value};

impl Value<'_> {
    /// The canonical bytes of this value. spec: BEN-2
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_to(&mut out);
        out
    }

    /// Appends the canonical bytes of this value to `out`.
    pub fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Value::Int(number) => {
                out.push(b'i');
                if *number < 0 {
                    out.push(b'-');
                }
                encode_number(number.unsigned_abs(), out);
                out.push(b'e');
            }
            Value::Bytes(bytes) => encode_bytes(bytes, out),
            Value::List(items) => {
                out.push(b'l');
                for item in items {
                    item.encode_to(out);
                }
                out.push(b'e');
            }
            Value::Dict(dict) => dict.encode_to(out),
        }
    }
}

impl Dict<'_> {
    /// Appends the canonical bytes of this dictionary to `out`.
    pub fn encode_to(&self, out: &mut Vec<u8>) {
        out.push(b'd');
        for (key, value) in self.iter() {
            encode_bytes(key, out);
            value.encode_to(out);
        }
        out.push(b'e');
    }
}

pub(super) fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    encode_number(u64::try_from(bytes.len()).expect("no more than 64 bits"), out);
    out.push(b':');
    out.extend_from_slice(bytes);
}

/// Appends a number in decimal digits, without an allocation of its own.
pub(super) fn encode_number(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_written_in_its_canonical_form() {
        let value = Value::from(
            Dict::new().with(b"list", vec![Value::from(-3), Value::from(0)]).with(b"", "").with(b"d", Dict::new()),
        );
        assert_eq!(value.encode(), b"d0:0:1:dde4:listli-3ei0eee");
    }

    #[test]
    fn the_smallest_integer_is_written_in_full() {
        assert_eq!(Value::from(i64::MIN).encode(), b"i-9223372036854775808e");
    }
}
