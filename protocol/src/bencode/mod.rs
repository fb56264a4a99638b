//! Strict bencode: the one form in which every record of our own is written.
//!
//! [`decode`] accepts exactly one spelling of each value, so a record's bytes and its meaning determine each other and a
//! hash or signature over the bytes is a hash or signature over the meaning. [`decode_lenient`] is for replies of other
//! people's trackers, which are only capped. spec: BEN-1 to BEN-6

mod decode;
mod dict;
mod encode;
mod field;
mod value;
mod written;

pub use decode::{DecodeError, decode, decode_lenient};
pub use dict::Dict;
pub use field::{FieldError, FieldProblem};
pub use value::Value;
pub use written::WrittenDict;
