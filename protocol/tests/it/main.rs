//! What the protocol must do, shown by vectors (`fixtures/vectors`) and by whole conversations.
//!
//! `PEERFEED_BLESS=1 cargo test -p peerfeed-protocol --test it` writes the vectors that are made here anew.

// Tests read the vectors from files and may take their seed from the environment; the crate itself may not.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
// A panic is how a test says no, and a list of stories is long because it is a list.
#![allow(clippy::unwrap_used, clippy::too_many_lines)]
// The fuzzers' conversations are held by the puppet of `peer`.
#![allow(clippy::duplicate_mod)]

mod announce;
mod bencode;
mod corpus;
mod feed;
#[allow(unreachable_pub, missing_docs, reason = "a crate of its own, built here once more for its corpora")]
#[path = "../../fuzz/src/lib.rs"]
mod fuzz;
mod hold;
mod identity;
mod mailbox;
mod merkle;
mod peer;
mod purity;
mod spec;
mod vector;
