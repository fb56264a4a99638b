//! Whose request is served next, tried.

use peerfeed_protocol::crypto::IdentityKey;

use super::*;
use crate::swarm::limits::SERVE_BUFFER_BYTES;

const NOW: Moment = Moment::START;
const GROUP: usize = 1_024_000;

fn id(number: u64) -> ConnectionId {
    ConnectionId(number)
}

fn feed(number: u8) -> FeedId {
    IdentityKey::from_seed(&[number; 32]).feed_id()
}

/// Serves so many requests, each at once and completely, and tells whose they were.
fn served<T>(uploads: &mut Uploads<T>, count: usize, bytes: impl Fn(&T) -> usize) -> Vec<(u64, T)> {
    let one = |_| {
        let (peer, what) = uploads.next(NOW)?;
        let bytes = bytes(&what);
        uploads.served(NOW, peer, bytes, bytes);
        uploads.drained(NOW, peer, 0);
        Some((peer.0, what))
    };
    (0..count).map_while(one).collect()
}

#[test]
fn peers_get_the_same_bytes_however_they_cut_their_requests() {
    let mut uploads = Uploads::new(None);
    for _ in 0..200 {
        uploads.push(id(1), feed(1), Weight::Bulk, GROUP, GROUP).unwrap();
        uploads.push(id(2), feed(1), Weight::Bulk, GROUP / 8, GROUP / 8).unwrap();
    }
    let served = served(&mut uploads, 100, |bytes| *bytes);
    let of = |peer: u64| served.iter().filter(|(id, _)| *id == peer).map(|(_, bytes)| bytes).sum::<usize>();
    assert!(of(1).abs_diff(of(2)) <= 2 * GROUP, "{} and {}", of(1), of(2));
}

#[test]
fn feeds_of_one_peer_take_turns_however_much_is_asked_of_one() {
    let mut uploads = Uploads::new(None);
    for _ in 0..50 {
        uploads.push(id(1), feed(1), Weight::Bulk, GROUP, 1).unwrap();
    }
    uploads.push(id(1), feed(2), Weight::Bulk, GROUP, 2).unwrap();
    let served = served(&mut uploads, 4, |_| GROUP);
    assert!(served.contains(&(1, 2)), "{served:?}");
}

#[test]
fn text_passes_the_bulk_of_everybody() {
    let mut uploads = Uploads::new(None);
    for number in 1..=5 {
        uploads.push(id(number), feed(1), Weight::Bulk, GROUP, "film").unwrap();
    }
    while uploads.next(NOW).is_some() {}
    uploads.push(id(6), feed(1), Weight::Urgent, 4_000, "post").unwrap();
    assert_eq!(uploads.next(NOW), Some((id(6), "post")), "though as many films are read as may be");
}

#[test]
fn who_asks_for_much_in_small_answers_is_charged_for_it() {
    let mut uploads = Uploads::new(None);
    for _ in 0..SERVE_QUEUE / 2 {
        uploads.push(id(1), feed(1), Weight::Urgent, GROUP, 1).unwrap();
    }
    uploads.push(id(2), feed(1), Weight::Bulk, GROUP, 2).unwrap();
    let served = served(&mut uploads, 20, |_| GROUP);
    assert!(served.contains(&(2, 2)), "{served:?}");
}

#[test]
fn who_takes_nothing_is_passed_over_until_it_has_drained() {
    let mut uploads = Uploads::new(None);
    for number in 0..20 {
        uploads.push(id(1), feed(1), Weight::Bulk, GROUP, number).unwrap();
    }
    let mut begun = 0;
    while let Some((peer, _)) = uploads.next(NOW) {
        uploads.served(NOW, peer, GROUP, GROUP);
        begun += 1;
    }
    assert!(begun * GROUP <= SERVE_BUFFER_BYTES + GROUP, "{begun}");
    uploads.drained(NOW, id(1), 0);
    assert!(uploads.next(NOW).is_some());
}

#[test]
fn all_together_hold_no_more_than_there_is_and_who_takes_nothing_makes_room() {
    let mut uploads = Uploads::new(None);
    let later = NOW.after(std::time::Duration::from_secs(60));
    let peers = u64::try_from(2 * SERVE_BYTES / GROUP).unwrap();
    for peer in 0..peers {
        uploads.push(id(peer), feed(1), Weight::Bulk, GROUP, ()).unwrap();
        uploads.push(id(peer), feed(1), Weight::Bulk, GROUP, ()).unwrap();
    }
    let mut held = 0;
    while let Some((peer, ())) = uploads.next(NOW) {
        uploads.served(NOW, peer, GROUP, GROUP);
        held += GROUP;
    }
    assert!(held <= SERVE_BYTES + GROUP, "{held}");
    assert_eq!(uploads.in_the_way(NOW), None, "nobody has had time to take it");
    let stalled = uploads.in_the_way(later).unwrap();
    uploads.remove(stalled);
    assert!(uploads.next(NOW).is_some());
}

#[test]
fn only_so_many_answers_are_read_at_once() {
    let mut uploads = Uploads::new(None);
    for number in 0..=SERVE_JOBS {
        uploads.push(id(number as u64), feed(1), Weight::Bulk, GROUP, number).unwrap();
    }
    assert_eq!(std::iter::from_fn(|| uploads.next(NOW)).count(), SERVE_JOBS);
    uploads.served(NOW, id(0), GROUP, GROUP);
    assert!(uploads.next(NOW).is_some());
}

#[test]
fn a_feed_with_a_rate_of_its_own_waits_and_others_go_on() {
    let mut uploads = Uploads::new(None);
    uploads.set_rate(feed(1), Some(100_000));
    for _ in 0..4 {
        uploads.push(id(1), feed(1), Weight::Bulk, GROUP, 1).unwrap();
        uploads.push(id(1), feed(2), Weight::Bulk, GROUP, 2).unwrap();
    }
    let feeds: Vec<_> = served(&mut uploads, 8, |_| GROUP).into_iter().map(|(_, feed)| feed).collect();
    assert_eq!(feeds.iter().filter(|feed| **feed == 1).count(), 1, "{feeds:?}");
    assert_eq!(feeds.len(), 5, "all of the other feed: {feeds:?}");
    let at = uploads.paced_until().unwrap();
    assert_eq!(at.since(NOW), Duration::from_micros(10_240_000));
    uploads.push(id(1), feed(1), Weight::Urgent, 4_000, 3).unwrap();
    assert_eq!(uploads.next(NOW), None, "text of that feed is bounded too");
    assert_eq!(uploads.next(at), Some((id(1), 1)));
    uploads.set_rate(feed(1), None);
    uploads.served(at, id(1), GROUP, 0);
    assert!(uploads.next(at).is_some());
}

#[test]
fn too_many_requests_of_one_peer_are_given_back() {
    let mut uploads = Uploads::new(None);
    for request in 0..SERVE_QUEUE {
        uploads.push(id(1), feed(1), Weight::Bulk, 1, request).unwrap();
    }
    assert_eq!(uploads.push(id(1), feed(1), Weight::Urgent, 1, 7), Err(7));
    assert_eq!(uploads.withdraw(id(1), |request| *request == 3), [3]);
    uploads.remove(id(1));
    assert_eq!(uploads.next(NOW), None);
}
