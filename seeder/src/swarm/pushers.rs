//! Who of many neighbours pushes a log's heads.

use super::ConnectionId;
use super::limits::{ASKED_AGAIN, PUSHERS, REPLACEMENTS};

/// The peers that pushed the newest head, the first ones first.
#[derive(Debug, Default)]
pub(super) struct Pushers {
    size: u64,
    first: Vec<ConnectionId>,
    /// Those who were asked since to push in place of some who are gone.
    stand_ins: Vec<ConnectionId>,
    mentioned: u64,
    asked: usize,
}

impl Pushers {
    /// A peer pushed the head of this size: whether it is among the first, so that it may go on.
    pub(super) fn note(&mut self, connection: ConnectionId, size: u64) -> bool {
        if size > self.size {
            self.size = size;
            self.first.clear();
            self.stand_ins.clear();
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

    /// A peer is gone; how many are to push in its place. When many leave at once, those who were asked may be among
    /// them, and each of these needs one of its own.
    pub(super) fn lose(&mut self, connection: ConnectionId) -> usize {
        let takes_from = |list: &mut Vec<ConnectionId>| {
            let before = list.len();
            list.retain(|pusher| *pusher != connection);
            list.len() < before
        };
        let (pushed, stood_in) = (takes_from(&mut self.first), takes_from(&mut self.stand_ins));
        if pushed { REPLACEMENTS } else { usize::from(stood_in) }
    }

    /// A peer was asked to push in place of one that is gone.
    pub(super) fn stand_in(&mut self, connection: ConnectionId) {
        self.stand_ins.push(connection);
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
        assert_eq!((pushers.lose(ConnectionId(1)), pushers.lose(ConnectionId(3))), (0, REPLACEMENTS));
    }

    #[test]
    fn who_stands_in_and_goes_too_is_replaced_until_the_next_head_shows_who_is_first() {
        let mut pushers = Pushers::default();
        pushers.note(ConnectionId(1), 5);
        assert_eq!(pushers.lose(ConnectionId(1)), REPLACEMENTS);
        for number in [2, 3, 4] {
            pushers.stand_in(ConnectionId(number));
        }
        assert_eq!((pushers.lose(ConnectionId(2)), pushers.lose(ConnectionId(2))), (1, 0));
        pushers.note(ConnectionId(3), 6);
        assert_eq!((pushers.lose(ConnectionId(4)), pushers.lose(ConnectionId(3))), (0, REPLACEMENTS));
    }

    #[test]
    fn few_of_those_who_mention_a_head_are_asked_for_it() {
        let mut pushers = Pushers::default();
        let asked = (0..100).filter(|_| pushers.is_worth_asking(7)).count();
        assert_eq!(asked, ASKED_AGAIN);
        assert!(pushers.is_worth_asking(8));
    }
}
