//! The tracker over HTTP: connections, and what each request is answered with.
//!
//! hyper speaks the protocol (`connection`). Below it lies a wire that bounds every wait and every byte kept and makes the
//! heads of real clients into strict ones (`wire`, `head`); `places` says how many connections there may be and what they
//! may hold, `request` decides the answers, and the listener puts TLS and proxies in front.

mod connection;
pub mod head;
mod listener;
mod places;
mod queue;
mod request;
mod stream;
mod wire;

pub use listener::{Front, Listener, Watching, bind};
pub use places::{Bytes, NoPlace, Place, Places};
pub use request::{Answer, Handler};
