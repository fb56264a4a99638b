//! Reading a record's fields with their types.

use thiserror::Error;

use super::{Dict, Value};

/// A field that is not what the record's format says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("field \"{key}\" {problem}")]
pub struct FieldError {
    /// The field's key; bytes that are not UTF-8 are replaced.
    pub key: String,
    /// What is wrong with it.
    pub problem: FieldProblem,
}

impl FieldError {
    /// A problem with the field `key`: for checks that go beyond the types read here.
    pub fn new(key: &[u8], problem: FieldProblem) -> Self {
        Self { key: String::from_utf8_lossy(key).into_owned(), problem }
    }
}

/// What can be wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FieldProblem {
    /// The record must have it.
    #[error("is missing")]
    Missing,
    /// An integer where bytes are due, and the like.
    #[error("has the wrong type")]
    WrongType,
    /// Bytes or a list of a length that is not allowed.
    #[error("has the wrong length")]
    WrongLength,
    /// A number, key or other value outside of what is allowed.
    #[error("is out of range")]
    OutOfRange,
    /// Text that is not UTF-8.
    #[error("is not UTF-8")]
    NotText,
}

impl<'a> Dict<'a> {
    /// An integer.
    pub fn int(&self, key: &[u8]) -> Result<i64, FieldError> {
        required(key, self.optional_int(key))
    }

    /// An integer of at least 0.
    pub fn uint(&self, key: &[u8]) -> Result<u64, FieldError> {
        required(key, self.optional_uint(key))
    }

    /// An integer from 0 to `max`, both included.
    pub fn uint_up_to(&self, key: &[u8], max: u64) -> Result<u64, FieldError> {
        let number = self.uint(key)?;
        if number > max { Err(FieldError::new(key, FieldProblem::OutOfRange)) } else { Ok(number) }
    }

    /// A byte string.
    pub fn bytes(&self, key: &[u8]) -> Result<&[u8], FieldError> {
        required(key, self.optional_bytes(key))
    }

    /// A byte string of exactly `N` bytes.
    pub fn array<const N: usize>(&self, key: &[u8]) -> Result<[u8; N], FieldError> {
        required(key, self.optional_array(key))
    }

    /// A byte string that is UTF-8.
    pub fn text(&self, key: &[u8]) -> Result<&str, FieldError> {
        required(key, self.optional_text(key))
    }

    /// A list.
    pub fn list(&self, key: &[u8]) -> Result<&[Value<'a>], FieldError> {
        required(key, self.optional_list(key))
    }

    /// A dictionary.
    pub fn dict(&self, key: &[u8]) -> Result<&Dict<'a>, FieldError> {
        required(key, self.optional_dict(key))
    }

    /// An integer, if the field is there.
    pub fn optional_int(&self, key: &[u8]) -> Result<Option<i64>, FieldError> {
        self.optional(key, Value::as_int)
    }

    /// An integer of at least 0, if the field is there.
    pub fn optional_uint(&self, key: &[u8]) -> Result<Option<u64>, FieldError> {
        self.optional_int(key)?
            .map(|number| u64::try_from(number).map_err(|_| FieldError::new(key, FieldProblem::OutOfRange)))
            .transpose()
    }

    /// A byte string, if the field is there.
    pub fn optional_bytes(&self, key: &[u8]) -> Result<Option<&[u8]>, FieldError> {
        self.optional(key, Value::as_bytes)
    }

    /// A byte string of exactly `N` bytes, if the field is there.
    pub fn optional_array<const N: usize>(&self, key: &[u8]) -> Result<Option<[u8; N]>, FieldError> {
        self.optional_bytes(key)?
            .map(|bytes| bytes.try_into().map_err(|_| FieldError::new(key, FieldProblem::WrongLength)))
            .transpose()
    }

    /// A byte string that is UTF-8, if the field is there.
    pub fn optional_text(&self, key: &[u8]) -> Result<Option<&str>, FieldError> {
        self.optional_bytes(key)?
            .map(|bytes| std::str::from_utf8(bytes).map_err(|_| FieldError::new(key, FieldProblem::NotText)))
            .transpose()
    }

    /// A list, if the field is there.
    pub fn optional_list(&self, key: &[u8]) -> Result<Option<&[Value<'a>]>, FieldError> {
        self.optional(key, Value::as_list)
    }

    /// A dictionary, if the field is there.
    pub fn optional_dict(&self, key: &[u8]) -> Result<Option<&Dict<'a>>, FieldError> {
        self.optional(key, Value::as_dict)
    }

    fn optional<'s, T>(
        &'s self,
        key: &[u8],
        read: impl FnOnce(&'s Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, FieldError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(read) => Ok(Some(read)),
                None => Err(FieldError::new(key, FieldProblem::WrongType)),
            },
        }
    }
}

fn required<T>(key: &[u8], field: Result<Option<T>, FieldError>) -> Result<T, FieldError> {
    field?.ok_or_else(|| FieldError::new(key, FieldProblem::Missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem<T: std::fmt::Debug>(field: Result<T, FieldError>) -> FieldProblem {
        field.expect_err("a broken field").problem
    }

    #[test]
    fn each_broken_field_says_what_is_wrong_with_it() {
        let dict = Dict::new().with(b"n", -1).with(b"b", &b"\xff\xfe"[..]);
        assert_eq!(problem(dict.int(b"x")), FieldProblem::Missing);
        assert_eq!(problem(dict.bytes(b"n")), FieldProblem::WrongType);
        assert_eq!(problem(dict.optional_list(b"n")), FieldProblem::WrongType);
        assert_eq!(problem(dict.uint(b"n")), FieldProblem::OutOfRange);
        assert_eq!(problem(dict.array::<3>(b"b")), FieldProblem::WrongLength);
        assert_eq!(problem(dict.text(b"b")), FieldProblem::NotText);
        assert_eq!(dict.array::<2>(b"b"), Ok([0xff, 0xfe]));
        assert_eq!(dict.optional_dict(b"x"), Ok(None));
    }

    #[test]
    fn an_upper_bound_includes_itself() {
        let dict = Dict::new().with(b"n", 5);
        assert_eq!(dict.uint_up_to(b"n", 5), Ok(5));
        assert_eq!(problem(dict.uint_up_to(b"n", 4)), FieldProblem::OutOfRange);
    }

    #[test]
    fn an_error_names_its_field() {
        let error = Dict::new().int(b"size").expect_err("missing");
        assert_eq!(error.to_string(), "field \"size\" is missing");
    }
}
