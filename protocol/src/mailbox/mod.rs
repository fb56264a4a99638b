//! Mailboxes: packets that only the devices of one feed open, letters in them, and who may put them. spec: MAIL-1 to MAIL-19

mod cursor;
mod letter;
mod packet;
mod token;
mod work;

pub use cursor::Cursor;
pub use letter::{Letter, LetterError, LetterKind, Prekey};
pub use packet::{Opened, Packet, PacketError, seal};
pub use token::{Token, TokenError, TokenHash, TokenKind};
pub use work::{Work, find_work};
