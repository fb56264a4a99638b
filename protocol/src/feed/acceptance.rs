//! Which heads are accepted, and what proves that a log was forked.

use std::cmp::Ordering;

use thiserror::Error;

use super::head::{Head, HeadError, UnverifiedHead};
use super::roster::Roster;
use crate::ids::FeedId;
use crate::merkle::{Hash, ProofError, verify_consistency};

/// What becomes of a received head. spec: LOG-5, LOG-6
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadDecision {
    /// It continues what is held, or nothing is held yet.
    Accept(Head),
    /// It says what is held already.
    Known,
    /// It is of an earlier state of the log: ignored, since whoever sent it may just be behind.
    Older,
    /// The device signed two heads that do not fit together: the log takes no further heads.
    Fork(Box<ForkEvidence>),
    /// It cannot be accepted: the sender is at fault.
    Refused(HeadRefusal),
}

/// Two heads of one log, both signed by its device, of which neither continues the other. spec: LOG-6
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkEvidence {
    /// The head that was held.
    pub held: Head,
    /// The head that came.
    pub received: Head,
    /// For heads of different sizes: the consistency proof that leads to the larger tree's root, and to another root of the
    /// smaller. Empty for equal sizes, where the roots alone show it.
    pub proof: Vec<Hash>,
}

/// Why a head is refused: the fault of who sent it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeadRefusal {
    /// Malformed, wrongly signed, or by a device that may not.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// Of another log than the held one: the caller's fault.
    #[error("the head is of another log")]
    OtherLog,
    /// It is larger than what is held and does not come with the proof that it continues it.
    #[error("the head does not prove that it continues the log")]
    Unproven,
    /// The proof is wrong.
    #[error("the head's proof does not fit")]
    Proof(#[from] ProofError),
}

impl HeadDecision {
    /// Judges a received head, given the one that is held and the consistency proof between the two that came along. A pure
    /// function. spec: LOG-5, LOG-6
    ///
    /// A wrong proof by itself never counts as a fork, or anybody could discredit anybody's log. Where the held size is a
    /// power of two, the RFC's proof does not contain the held tree's root, so that a fork there shows as a wrong proof; it
    /// is seen as one as soon as two heads of equal size, or of another size, meet.
    pub fn judge(
        feed: &FeedId,
        roster: &Roster,
        held: Option<&Head>,
        received: UnverifiedHead,
        proof: Option<&[Hash]>,
    ) -> Self {
        if held.is_some_and(|held| held.bytes() == received.bytes()) {
            return Self::Known;
        }
        let received = match received.verify(feed, roster) {
            Ok(received) => received,
            Err(error) => return Self::Refused(error.into()),
        };
        let Some(held) = held else { return Self::Accept(received) };
        if held.log() != received.log() || held.feed() != received.feed() {
            return Self::Refused(HeadRefusal::OtherLog);
        }
        match received.size().cmp(&held.size()) {
            Ordering::Equal if received.root() == held.root() => Self::Known,
            Ordering::Equal => Self::fork(held, received, &[]),
            Ordering::Less => match proof.map(|proof| continues(&received, held, proof)) {
                Some(Err(ProofError::OtherOldRoot)) => Self::fork(held, received, proof.unwrap_or_default()),
                // An older head needs no proof to be ignored.
                _ => Self::Older,
            },
            Ordering::Greater => match proof.map(|proof| continues(held, &received, proof)) {
                None => Self::Refused(HeadRefusal::Unproven),
                Some(Ok(())) => Self::Accept(received),
                Some(Err(ProofError::OtherOldRoot)) => Self::fork(held, received, proof.unwrap_or_default()),
                Some(Err(error)) => Self::Refused(error.into()),
            },
        }
    }

    fn fork(held: &Head, received: Head, proof: &[Hash]) -> Self {
        Self::Fork(Box::new(ForkEvidence { held: held.clone(), received, proof: proof.to_vec() }))
    }
}

impl ForkEvidence {
    /// Whether it proves a fork: for evidence that somebody else passed on. The heads are verified already. spec: LOG-6
    pub fn holds(&self) -> bool {
        let (one, other) = (&self.held, &self.received);
        let (smaller, larger) = if one.size() <= other.size() { (one, other) } else { (other, one) };
        let forked = if smaller.size() == larger.size() {
            smaller.root() != larger.root()
        } else {
            continues(smaller, larger, &self.proof) == Err(ProofError::OtherOldRoot)
        };
        one.log() == other.log() && one.feed() == other.feed() && forked
    }
}

/// Checks that the larger head's log begins with the smaller's.
///
/// A proof that leads to the larger root is made of genuine nodes of that tree: where they lead to another root of the
/// smaller size ([`ProofError::OtherOldRoot`]) than the signed one, the device signed both.
fn continues(smaller: &Head, larger: &Head, proof: &[Hash]) -> Result<(), ProofError> {
    verify_consistency(smaller.size(), smaller.root(), larger.size(), larger.root(), proof)
}
