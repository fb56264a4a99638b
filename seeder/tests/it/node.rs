//! Nodes over real sockets and stores.

use std::time::{Duration, Instant};

use peerfeed::author::{Audience, Draft};
use peerfeed::node::{AttemptKind, NodeOptions, Progress, SyncFailure, SyncGoal};
use peerfeed::store::SeederHint;
use peerfeed_protocol::ids::FeedId;
use peerfeed_protocol::peer::{Connection, Event, Moment, NodeSecret, Options, PeerHello, aes_is_fast};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::party::{PATIENCE, Party, TestTracker, blocking};

pub(super) fn done(progress: Progress) -> peerfeed::node::FeedOutcome {
    match progress {
        Progress::Done(mut outcomes) => outcomes.remove(0),
        other => panic!("{other:?}"),
    }
}

/// A file of random bytes of this size in a party's folder.
pub(super) fn file(party: &Party, bytes: usize) -> std::path::PathBuf {
    let path = party.folder().join("film.bin");
    let mut content = vec![0; bytes];
    getrandom::fill(&mut content).unwrap();
    std::fs::write(&path, content).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_sends_and_receives_no_faster_than_it_was_told() {
    const RATE: u64 = 400_000;
    let ana = Party::command(&[]).await;
    let author = ana.init().await;
    let feed = author.feed();
    let film = file(&ana, 1_000_000);
    ana.publish(&author, Draft { text: "a film".into(), files: vec![film], ..Draft::default() }).await;
    let seeder = Party::daemon_with(&[], |options| NodeOptions { up: Some(RATE), ..options }).await;
    ana.list(&author, &seeder).await;
    seeder.seed(feed, vec![], &[]).await;
    ana.node.wait_stored(feed, PATIENCE).await.unwrap();
    ana.node.shutdown().await;
    // However slow this machine is, nothing may come sooner than this.
    let least = Duration::from_secs(2);
    let bob = Party::daemon(&[]).await;
    bob.follow(feed, vec![seeder.hint()], &[]).await;
    let began = Instant::now();
    done(bob.sync(feed, true).await);
    assert!(bob.holds_blobs(feed) && began.elapsed() > least, "{:?} up", began.elapsed());
    seeder.node.shutdown().await;

    let cem = Party::daemon_with(&[], |options| NodeOptions { down: Some(RATE), ..options }).await;
    cem.follow(feed, vec![bob.hint()], &[]).await;
    let began = Instant::now();
    done(cem.sync(feed, true).await);
    assert!(cem.holds_blobs(feed) && began.elapsed() > least, "{:?} down", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_travels_from_author_to_seeder_to_reader_to_reader() {
    let (seeder, ana, author) = Party::author_with_seeder().await;
    let feed = author.feed();
    let film = file(&ana, 3_000_000);
    ana.post(&author, "first", Audience::Friends).await;
    ana.publish(
        &author,
        Draft { text: "a film".into(), files: vec![film], audience: Audience::Friends, ..Draft::default() },
    )
    .await;

    // The author listens on nothing: the seeder pulls over the author's connection.
    let stored = ana.node.wait_stored(feed, PATIENCE).await.unwrap();
    assert_eq!(stored, [seeder.address().to_string()]);
    assert!(seeder.holds_blobs(feed));
    assert_eq!(seeder.entries(feed), ana.entries(feed));
    assert!(seeder.texts(feed).is_empty(), "a seeder reads nothing");
    let key = blocking({
        let author = author.clone();
        move || author.friends_epoch().unwrap()
    })
    .await;
    ana.node.shutdown().await;

    let bob = Party::daemon(&[]).await;
    bob.follow(feed, vec![seeder.hint()], &[]).await;
    bob.take_key(feed, key.clone()).await;
    let outcome = done(bob.sync(feed, true).await);
    assert_eq!(outcome.entries, seeder.entries(feed));
    assert_eq!(outcome.entries_held, outcome.entries);
    assert!(bob.holds_blobs(feed));
    bob.until("Bob reads both posts", |bob| bob.texts(feed) == ["a film", "first"]).await;

    seeder.node.shutdown().await;
    let cem = Party::command(&[]).await;
    cem.follow(feed, vec![bob.hint()], &[]).await;
    cem.take_key(feed, key).await;
    assert_eq!(done(cem.sync(feed, true).await).new_entries, outcome.entries);
    assert!(cem.holds_blobs(feed));
    cem.until("Cem reads both posts", |cem| cem.texts(feed) == ["a film", "first"]).await;
    cem.node.shutdown().await;
    bob.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_of_what_is_here_already_ends_soon() {
    let (seeder, ana, author) = Party::author_with_seeder().await;
    let feed = author.feed();
    ana.post(&author, "only", Audience::Public).await;
    ana.node.wait_stored(feed, PATIENCE).await.unwrap();

    let bob = Party::command(&[]).await;
    bob.follow(feed, vec![seeder.hint()], &[]).await;
    let first = done(bob.sync(feed, false).await);
    assert!(first.new_entries > 0);
    let began = Instant::now();
    assert_eq!(done(bob.sync(feed, false).await).new_entries, 0);
    assert!(began.elapsed() < PATIENCE / 4, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_post_reaches_a_connected_reader_though_the_tracker_has_died() {
    let tracker = TestTracker::start();
    let urls = vec![tracker.http.clone()];
    let seeder = Party::daemon(&urls).await;
    let ana = Party::daemon(&urls).await;
    let author = ana.init().await;
    let feed = author.feed();
    ana.post(&author, "before", Audience::Public).await;
    seeder.seed(feed, vec![], &[]).await;
    // Nothing but the tracker brings them together.
    seeder.until("the seeder has the first post", |seeder| seeder.entries(feed) > 0).await;
    let bob = Party::daemon(&urls).await;
    bob.follow(feed, vec![], &[]).await;
    bob.until("Bob has the first post", |bob| bob.texts(feed) == ["before"]).await;
    tracker.stop().await;

    let mut entries = bob.node.subscribe();
    let began = Instant::now();
    let place = ana.post(&author, "live", Audience::Public).await;
    let Ok(entry) = tokio::time::timeout(PATIENCE, entries.recv()).await else {
        panic!("nothing came: {:#?} {:#?}", ana.node.status().await, bob.node.status().await);
    };
    let entry = entry.unwrap();
    assert_eq!((entry.log, entry.index), (place.log, place.index));
    assert!(began.elapsed() < PATIENCE / 4, "{:?}", began.elapsed());
    assert_eq!(bob.texts(feed), ["live", "before"]);
    seeder.until("the seeder has the second post", |seeder| seeder.entries(feed) == ana.entries(feed)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_find_each_other_over_udp_trackers_too() {
    let tracker = TestTracker::start();
    let urls = vec![tracker.udp.clone()];
    let ana = Party::daemon(&urls).await;
    let author = ana.init().await;
    let feed = author.feed();
    ana.post(&author, "over udp", Audience::Public).await;
    let bob = Party::command(&urls).await;
    bob.follow(feed, vec![], &[]).await;
    // The announce of the author's daemon may still be on its way.
    let deadline = Instant::now() + PATIENCE;
    loop {
        match bob.sync(feed, false).await {
            Progress::Done(_) => break,
            other => assert!(Instant::now() < deadline, "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bob.until("Bob reads it", |bob| bob.texts(feed) == ["over udp"]).await;
    ana.node.shutdown().await;
    tracker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nobody_is_there_everyone_who_was_tried_is_named() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Bound, so that nobody else gets it meanwhile, and not listening.
    let unused = TcpSocket::new_v4().unwrap();
    unused.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let gone = unused.local_addr().unwrap();
    let tracker = format!("http://{gone}/announce");
    let hints = vec![
        SeederHint { address: silent.local_addr().unwrap().to_string(), witness: None },
        SeederHint { address: gone.to_string(), witness: None },
    ];
    let ana = Party::command(&[]).await;
    let feed = ana.init().await.feed();
    let bob = Party::command(&[]).await;
    bob.follow(feed, hints, std::slice::from_ref(&tracker)).await;
    let began = Instant::now();
    let failure = bob.sync_within(feed, SyncGoal::default(), Duration::from_secs(4)).await;
    assert!(began.elapsed() < PATIENCE / 4, "{:?}", began.elapsed());
    let Progress::Failed(SyncFailure::NobodyAnswered { tried, .. }) = failure else { panic!("{failure:?}") };
    assert_eq!(tried.len(), 3, "{tried:?}");
    assert!(tried.iter().all(|attempt| attempt.error.is_some()), "{tried:?}");
    assert!(tried.iter().any(|attempt| attempt.kind == AttemptKind::Tracker && attempt.address == tracker));
    drop((silent, unused));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nobody_known_a_fetch_says_so_at_once() {
    let ana = Party::command(&[]).await;
    let feed = ana.init().await.feed();
    let bob = Party::command(&[]).await;
    bob.follow(feed, vec![], &[]).await;
    let failure = bob.sync(feed, false).await;
    assert!(matches!(failure, Progress::Failed(SyncFailure::NobodyKnown { .. })), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_no_byte_and_slow_ones_are_cut_off() {
    let seeder = Party::daemon(&[]).await;
    let ana = Party::command(&[]).await;
    let feed = ana.init().await.feed();
    seeder.seed(feed, vec![], &[]).await;

    let mut stranger = TcpStream::connect(seeder.address()).await.unwrap();
    stranger.write_all(&[7; 64]).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stranger.read_to_end(&mut answer)).await.unwrap().ok();
    assert_eq!(answer, b"");

    let began = Instant::now();
    let mut silent = TcpStream::connect(seeder.address()).await.unwrap();
    let mut dripper = TcpStream::connect(seeder.address()).await.unwrap();
    let dripping = tokio::spawn(async move {
        for _ in 0..64 {
            if dripper.write_all(&[7]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            if began.elapsed() > Duration::from_secs(30) {
                break;
            }
        }
        let mut answer = Vec::new();
        dripper.read_to_end(&mut answer).await.ok();
        answer
    });
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, silent.read_to_end(&mut answer)).await.unwrap().ok();
    assert_eq!(answer, b"");
    // Ten seconds, and what a busy machine adds.
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    assert_eq!(tokio::time::timeout(PATIENCE, dripping).await.unwrap().unwrap(), b"");
    assert!(seeder.node.status().await.peers.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_that_answers_garbage_or_floods_is_named_and_survived() {
    let garbage = serve_http(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ngarbage".to_vec(), 0).await;
    let flood = serve_http(b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n".to_vec(), 100 << 20).await;
    let ana = Party::command(&[]).await;
    let feed = ana.init().await.feed();
    let bob = Party::command(&[garbage.clone(), flood.clone()]).await;
    bob.follow(feed, vec![], &[]).await;
    let failure = bob.sync_within(feed, SyncGoal::default(), PATIENCE).await;
    let Progress::Failed(SyncFailure::NobodyAnswered { tried, .. }) = failure else { panic!("{failure:?}") };
    let error = |url: &String| {
        let attempt = tried.iter().find(|attempt| attempt.address == *url).expect("it is named");
        attempt.error.clone().expect("it failed")
    };
    assert!(error(&garbage).contains("no sense"), "{tried:?}");
    assert!(error(&flood).contains("larger than"), "{tried:?}");
}

/// A server that answers everything with these bytes and so many more.
async fn serve_http(answer: Vec<u8>, more: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 2_048];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&answer).await;
                for _ in 0..more / 65_536 {
                    if stream.write_all(&vec![b'1'; 65_536]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("http://{address}/announce")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_learns_the_witness_key_of_a_seeder_and_no_other() {
    let seeder = Party::daemon(&[]).await;
    let ana = Party::command(&[]).await;
    let feed = ana.init().await.feed();
    let address = seeder.address().to_string();
    let refused = ana.node.probe_seeder(feed, &address, PATIENCE).await;
    assert!(refused.is_err(), "it does not hold the feed");
    seeder.seed(feed, vec![], &[]).await;
    assert_eq!(ana.node.probe_seeder(feed, &address, PATIENCE).await.unwrap(), seeder.witness());
}

/// Who was accepted before the first feed was loaded was never shown the key, and counted the seeder as nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_before_a_seeder_has_its_first_feed_is_shown_its_witness_key_all_the_same() {
    let seeder = Party::daemon(&[]).await;
    let ana = Party::command(&[]).await;
    let feed = ana.init().await.feed();
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (node, address) = (ana.node.clone(), relay.local_addr().unwrap().to_string());
    let probing = tokio::spawn(async move { node.probe_seeder(feed, &address, PATIENCE).await });
    let (mut asking, _) = relay.accept().await.unwrap();
    let mut asked = TcpStream::connect(seeder.address()).await.unwrap();
    // Time to be accepted; without it the test shows less.
    tokio::time::sleep(Duration::from_millis(300)).await;
    seeder.seed(feed, vec![], &[]).await;
    let relaying = tokio::spawn(async move { tokio::io::copy_bidirectional(&mut asking, &mut asked).await });
    assert_eq!(probing.await.unwrap().unwrap(), seeder.witness());
    relaying.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_for_a_local_command_speaks_with_nobody() {
    let watched = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = watched.local_addr().unwrap();
    let bob = Party::command(&[format!("http://{address}/announce")]).await;
    let feed = Party::command(&[]).await.init().await.feed();
    let hint = SeederHint { address: address.to_string(), witness: None };
    bob.follow(feed, vec![hint], &[]).await;
    assert!(tokio::time::timeout(Duration::from_millis(500), watched.accept()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_shuts_down_before_a_silent_tracker_answers_and_starts_again_with_what_it_had() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tracker = format!("http://{}/announce", silent.local_addr().unwrap());
    let ana = Party::daemon(&[tracker]).await;
    let author = ana.init().await;
    let feed = author.feed();
    ana.post(&author, "kept", Audience::Public).await;
    let witness = ana.witness();
    let began = Instant::now();
    ana.node.shutdown().await;
    // Four seconds at most, and what a busy machine adds; the tracker alone would be waited for 15.
    assert!(began.elapsed() < Duration::from_secs(14), "{:?}", began.elapsed());
    drop(author);
    let Party { node, folder } = ana;
    drop(node);
    let deadline = Instant::now() + PATIENCE;
    let node = loop {
        match peerfeed::node::Node::start(NodeOptions::command(folder.path().to_owned(), "again")).await {
            Ok(node) => break node,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let again = Party { node, folder };
    assert_eq!(again.witness(), witness);
    assert_eq!(again.texts(feed), ["kept"]);
}

/// What a daemon says to a stranger who knows a feed that it holds.
async fn greeting(daemon: &Party, feed: FeedId) -> PeerHello {
    let mut stream = TcpStream::connect(daemon.address()).await.unwrap();
    let options = Options::new(NodeSecret::from_bytes([7; 32]));
    let unix_day = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() / 86_400;
    let mut stranger = Connection::initiator(&feed, options, [8; 32], Moment::START, unix_day);
    let (mut out, mut input) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        while stranger.poll_transmit(Moment::START, &mut out, 64 << 10) > 0 {
            stream.write_all(&std::mem::take(&mut out)).await.unwrap();
        }
        let bytes = stream.read(&mut input).await.unwrap();
        assert!(bytes > 0, "the daemon closed the connection");
        stranger.handle_bytes(Moment::START, &input[..bytes]).unwrap();
        while let Some(event) = stranger.poll_event() {
            if let Event::Hello(hello) = event {
                return hello;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_says_whether_its_processor_computes_aes_fast() {
    let (seeder, ana, author) = Party::author_with_seeder().await;
    // Only then it is sure to know the feed, without which it greets nobody.
    ana.post(&author, "hello", Audience::Public).await;
    ana.node.wait_stored(author.feed(), PATIENCE).await.unwrap();
    let hello = tokio::time::timeout(PATIENCE, greeting(&seeder, author.feed())).await.unwrap();
    assert_eq!(hello.fast_aes, aes_is_fast());
}
