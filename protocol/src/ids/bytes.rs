//! What all names have in common: a fixed number of bytes, printed in hex.

use std::fmt;

use thiserror::Error;

/// Bytes of another length than the name has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{name} has {due} bytes, not {came}")]
pub struct LengthError {
    /// The kind of name.
    pub name: &'static str,
    /// Bytes that it has.
    pub due: usize,
    /// Bytes that came.
    pub came: usize,
}

/// Writes bytes as lowercase hex digits.
pub(crate) fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in bytes {
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

/// Gives a one-field tuple struct over `[u8; N]` access to its bytes, and a `Debug` that prints the first four.
macro_rules! impl_bytes {
    ($name:ident, $length:literal) => {
        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = $length;

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }

            /// The bytes, copied.
            pub const fn to_bytes(self) -> [u8; $length] {
                self.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "("))?;
                $crate::ids::bytes::write_hex(&self.0[..4], f)?;
                f.write_str("\u{2026})")
            }
        }

        impl From<$name> for $crate::bencode::Value<'_> {
            fn from(name: $name) -> Self {
                Self::from(name.0)
            }
        }
    };
}

/// Declares a name that any bytes of the right length can be.
macro_rules! plain_name {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $length]);

        $crate::ids::bytes::impl_bytes!($name, $length);

        impl $name {
            /// The name made of these bytes.
            pub const fn new(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// The name made of these bytes, if there are as many as it has.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, $crate::ids::LengthError> {
                bytes.try_into().map(Self).map_err(|_| $crate::ids::LengthError {
                    name: stringify!($name),
                    due: $length,
                    came: bytes.len(),
                })
            }
        }

        impl From<[u8; $length]> for $name {
            fn from(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::ids::bytes::write_hex(&self.0, f)
            }
        }
    };
}

pub(crate) use {impl_bytes, plain_name};
