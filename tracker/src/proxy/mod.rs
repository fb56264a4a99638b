//! Whom a reverse proxy speaks for: the client's address from `X-Forwarded-For` or the PROXY protocol, believed only when
//! it comes from a network that the operator trusts.
//!
//! - [`networks`]: which addresses are proxies.
//! - [`forwarded`]: the header that HTTP proxies add.
//! - [`v2`]: the PROXY protocol's binary header, [`read`]ing it in front of HTTP or TLS.

pub mod forwarded;
pub mod networks;
pub mod read;
pub mod v2;

pub use forwarded::{ForwardedError, client};
pub use networks::{Network, NetworkError, Networks};
pub use read::{ReadError, read_source};
