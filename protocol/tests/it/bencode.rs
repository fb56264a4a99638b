//! Vectors of the bencode chapter.

use peerfeed_protocol::bencode::{Value, decode, decode_lenient};
use serde_json::{Value as Json, json};

use crate::vector::{self, Given, Outcome, Story, hex, word};

#[test]
fn bencode_is_read_as_the_vectors_say() {
    vector::bless("bencode", &stories(), run);
    vector::check("bencode", run);
}

fn run(given: &Given<'_>) -> Outcome {
    let bytes = given.bytes("bytes");
    let max_bytes = given.optional("max_bytes").and_then(Json::as_u64).unwrap_or(1 << 20);
    let max_bytes = usize::try_from(max_bytes).expect("a size");
    let decoded = match given.kind {
        "bencode" => decode(&bytes, max_bytes),
        "bencode-lenient" => decode_lenient(&bytes, max_bytes),
        other => panic!("no vector of kind {other} belongs here"),
    };
    decoded.map(|value| json!({ "value": render(&value) })).map_err(|error| word(&error))
}

/// Byte strings in hex, dictionaries as lists of pairs.
fn render(value: &Value<'_>) -> Json {
    match value {
        Value::Int(number) => json!(number),
        Value::Bytes(bytes) => json!(hex(bytes)),
        Value::List(items) => items.iter().map(render).collect(),
        Value::Dict(dict) => dict.iter().map(|(key, value)| json!([hex(key), render(value)])).collect(),
    }
}

fn stories() -> Vec<Story> {
    let strict = |name, story, spec, bytes: &[u8], accepted| Story {
        name,
        story,
        kind: "bencode",
        spec,
        given: json!({ "bytes": hex(bytes) }),
        accepted,
    };
    let capped = |name, story, bytes: &[u8], max_bytes: usize, accepted| Story {
        name,
        story,
        kind: "bencode",
        spec: &["BEN-1"],
        given: json!({ "bytes": hex(bytes), "max_bytes": max_bytes }),
        accepted,
    };
    let lenient = |name, story, bytes: &[u8], accepted| Story {
        name,
        story,
        kind: "bencode-lenient",
        spec: &["BEN-6"],
        given: json!({ "bytes": hex(bytes) }),
        accepted,
    };
    let nested = |levels: usize| [b"l".repeat(levels), b"e".repeat(levels)].concat();
    vec![
        strict(
            "a-record-with-every-kind-of-value",
            "Integers, byte strings, a list and dictionaries, keys sorted by their bytes.",
            &["BEN-2"],
            b"d0:0:1:ai-3e1:b3:\x00\xff\x0a1:dde1:lli0ei9223372036854775807ei-9223372036854775808eee",
            true,
        ),
        strict("unsorted-keys", "The key b stands before a.", &["BEN-2"], b"d1:bi1e1:ai2ee", false),
        strict("a-key-that-is-there-twice", "Two values for one key.", &["BEN-2"], b"d1:ai1e1:ai2ee", false),
        strict("a-plus-sign", "5 has one spelling, and that has no plus sign.", &["BEN-5"], b"i+5e", false),
        strict("a-plus-sign-before-a-key-length", "Lengths have no sign.", &["BEN-5"], b"d+1:ai1ee", false),
        strict("minus-zero", "Zero has no sign.", &["BEN-2"], b"i-0e", false),
        strict("a-leading-zero", "3 is not spelled 03.", &["BEN-2"], b"i03e", false),
        strict("a-length-with-a-leading-zero", "Nor is the length 3.", &["BEN-2"], b"03:abc", false),
        strict("an-integer-of-65-bits", "2^63 does not fit.", &["BEN-4"], b"i9223372036854775808e", false),
        strict("a-string-that-breaks-off", "Five bytes are promised, three are there.", &["BEN-2"], b"5:abc", false),
        strict("bytes-after-the-value", "A record is one value and nothing else.", &["BEN-2"], b"i5ei6e", false),
        strict("no-bytes-at-all", "Nothing is no value.", &["BEN-2"], b"", false),
        strict("eight-levels", "The innermost of eight lists is on the eighth level.", &["BEN-3"], &nested(8), true),
        strict("nine-levels", "One level more than any record has.", &["BEN-3"], &nested(9), false),
        strict(
            "an-integer-on-the-ninth-level",
            "Every value counts as a level, not only lists and dictionaries.",
            &["BEN-3"],
            b"lllllllli1eeeeeeeee",
            false,
        ),
        capped("as-long-as-it-may-be", "The limit includes itself.", b"3:abc", 5, true),
        capped("one-byte-too-long", "Refused by its size before it is looked at.", b"3:abc", 4, false),
        lenient("a-tracker-that-does-not-sort", "Other people's replies may be unsorted.", b"d1:bi1e1:ai2ee", true),
        lenient("a-tracker-that-writes-plus-five", "Nor need they be canonical.", b"i+5e", true),
        lenient("a-tracker-that-nests-too-deep", "Depth is limited for everybody.", &nested(9), false),
    ]
}
