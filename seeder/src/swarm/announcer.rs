//! Telling trackers about one feed and asking them for its peers.

use std::time::Duration;

use peerfeed_protocol::announce::{Event, TrackerUrl};
use peerfeed_protocol::peer::Moment;

use super::backoff::Backoff;
use super::chance::Chance;
use super::limits::{ANNOUNCE_RETRY_FIRST, ANNOUNCE_RETRY_LONGEST, LOOK_UP_RETRY_FIRST};
use super::status::TrackerStatus;

/// One feed's trackers: they are tried in order until one works, and the one that works moves to the front (BEP 12).
///
/// An announcer that serves goes on at the tracker's interval, with jitter. One that looks up leaves each tracker as soon
/// as it has answered, and asks on, after growing waits, until one names a peer.
#[derive(Debug)]
pub(super) struct Announcer {
    purpose: Purpose,
    tracks: Vec<Track>,
    state: State,
    retry: Backoff,
    asked_all: bool,
}

/// Why trackers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be found and to find.
    Serve,
    /// Only to find, once.
    LookUp,
}

/// One announce to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Announce {
    /// The tracker.
    pub tracker: TrackerUrl,
    /// What is said.
    pub event: Event,
}

/// What came of an announce.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// The tracker answered.
    Answered {
        /// When it wants to hear from us again.
        interval: Duration,
        /// How many peers it named.
        peers: u32,
    },
    /// It did not, or refused.
    Failed {
        /// One line for a person.
        error: String,
        /// The tracker does not want to be asked again (BEP 31).
        never_again: bool,
    },
}

#[derive(Debug)]
struct Track {
    tracker: TrackerUrl,
    /// `started` was answered and `stopped` not yet sent.
    joined: bool,
    given_up: bool,
    working: Option<bool>,
    peers: u32,
    error: Option<String>,
}

#[derive(Debug)]
enum State {
    /// The tracker at this position is to be asked at this moment.
    Due { position: usize, at: Moment },
    /// The tracker at this position is being asked.
    Asking { position: usize },
    /// Nothing more is asked.
    Finished,
}

impl Announcer {
    /// Asks the first tracker at once.
    pub(super) fn new(now: Moment, purpose: Purpose, trackers: Vec<TrackerUrl>) -> Self {
        let mut announcer = Self {
            purpose,
            tracks: Vec::new(),
            state: State::Due { position: 0, at: now },
            retry: match purpose {
                Purpose::Serve => Backoff::new(ANNOUNCE_RETRY_FIRST, ANNOUNCE_RETRY_LONGEST),
                Purpose::LookUp => Backoff::new(LOOK_UP_RETRY_FIRST, ANNOUNCE_RETRY_LONGEST),
            },
            asked_all: false,
        };
        announcer.add(now, trackers);
        announcer
    }

    /// Adds trackers at the end; one that is known already stays where it is.
    pub(super) fn add(&mut self, now: Moment, trackers: impl IntoIterator<Item = TrackerUrl>) {
        let before = self.tracks.len();
        for tracker in trackers {
            if self.tracks.iter().all(|track| track.tracker != tracker) {
                self.tracks.push(Track {
                    tracker,
                    joined: false,
                    given_up: false,
                    working: None,
                    peers: 0,
                    error: None,
                });
            }
        }
        let added = self.tracks.len() > before;
        // Newcomers are worth a try at once when nothing known before works.
        if added && !self.tracks.iter().any(|track| track.working == Some(true)) {
            self.asked_all = false;
            if !matches!(self.state, State::Asking { .. }) {
                self.state = State::Due { position: before, at: now };
            }
        }
    }

    /// Forgets trackers that are no longer named by anybody, except one that is being asked.
    pub(super) fn retain(&mut self, now: Moment, mut keep: impl FnMut(&TrackerUrl) -> bool) {
        if matches!(self.state, State::Asking { .. }) {
            return;
        }
        let before = self.tracks.len();
        self.tracks.retain(|track| keep(&track.tracker));
        if self.tracks.len() < before && matches!(self.state, State::Due { .. }) {
            self.state = State::Due { position: 0, at: now };
        }
    }

    /// Looks up once more.
    pub(super) fn look_again(&mut self, now: Moment) {
        if matches!(self.state, State::Finished) {
            self.asked_all = false;
            self.state = State::Due { position: 0, at: now };
        }
    }

    /// The announce that is due, if any.
    pub(super) fn poll(&mut self, now: Moment) -> Option<Announce> {
        let State::Due { position, at } = self.state else { return None };
        if at > now {
            return None;
        }
        let Some(position) = (position..self.tracks.len()).find(|position| !self.tracks[*position].given_up) else {
            self.asked_all = true;
            self.state = State::Finished;
            return None;
        };
        self.state = State::Asking { position };
        let track = &self.tracks[position];
        let event = if track.joined { Event::None } else { Event::Started };
        Some(Announce { tracker: track.tracker.clone(), event })
    }

    /// What came of the announce that was polled; perhaps the `stopped` that is to follow it.
    pub(super) fn handle_outcome(&mut self, now: Moment, outcome: Outcome, chance: &mut Chance) -> Option<Announce> {
        let State::Asking { position } = self.state else { return None };
        let next = position + 1;
        let track = &mut self.tracks[position];
        match outcome {
            Outcome::Answered { interval, peers } => {
                track.working = Some(true);
                track.peers = peers;
                track.error = None;
                if self.purpose == Purpose::Serve {
                    self.retry.reset();
                    track.joined = true;
                    self.asked_all = true;
                    // The working tracker moves to the front.
                    self.tracks[..=position].rotate_right(1);
                    self.state = State::Due { position: 0, at: now.after(chance.jitter(interval)) };
                    return None;
                }
                let leave = Announce { tracker: track.tracker.clone(), event: Event::Stopped };
                track.joined = false;
                self.state = if peers > 0 { State::Finished } else { self.behind(now, next, chance) };
                self.asked_all |= peers > 0;
                Some(leave)
            }
            Outcome::Failed { error, never_again } => {
                track.working = Some(false);
                track.error = Some(error);
                // It may have forgotten us: the next announce introduces us again.
                track.joined = false;
                track.given_up = never_again;
                self.state = self.behind(now, next, chance);
                None
            }
        }
    }

    /// The tracker behind one that was of no help: at once, or after a wait when it was the last.
    fn behind(&mut self, now: Moment, next: usize, chance: &mut Chance) -> State {
        if next < self.tracks.len() {
            return State::Due { position: next, at: now };
        }
        self.asked_all = true;
        State::Due { position: 0, at: now.after(self.retry.fail(chance)) }
    }

    /// The goodbyes to be said when the feed is served no more; nothing is asked afterwards.
    pub(super) fn stop(&mut self) -> Vec<Announce> {
        self.state = State::Finished;
        self.tracks
            .iter_mut()
            .filter_map(|track| {
                let joined = std::mem::take(&mut track.joined);
                joined.then(|| Announce { tracker: track.tracker.clone(), event: Event::Stopped })
            })
            .collect()
    }

    /// When `poll` has something next.
    pub(super) fn next_wakeup(&self) -> Option<Moment> {
        match self.state {
            State::Due { at, .. } => Some(at),
            _ => None,
        }
    }

    /// Whether one tracker has answered, or all have been tried in vain.
    pub(super) fn asked_all(&self) -> bool {
        self.asked_all || self.tracks.is_empty()
    }

    /// Whether there is no tracker to ask.
    pub(super) fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// How each tracker is doing, in the order in which they are tried.
    pub(super) fn status(&self, now: Moment) -> Vec<TrackerStatus> {
        let due = |position: usize| match self.state {
            State::Due { position: next, at } if next == position => Some(at.since(now)),
            _ => None,
        };
        let tell = |(position, track): (usize, &Track)| TrackerStatus {
            url: track.tracker.to_string(),
            working: track.working,
            peers: track.peers,
            error: track.error.clone(),
            next_in: due(position),
        };
        self.tracks.iter().enumerate().map(tell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(name: &str) -> TrackerUrl {
        format!("http://{name}.example/announce").parse().unwrap()
    }

    fn failed() -> Outcome {
        Outcome::Failed { error: "down".into(), never_again: false }
    }

    fn answered(peers: u32) -> Outcome {
        Outcome::Answered { interval: Duration::from_secs(1_000), peers }
    }

    #[test]
    fn the_first_tracker_that_works_moves_to_the_front() {
        let mut chance = Chance::new([1; 32]);
        let mut announcer = Announcer::new(Moment::START, Purpose::Serve, vec![url("a"), url("b"), url("c")]);
        assert_eq!(announcer.poll(Moment::START).unwrap().tracker, url("a"));
        assert_eq!(announcer.poll(Moment::START), None, "one at a time");
        announcer.handle_outcome(Moment::START, failed(), &mut chance);
        assert_eq!(announcer.poll(Moment::START).unwrap().tracker, url("b"));
        announcer.handle_outcome(Moment::START, answered(0), &mut chance);
        let due = announcer.next_wakeup().unwrap();
        let wait = due.since(Moment::START).as_secs();
        assert!((750..=1_250).contains(&wait), "{wait}");
        let again = announcer.poll(due).unwrap();
        assert_eq!((again.tracker, again.event), (url("b"), Event::None));
        assert_eq!(announcer.status(due)[1].error.as_deref(), Some("down"));
    }

    #[test]
    fn when_all_fail_they_are_tried_again_after_growing_waits() {
        let mut chance = Chance::new([2; 32]);
        let mut announcer = Announcer::new(Moment::START, Purpose::Serve, vec![url("a"), url("b")]);
        let mut now = Moment::START;
        let mut waits = Vec::new();
        for _ in 0..5 {
            for _ in 0..2 {
                assert_eq!(announcer.poll(now).unwrap().event, Event::Started);
                announcer.handle_outcome(now, failed(), &mut chance);
            }
            assert!(announcer.asked_all());
            let due = announcer.next_wakeup().unwrap();
            waits.push(due.since(now));
            now = due;
        }
        assert!(waits[0] < Duration::from_secs(13) && waits[4] > Duration::from_secs(100), "{waits:?}");
    }

    #[test]
    fn a_look_up_in_vain_is_made_again_after_a_short_wait() {
        let mut chance = Chance::new([7; 32]);
        let mut announcer = Announcer::new(Moment::START, Purpose::LookUp, vec![url("a")]);
        announcer.poll(Moment::START).unwrap();
        announcer.handle_outcome(Moment::START, answered(0), &mut chance);
        assert!(announcer.asked_all());
        let due = announcer.next_wakeup().unwrap();
        assert!(due.since(Moment::START) < Duration::from_secs(3));
        assert!(announcer.poll(due).is_some());
    }

    #[test]
    fn a_look_up_leaves_at_once_and_asks_on_until_somebody_is_named() {
        let mut chance = Chance::new([3; 32]);
        let mut announcer = Announcer::new(Moment::START, Purpose::LookUp, vec![url("a"), url("b"), url("c")]);
        announcer.poll(Moment::START).unwrap();
        let leave = announcer.handle_outcome(Moment::START, answered(0), &mut chance).unwrap();
        assert_eq!((leave.tracker, leave.event), (url("a"), Event::Stopped));
        assert!(!announcer.asked_all());
        assert_eq!(announcer.poll(Moment::START).unwrap().tracker, url("b"));
        assert!(announcer.handle_outcome(Moment::START, answered(3), &mut chance).is_some());
        assert!(announcer.asked_all());
        assert_eq!(announcer.poll(Moment::START), None);
        assert_eq!(announcer.next_wakeup(), None);
    }

    #[test]
    fn who_serves_says_goodbye_where_it_was_welcome() {
        let mut chance = Chance::new([4; 32]);
        let mut announcer = Announcer::new(Moment::START, Purpose::Serve, vec![url("a"), url("b")]);
        announcer.poll(Moment::START);
        announcer.handle_outcome(Moment::START, answered(1), &mut chance);
        assert_eq!(announcer.stop(), vec![Announce { tracker: url("a"), event: Event::Stopped }]);
        assert_eq!(announcer.stop(), vec![]);
    }

    #[test]
    fn a_tracker_that_wants_no_more_questions_gets_none() {
        let mut chance = Chance::new([5; 32]);
        let mut announcer = Announcer::new(Moment::START, Purpose::Serve, vec![url("a")]);
        announcer.poll(Moment::START);
        announcer.handle_outcome(Moment::START, Outcome::Failed { error: "no".into(), never_again: true }, &mut chance);
        let due = announcer.next_wakeup().unwrap();
        assert_eq!(announcer.poll(due), None);
        assert!(announcer.asked_all());
    }

    #[test]
    fn a_tracker_that_is_added_later_is_asked_when_none_works() {
        let mut chance = Chance::new([6; 32]);
        let mut announcer = Announcer::new(Moment::START, Purpose::Serve, vec![url("a")]);
        announcer.poll(Moment::START);
        announcer.handle_outcome(Moment::START, failed(), &mut chance);
        announcer.add(Moment::START, [url("a"), url("b")]);
        assert_eq!(announcer.poll(Moment::START).unwrap().tracker, url("b"));
    }
}
