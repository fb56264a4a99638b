//! Keys and what a reader is shown.

use peerfeed::reader::{self, Query};
use peerfeed::store::{Reading, StoredGrant};
use peerfeed_protocol::feed::{Control, Granted};
use peerfeed_protocol::ids::EpochId;

use super::{holding, open, put};
use crate::sample::{NOW_MS, SampleLog, followed, seeded};

#[test]
fn grants_are_found_by_their_tag_until_the_feed_goes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let author = peerfeed::author::init(&store, None, &[]).unwrap().author;
    let feed = author.feed();
    let txn = store.read().unwrap();
    let row = txn.logs(feed).unwrap().remove(0);
    let body = txn.entry(&row, 0).unwrap().unwrap().body.unwrap();
    let Ok(Control::Epoch(start)) = Control::decode(&body) else { panic!("the feed begins with an epoch") };
    for grant in start.grants.iter() {
        let found = txn.grants(feed, *grant.tag()).unwrap();
        assert_eq!(found, [StoredGrant { epoch: start.epoch, author: author.device(), row: grant }]);
    }
    assert!(txn.grants(feed, [0; 8]).unwrap().is_empty());
    store.write_blocking(move |txn| txn.remove_feed(feed)).unwrap();
    for grant in start.grants.iter() {
        assert!(store.read().unwrap().grants(feed, *grant.tag()).unwrap().is_empty());
    }
}

#[test]
fn a_read_key_never_replaces_the_secret_of_an_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let feed = SampleLog::new(1, 2).feed;
    let secret = peerfeed_protocol::feed::EpochSecret::new([5; 32]);
    let (whole, read) = (Granted::Secret(secret.clone()), Granted::ReadKey(secret.read_key(&feed)));
    let epoch = EpochId::new([3; 16]);
    for granted in [read.clone(), whole.clone(), read] {
        store
            .write_blocking(move |txn| {
                if txn.feed(feed)?.is_none() {
                    txn.put_feed(feed, &followed())?;
                }
                txn.put_epoch(feed, epoch, &granted)
            })
            .unwrap();
    }
    assert_eq!(store.read().unwrap().epochs(feed).unwrap(), [(epoch, whole)]);
}

#[test]
fn the_timeline_is_newest_first_across_feeds_and_touches_muted_ones_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (SampleLog::new(1, 2), SampleLog::new(5, 6));
    for minute in 0..30 {
        let log = if minute % 2 == 0 { &mut one } else { &mut other };
        let channel = (minute % 3 == 0).then_some("birds");
        log.post_at(NOW_MS - (30 - minute) * 60_000, &format!("minute {minute}"), channel, Vec::new());
    }
    let store = holding(folder.path(), &one, &[0..15]);
    put(&store, &other, &[0..15]);
    reader::index_pending_blocking(&store).unwrap();
    let texts = |query: &Query| -> Vec<String> {
        reader::timeline(&store, query).unwrap().entries.into_iter().map(|entry| entry.text).collect()
    };
    let all = Query { limit: 3, ..Query::default() };
    assert_eq!(texts(&all), ["minute 29", "minute 28", "minute 27"]);
    assert_eq!(texts(&Query { limit: 1_000, ..all.clone() }).len(), 30);
    assert_eq!(texts(&Query { feed: Some(one.feed), ..all.clone() }), ["minute 28", "minute 26", "minute 24"]);
    assert_eq!(texts(&Query { channel: Some("birds".into()), ..all.clone() }), ["minute 27", "minute 24", "minute 21"]);
    let since = Query { since_ms: Some(NOW_MS - 2 * 60_000), limit: 50, ..all.clone() };
    assert_eq!(texts(&since), ["minute 29", "minute 28"]);
    assert_eq!(texts(&Query { limit: 0, ..all.clone() }), Vec::<String>::new());

    let muted = other.feed;
    store
        .write_blocking(move |txn| {
            let row = txn.feed(muted)?.expect("it is followed");
            txn.put_feed(muted, &peerfeed::store::FeedRow { muted: true, ..row })
        })
        .unwrap();
    assert_eq!(texts(&all), ["minute 28", "minute 26", "minute 24"]);
    assert_eq!(texts(&Query { feed: Some(muted), ..all }), ["minute 29", "minute 27", "minute 25"]);
}

#[test]
fn an_entry_from_the_future_is_shown_last() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = SampleLog::new(1, 2);
    log.post_at(NOW_MS - 5_000, "early", None, Vec::new());
    log.post_at(NOW_MS + 60_000, "a minute ahead", None, Vec::new());
    log.post_at(NOW_MS + 3_600_000, "an hour ahead", None, Vec::new());
    let store = holding(folder.path(), &log, &[0..3]);
    reader::index_pending_blocking(&store).unwrap();
    let query = Query { limit: 10, ..Query::default() };
    let entries = reader::timeline(&store, &query).unwrap().entries;
    let texts: Vec<_> = entries.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts, ["a minute ahead", "early", "an hour ahead"]);
    assert_eq!(entries[0].time_ms, NOW_MS, "its time is when it was seen");
}

#[test]
fn an_entry_is_found_by_the_beginning_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let log = SampleLog::with_posts(1, 2, 50);
    let store = holding(folder.path(), &log, &[0..50]);
    reader::index_pending_blocking(&store).unwrap();
    let txn = store.read().unwrap();
    for entry in &log.entries {
        let id = entry.place.id();
        assert_eq!(txn.entry_by_id(id).unwrap(), Some(entry.place));
        let text = id.to_string();
        for length in [4, 9, 16] {
            let found = txn.entries_by_id_prefix(&text[..length], 100).unwrap();
            assert!(found.contains(&entry.place));
            assert!(found.iter().all(|place| place.id().to_string().starts_with(&text[..length])));
        }
    }
    for nothing in ["0", "ü", "aaaaaaaaaaaaaaaaa"] {
        assert_eq!(txn.entries_by_id_prefix(nothing, 100).unwrap(), [], "{nothing}");
    }
}

#[test]
fn a_feed_that_is_no_longer_read_keeps_its_entries_and_loses_keys_and_timeline() {
    let folder = tempfile::tempdir().unwrap();
    let log = SampleLog::with_posts(1, 2, 5);
    let store = holding(folder.path(), &log, &[0..5]);
    reader::index_pending_blocking(&store).unwrap();
    let feed = log.feed;
    let secret = Granted::Secret(peerfeed_protocol::feed::EpochSecret::new([5; 32]));
    store.write_blocking(move |txn| txn.put_epoch(feed, EpochId::new([3; 16]), &secret)).unwrap();
    store.write_blocking(move |txn| txn.put_feed(feed, &seeded(None))).unwrap();
    let shown = || store.read().unwrap().timeline(None, None, 10).unwrap().len();
    assert_eq!(shown(), 0);
    assert!(store.read().unwrap().epochs(feed).unwrap().is_empty());
    let row = store.read().unwrap().log_row(feed, log.log).unwrap().unwrap();
    assert_eq!(store.read().unwrap().held(&row).unwrap(), [0..5]);
    store.write_blocking(move |txn| txn.put_feed(feed, &followed())).unwrap();
    reader::index_pending_blocking(&store).unwrap();
    assert_eq!(shown(), 5, "followed again, all of it is shown");
}
