//! The private state of a feed's owner: who is in which audience, whom the owner follows and under which names. It stands in
//! control entries, sealed so that only the words open it. spec: ENTRY-23 to ENTRY-27

mod notice;
mod part;
mod state;

pub use notice::{PrivateError, PrivateNotice};
pub use part::PrivatePart;
pub use state::{AudienceState, FollowedState, MemberState, PrivateState};
