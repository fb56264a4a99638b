//! The tracker over HTTP: connections, and what each request is answered with.

mod listener;
mod request;

pub use listener::{Listener, bind};
