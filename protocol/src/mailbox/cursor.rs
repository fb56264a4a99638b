//! How far a device has read a mailbox.

/// A place in one mailbox: everything up to it was read. spec: MAIL-15
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Which mailbox: random, so that one that was lost and made again is told from it.
    pub mailbox: [u8; 8],
    /// The number of the last packet that was read.
    pub number: u64,
}

impl Cursor {
    /// As it travels.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.mailbox);
        bytes[8..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// The cursor that these bytes are.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let (mut mailbox, mut number) = ([0; 8], [0; 8]);
        mailbox.copy_from_slice(&bytes[..8]);
        number.copy_from_slice(&bytes[8..]);
        Self { mailbox, number: u64::from_be_bytes(number) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor = Cursor { mailbox: [7; 8], number: 258 };
        assert_eq!(Cursor::from_bytes(cursor.to_bytes()), cursor);
        assert_eq!(cursor.to_bytes()[14..], [1, 2]);
    }
}
