//! What a peer asks for changes nothing.

use std::time::Duration;

use peerfeed::author::{Audience, Draft};
use peerfeed::node::{Progress, SyncGoal};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::party::{PATIENCE, Party};

/// How often in a row the store must look the same: on a busy machine what is still to be written may take its time.
const LOOKS: usize = 8;

/// The store as it lies on the disk, once nothing that came before is still being written.
async fn store_of(party: &Party) -> [u8; 32] {
    let read = || Sha256::digest(std::fs::read(party.folder().join("store.redb")).unwrap()).into();
    let mut last: [u8; 32] = read();
    let mut same = 0;
    while same < LOOKS {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = read();
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_peer_asks_for_changes_nothing_in_the_store() {
    let (ana, seeder) = (Party::command(&[]).await, Party::daemon(&[]).await);
    let author = ana.init().await;
    let feed = author.feed();
    let film = ana.folder().join("film.bin");
    std::fs::write(&film, vec![7; 300_000]).unwrap();
    let draft = Draft { text: "a film".into(), files: vec![film], audience: Audience::Public, ..Draft::default() };
    ana.publish(&author, draft).await;
    ana.list(&author, &seeder).await;
    seeder.seed(feed, vec![], &[]).await;
    ana.node.wait_stored(feed, PATIENCE).await.unwrap();
    ana.node.shutdown().await;

    let before = store_of(&seeder).await;
    // Everything that there is to be asked for: records, heads, entries, proofs, grants, what is held, chunks.
    let bob = Party::daemon(&[]).await;
    bob.init().await;
    bob.follow(feed, vec![seeder.hint()], &[]).await;
    let goal = SyncGoal { blobs: true, ..SyncGoal::default() };
    assert!(matches!(bob.sync_within(feed, goal, PATIENCE).await, Progress::Done(_)));
    assert!(bob.holds_blobs(feed));
    // And a stranger's noise.
    let mut stranger = TcpStream::connect(seeder.address()).await.unwrap();
    stranger.write_all(&[0x5a; 64]).await.unwrap();
    assert_eq!(stranger.read(&mut [0; 16]).await.unwrap_or(0), 0);
    assert_eq!(store_of(&seeder).await, before);
    // The same look finds a change where there is one.
    let other = Party::command(&[]).await.init().await.feed();
    seeder.seed(other, vec![], &[]).await;
    assert_ne!(store_of(&seeder).await, before);
}
