//! Clients that take their time, in simulated time: it jumps ahead whenever everybody waits.

use std::net::SocketAddr;
use std::time::Duration;

use peerfeed_tracker::config::Config;
use peerfeed_tracker::metrics::Counter;
use peerfeed_tracker::server::{Bound, Server, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{self, Instant};

fn server(connections: u32) -> (Server, SocketAddr) {
    let config = Config {
        http: vec!["127.0.0.1:0".parse().unwrap()],
        udp: vec![],
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
    let running = tokio::spawn(server.run());
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
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_a_byte_a_second_is_let_go() {
    let (server, address) = server(10);
    let running = tokio::spawn(server.run());
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
async fn when_all_places_are_taken_the_next_client_is_served_as_soon_as_one_is_free() {
    let (server, address) = server(2);
    let running = tokio::spawn(server.run());
    let silent = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    time::sleep(Duration::from_millis(100)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").await.unwrap();
    let start = Instant::now();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    assert!(reply.starts_with(b"HTTP/1.1 200"));
    assert!(start.elapsed() <= Duration::from_secs(11), "waited {:?}", start.elapsed());
    drop(silent);
    running.abort();
}
