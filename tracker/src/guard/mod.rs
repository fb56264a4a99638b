//! What one customer may ask for, and how busy the tracker is.
//!
//! Customers are told apart by [`Prefix`]; what each has used up is kept in [`Buckets`], tables of fixed size whatever
//! is sent; [`Guard`] says what costs how much; [`Load`] stretches the interval when there is too much to do. Nobody is
//! ever banned: a bucket fills up again.

mod buckets;
mod load;
mod policy;
mod prefix;

pub use buckets::{Buckets, Rate, Tokens};
pub use load::Load;
pub use policy::{Ask, Customer, Guard, GuardOptions};
pub use prefix::Prefix;
