//! Who of many neighbours pushes a log's heads.

use super::ConnectionId;
use super::limits::{ASKED_AGAIN, PUSHERS};

/// The peers that pushed the newest head, the first ones first.
#[derive(Debug, Default)]
pub(super) struct Pushers {
    size: u64,
    first: Vec<ConnectionId>,
    mentioned: u64,
    asked: usize,
}

impl Pushers {
    /// A peer pushed the head of this size: whether it is among the first, so that it may go on.
    pub(super) fn note(&mut self, connection: ConnectionId, size: u64) -> bool {
        if size > self.size {
            self.size = size;
            self.first.clear();
        }
        // An earlier head says nothing about who is first with the newest.
        if size < self.size || self.first.contains(&connection) {
            return true;
        }
        let has_room = self.first.len() < PUSHERS;
        if has_room {
            self.first.push(connection);
        }
        has_room
    }

    /// A peer is gone; whether it was one of them.
    pub(super) fn lose(&mut self, connection: ConnectionId) -> bool {
        let before = self.first.len();
        self.first.retain(|pusher| *pusher != connection);
        self.first.len() < before
    }

    /// A head of this size was mentioned that nobody has pushed: whether who mentioned it is to be asked for it.
    pub(super) fn is_worth_asking(&mut self, size: u64) -> bool {
        if size > self.mentioned {
            self.mentioned = size;
            self.asked = 0;
        }
        self.asked += 1;
        self.asked <= ASKED_AGAIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_go_on_and_the_next_head_may_find_others() {
        let mut pushers = Pushers::default();
        assert!(pushers.note(ConnectionId(1), 5) && pushers.note(ConnectionId(2), 5));
        assert!(!pushers.note(ConnectionId(3), 5), "a third one");
        assert!(pushers.note(ConnectionId(1), 5) && pushers.note(ConnectionId(3), 4), "nothing new");
        assert!(pushers.note(ConnectionId(3), 6), "the first one with the next head");
        assert!(!pushers.lose(ConnectionId(1)) && pushers.lose(ConnectionId(3)));
    }

    #[test]
    fn few_of_those_who_mention_a_head_are_asked_for_it() {
        let mut pushers = Pushers::default();
        let asked = (0..100).filter(|_| pushers.is_worth_asking(7)).count();
        assert_eq!(asked, ASKED_AGAIN);
        assert!(pushers.is_worth_asking(8));
    }
}
