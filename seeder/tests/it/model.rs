//! The store against a plain model of it, over random histories.

use std::collections::{BTreeMap, BTreeSet};

use peerfeed::store::{Options, Reading, Store};
use proptest::prelude::*;

use crate::sample::{NOW_MS, SampleBlob, SampleLog, followed};

const FEEDS: usize = 3;
const ENTRIES: u64 = 24;
const GROUPS: u32 = 3;

#[derive(Clone, Debug)]
enum Step {
    Entries { feed: usize, from: u64, count: u64, size: u64 },
    Group { feed: usize, blob: usize, group: u32 },
    Remove { feed: usize },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..FEEDS, 0..ENTRIES, 1..9u64, 1..=ENTRIES)
            .prop_map(|(feed, from, count, size)| Step::Entries { feed, from, count, size }),
        6 => (0..FEEDS, 0..2usize, 0..GROUPS).prop_map(|(feed, blob, group)| Step::Group { feed, blob, group }),
        1 => (0..FEEDS).prop_map(|feed| Step::Remove { feed }),
        1 => Just(Step::Reopen),
    ]
}

/// What is held of a feed, said plainly.
#[derive(Clone, Debug, Default)]
struct Held {
    size: u64,
    entries: BTreeSet<u64>,
}

struct World {
    logs: Vec<SampleLog>,
    blobs: Vec<SampleBlob>,
}

impl World {
    /// Three feeds; all refer to the first blob in their entry 3, the second feed to the other blob in entry 5.
    fn new() -> Self {
        let blobs = vec![SampleBlob::new(1, 40 * 63_984), SampleBlob::new(2, 33 * 63_984)];
        let logs = (0..FEEDS)
            .map(|feed| {
                let number = u8::try_from(feed).unwrap();
                let mut log = SampleLog::new(number + 1, number + 11);
                for index in 0..ENTRIES {
                    let attachments = match index {
                        3 => vec![blobs[0].attachment.clone()],
                        5 if feed == 1 => vec![blobs[1].attachment.clone()],
                        _ => Vec::new(),
                    };
                    log.post("x", attachments);
                }
                log
            })
            .collect();
        Self { logs, blobs }
    }
}

/// Whether an entry that is held refers to the blob.
fn refers(feed: usize, held: &Held, blob: usize) -> bool {
    held.entries.contains(&3) && blob == 0 || held.entries.contains(&5) && feed == 1 && blob == 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_history_leaves_what_the_model_says(steps in prop::collection::vec(step(), 1..40)) {
        let world = World::new();
        let folder = tempfile::tempdir().unwrap();
        let mut store = Some(Store::open(folder.path(), &Options::default()).unwrap());
        let mut model: BTreeMap<usize, Held> = BTreeMap::new();
        let mut groups: [BTreeSet<u32>; 2] = [BTreeSet::new(), BTreeSet::new()];
        for step in steps {
            let open = store.as_ref().unwrap();
            match step {
                Step::Entries { feed, from, count, size } => {
                    let log = &world.logs[feed];
                    let held = model.entry(feed).or_default();
                    held.size = held.size.max(size);
                    let range = from.min(held.size - 1)..(from + count).min(held.size).max(from.min(held.size - 1) + 1);
                    let whole = usize::try_from(held.size).unwrap();
                    let (id, new, head) = (log.log, log.range(range.clone(), whole), log.head(usize::try_from(size).unwrap()));
                    let name = log.feed;
                    open.write_blocking(move |txn| {
                        txn.put_feed(name, &followed())?;
                        txn.put_head(&head)?;
                        txn.put_entries(name, id, &new, NOW_MS)
                    }).unwrap();
                    held.entries.extend(range);
                }
                Step::Group { feed, blob, group } => {
                    let (name, sample) = (world.logs[feed].feed, &world.blobs[blob]);
                    let (named, new) = (sample.blob, sample.groups(group..group + 1));
                    let result = open.write_blocking(move |txn| txn.put_chunks(name, named, &new));
                    let refers = model.get(&feed).is_some_and(|held| refers(feed, held, blob));
                    prop_assert_eq!(result.is_ok(), refers);
                    if refers {
                        groups[blob].insert(group);
                    }
                }
                Step::Remove { feed } => {
                    let name = world.logs[feed].feed;
                    let result = open.write_blocking(move |txn| txn.remove_feed(name));
                    prop_assert_eq!(result.is_ok(), model.remove(&feed).is_some());
                    for (blob, groups) in groups.iter_mut().enumerate() {
                        if !model.iter().any(|(feed, held)| refers(*feed, held, blob)) {
                            groups.clear();
                        }
                    }
                }
                Step::Reopen => {
                    store.take().unwrap().close();
                    store = Some(Store::open(folder.path(), &Options::default()).unwrap());
                }
            }
            check(store.as_ref().unwrap(), &world, &model, &groups)?;
        }
    }
}

fn check(
    store: &Store,
    world: &World,
    model: &BTreeMap<usize, Held>,
    groups: &[BTreeSet<u32>; 2],
) -> Result<(), TestCaseError> {
    let txn = store.read().unwrap();
    prop_assert_eq!(txn.feeds().unwrap().len(), model.len());
    let mut entry_bytes = 0;
    for (feed, held) in model {
        let log = &world.logs[*feed];
        let row = txn.log_row(log.feed, log.log).unwrap().unwrap();
        prop_assert_eq!(row.size, held.size);
        let ranges = txn.held(&row).unwrap();
        let indices: BTreeSet<u64> = ranges.iter().cloned().flatten().collect();
        prop_assert_eq!(&indices, &held.entries);
        prop_assert!(ranges.is_sorted_by(|one, next| one.end < next.start), "{:?}", ranges);
        for index in 0..ENTRIES {
            let entry = txn.entry(&row, index).unwrap();
            let body = entry.and_then(|entry| entry.body);
            let at = usize::try_from(index).unwrap();
            prop_assert_eq!(body.as_deref(), held.entries.contains(&index).then_some(&log.entries[at].body[..]));
        }
        let complete = |index: u64| {
            held.entries.contains(&index)
                && (index != 3 || groups[0].len() == GROUPS as usize)
                && (index != 5 || *feed != 1 || groups[1].len() == GROUPS as usize)
        };
        prop_assert_eq!(row.complete, (0..ENTRIES).take_while(|index| complete(*index)).count() as u64);
        let usage = txn.usage(log.feed).unwrap();
        entry_bytes += usage.entry_bytes;
        let mut chunk_bytes = 0;
        for (blob, sample) in world.blobs.iter().enumerate() {
            let found = txn.blob(log.feed, sample.blob).unwrap();
            prop_assert_eq!(found.is_some(), refers(*feed, held, blob));
            if let Some(row) = found {
                for group in 0..GROUPS {
                    prop_assert_eq!(row.holds_group(group), groups[blob].contains(&group));
                    let chunks = txn.chunks(&row, group * 16..(group * 16 + 16).min(row.blob.size.chunks())).unwrap();
                    if groups[blob].contains(&group) {
                        prop_assert!(chunks == sample.groups(group..group + 1).chunks);
                    } else {
                        prop_assert!(chunks.is_empty());
                    }
                }
                chunk_bytes += row.held_bytes;
            }
        }
        prop_assert_eq!(usage.chunk_bytes, chunk_bytes);
    }
    let total = txn.total_usage().unwrap();
    prop_assert_eq!(total.entry_bytes, entry_bytes);
    let held: u64 =
        (0..2).map(|blob| groups[blob].iter().map(|group| bytes(&world.blobs[blob], *group)).sum::<u64>()).sum();
    prop_assert_eq!(total.chunk_bytes, held);
    Ok(())
}

fn bytes(sample: &SampleBlob, group: u32) -> u64 {
    sample.groups(group..group + 1).chunks.iter().map(|chunk| chunk.len() as u64).sum()
}
