//! Files that are fetched when they are asked for, over real sockets and stores.

use std::sync::mpsc;
use std::time::Duration;

use peerfeed::author::{Audience, Draft};
use peerfeed::node::{FreshChunks, Progress};
use peerfeed::reader::{self, FileWriter};
use peerfeed_protocol::feed::Attachment;
use peerfeed_protocol::ids::FeedId;

use crate::node::{done, file};
use crate::party::{PATIENCE, Party};

/// Somebody who follows a feed whose only post has a file of so many bytes, and has fetched its entries alone; the seeder,
/// the author with the file, and the attachment.
async fn follower(bytes: usize) -> (Party, FeedId, Attachment, Vec<u8>, [Party; 2]) {
    let (seeder, ana, author) = Party::author_with_seeder().await;
    let feed = author.feed();
    let film = file(&ana, bytes);
    let content = std::fs::read(&film).unwrap();
    let draft = Draft { text: "film".into(), files: vec![film], audience: Audience::Public, ..Draft::default() };
    let place = ana.publish(&author, draft).await;
    ana.node.wait_stored(feed, PATIENCE).await.unwrap();

    let bob = Party::command(&[]).await;
    bob.follow(feed, vec![seeder.hint()], &[]).await;
    done(bob.sync(feed, false).await);
    assert!(!bob.holds_blobs(feed), "entries alone were asked for");
    let entry = reader::read_entry(&bob.store().read().unwrap(), place).unwrap().unwrap();
    (bob, feed, entry.attachments[0].clone(), content, [seeder, ana])
}

async fn fetch(
    reader: &Party,
    feed: FeedId,
    attachment: &Attachment,
    fresh: Option<mpsc::Sender<FreshChunks>>,
) -> Progress {
    let blob = attachment.blob().unwrap();
    let mut progress = reader.node.fetch_blob(feed, blob.root, blob.size.bytes(), PATIENCE, fresh);
    let mut last = None;
    while let Some(event) = progress.recv().await {
        last = Some(event);
    }
    last.expect("a fetch says how it ended")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_fetched_on_demand_and_alone() {
    let (bob, feed, attachment, _, _others) = follower(2_500_000).await;
    let outcome = done(fetch(&bob, feed, &attachment, None).await);
    assert_eq!(outcome.blob_bytes, attachment.blob().unwrap().size.bytes());
    assert!(bob.holds_blobs(feed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_no_faster_than_it_is_taken_and_is_written_from_what_comes_alone() {
    // More than what may wait and what may be under way with one peer together.
    let (bob, feed, attachment, content, _others) = follower(64_000_000).await;
    let (fresh, come) = mpsc::channel::<FreshChunks>();
    let (out, begun) = (tempfile::tempdir().unwrap(), attachment.clone());
    let folder = out.path().to_owned();
    let writing = tokio::task::spawn_blocking(move || {
        let mut untaken = Vec::new();
        while let Ok(group) = come.recv_timeout(Duration::from_secs(2)) {
            untaken.push(group);
        }
        let count = untaken.len();
        let mut writer = FileWriter::create(feed, begun, &folder).unwrap();
        for group in untaken.into_iter().chain(come) {
            writer.write_fresh(&group.chunks).unwrap();
        }
        (count, writer.finish(&folder).unwrap())
    });
    let outcome = done(fetch(&bob, feed, &attachment, Some(fresh)).await);
    let (untaken, path) = writing.await.unwrap();
    assert!(untaken < 60, "{untaken} groups of a megabyte came though none was taken");
    assert!(std::fs::read(path).unwrap() == content);
    assert_eq!(outcome.blob_bytes, attachment.blob().unwrap().size.bytes());
    assert!(bob.holds_blobs(feed));
}
