//! Clients that take their time, in simulated time: it jumps ahead whenever everybody waits.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use peerfeed_tracker::config::Config;
use peerfeed_tracker::metrics::Counter;
use peerfeed_tracker::server::{Bound, Server, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::{self, Instant};

fn server(connections: u32) -> (Server, SocketAddr) {
    let config = Config {
        http: vec!["127.0.0.1:0".parse().unwrap()],
        udp: vec![],
        status: vec![],
        http_connections: connections,
        ..Config::default()
    };
    let server = Server::bind(&config).unwrap();
    let [Bound { transport: Transport::Http, address }] = *server.bound() else { panic!("one listener") };
    (server, address)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_or_half_a_request_is_let_go() {
    let (server, address) = server(10);
    let tracker = server.tracker();
    let shutdown = server.shutdown();
    let running = tokio::spawn(server.run_in_place());
    for begun in ["", "GET /announce?info_hash=", "GET / HTTP/1.1\r\nHost: t\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let start = Instant::now();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(start.elapsed() <= Duration::from_secs(11), "{begun:?} was kept for {:?}", start.elapsed());
    }
    assert_eq!(tracker.metrics.value(Counter::HttpConnection), 3);
    shutdown.trigger();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_a_byte_a_second_is_let_go() {
    let (server, address) = server(10);
    let running = tokio::spawn(server.run_in_place());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let start = Instant::now();
    for byte in b"GET /announce?info_hash=aaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n" {
        if stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        time::sleep(Duration::from_secs(1)).await;
    }
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
    assert!(start.elapsed() < Duration::from_secs(60), "kept for {:?}", start.elapsed());
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn when_all_places_are_taken_the_next_client_is_let_go_at_once_and_one_is_served_as_soon_as_a_place_is_free() {
    let (server, address) = server(2);
    let tracker = server.tracker();
    let running = tokio::spawn(server.run_in_place());
    let silent = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    let ask = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut reply = Vec::new();
        // A connection that is closed before it was read may be reset.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").await;
        let _ = stream.read_to_end(&mut reply).await;
        reply
    };
    let start = Instant::now();
    assert_eq!(ask().await, b"");
    assert!(start.elapsed() < Duration::from_secs(1), "waited {:?}", start.elapsed());
    assert_eq!(tracker.metrics.value(Counter::HttpFull), 1);
    drop(silent);
    while !ask().await.starts_with(b"HTTP/1.1 200") {
        assert!(start.elapsed() <= Duration::from_secs(11), "waited {:?}", start.elapsed());
        time::sleep(Duration::from_millis(100)).await;
    }
    running.abort();
}

/// A second of simulated time. It does not wait for the kernel, so the kernel gets some real time before: a blocking task
/// holds the clock.
async fn second() {
    let pause = || thread::sleep(Duration::from_millis(50));
    tokio::task::spawn_blocking(pause).await.unwrap();
    time::sleep(Duration::from_secs(1)).await;
}

/// Sends requests for long answers until the connection ends.
async fn ask_on(mut writing: OwnedWriteHalf) {
    let hashes = vec!["info_hash=aaaaaaaaaaaaaaaaaaaa"; 100].join("&");
    let request = format!("GET /scrape?{hashes} HTTP/1.1\r\nHost: t\r\n\r\n");
    while writing.write_all(request.as_bytes()).await.is_ok() {}
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_and_never_reads_is_let_go_and_holds_one_answer_only() {
    let (server, address) = server(10);
    let tracker = server.tracker();
    let running = tokio::spawn(server.run_in_place());
    let (_reading, writing) = TcpStream::connect(address).await.unwrap().into_split();
    let asking = tokio::spawn(ask_on(writing));
    let start = Instant::now();
    while !asking.is_finished() {
        second().await;
        assert!(start.elapsed() < Duration::from_secs(60), "kept for {:?}", start.elapsed());
    }
    assert_eq!(tracker.metrics.value(Counter::HttpUnread), 1);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_a_byte_a_second_is_let_go() {
    let (server, address) = server(10);
    let tracker = server.tracker();
    let running = tokio::spawn(server.run_in_place());
    let (mut reading, writing) = TcpStream::connect(address).await.unwrap().into_split();
    let asking = tokio::spawn(ask_on(writing));
    let start = Instant::now();
    while tracker.metrics.value(Counter::HttpUnread) == 0 {
        let _ = reading.read(&mut [0; 1]).await;
        second().await;
        assert!(start.elapsed() < Duration::from_secs(60), "kept for {:?}", start.elapsed());
    }
    asking.await.unwrap();
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_kept_busy_ends_after_ten_minutes_with_an_answer() {
    let (server, address) = server(10);
    let running = tokio::spawn(server.run_in_place());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let start = Instant::now();
    let mut last = String::new();
    loop {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n").await.unwrap();
        let mut reply = [0; 1024];
        let length = stream.read(&mut reply).await.unwrap();
        last = if length == 0 { break } else { String::from_utf8(reply[..length].to_vec()).unwrap() };
        assert!(last.starts_with("HTTP/1.1 200"), "{last}");
        if last.contains("connection: close") {
            break;
        }
        time::sleep(Duration::from_secs(5)).await;
    }
    assert!(last.contains("connection: close"), "{last}");
    assert!((600..=610).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_goes_sooner_when_places_are_scarce() {
    let (server, address) = server(8);
    let tracker = server.tracker();
    let running = tokio::spawn(server.run_in_place());
    let _patient: Vec<_> = {
        let mut streams = vec![];
        for _ in 0..7 {
            streams.push(TcpStream::connect(address).await.unwrap());
        }
        streams
    };
    while tracker.metrics.value(Counter::HttpConnection) < 7 {
        time::sleep(Duration::from_millis(10)).await;
    }
    let start = Instant::now();
    let mut last = TcpStream::connect(address).await.unwrap();
    let _ = last.read(&mut [0; 1]).await;
    assert!(start.elapsed() < Duration::from_secs(5), "kept for {:?}", start.elapsed());
    running.abort();
}
