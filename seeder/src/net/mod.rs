//! The only sockets of the seeder: listener, dialler, one task per connection, and the client of trackers.

mod admission;
mod clock;
mod connection;
mod dial;
mod hold;
mod line;
mod listen;
mod throttle;
pub mod tracker;

pub use admission::{Admission, Guest};
pub use clock::Clock;
pub use connection::{Commander, Driver, Rates, Report};
pub use dial::{DialError, dial};
pub use hold::{Asker, WISHES, Wish, Wishes, ask_to_hold};
pub use line::{Line, LineError};
pub use listen::{accept, bind, bind_everywhere};
pub use throttle::Throttle;
