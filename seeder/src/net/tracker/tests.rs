//! A tracker client against trackers that misbehave.

use std::net::SocketAddr;
use std::time::Duration;

use peerfeed_protocol::announce::{AnnounceRequest, InfoHash, PeerId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use super::*;

fn request() -> AnnounceRequest {
    AnnounceRequest::new(InfoHash([7; 20]), PeerId([8; 20]), 4000)
}

/// A tracker that reads one request's head and sends `answer`, then `flood` zero bytes, then closes.
async fn tracker(answer: &'static [u8], flood: usize) -> TrackerUrl {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        // The client may have had enough before it was all sent.
        let _ = stream.write_all(answer).await;
        for _ in 0..flood / 65_536 {
            if stream.write_all(&vec![0; 65_536]).await.is_err() {
                break;
            }
        }
    });
    format!("http://{address}/announce").parse().unwrap()
}

#[test]
fn a_tracker_is_believed_only_what_it_can_know() {
    let mut peers = PeerList::new();
    let named = ["127.0.0.1:22", "192.168.1.1:80", "198.51.100.1:6881", "[2001:db8::1]:6881"];
    for peer in named {
        peers.push(peer.parse().unwrap());
    }
    let reply = AnnounceReply { peers, ..AnnounceReply::default() };
    let left = |tracker: &str| believed(tracker.parse().unwrap(), reply.clone()).peers.len();
    assert_eq!((left("203.0.113.1:6969"), left("192.168.1.9:6969"), left("127.0.0.1:6969")), (2, 3, 4));
}

async fn error_of(url: TrackerUrl) -> String {
    TrackerClient::new().announce(&url, &request()).await.expect_err("no peers").to_string()
}

#[tokio::test]
async fn compact_peers_of_both_families_are_read_over_http() {
    let body = b"HTTP/1.1 200 OK\r\nContent-Length: 62\r\n\r\n\
        d8:intervali1800e5:peers6:\x7f\0\0\x01\x1a\xe16:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1e";
    let reply = TrackerClient::new().announce(&tracker(body, 0).await, &request()).await.unwrap();
    let expected: [SocketAddr; 2] = ["127.0.0.1:6881".parse().unwrap(), "[2001:db8::1]:6881".parse().unwrap()];
    assert_eq!(reply.peers.iter().collect::<Vec<_>>(), expected);
    assert_eq!(reply.interval, Duration::from_secs(1800));
}

#[tokio::test]
async fn an_answer_of_100_mib_is_given_up_early() {
    let url = tracker(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n", 104_857_600).await;
    assert_eq!(error_of(url).await, "its answer is larger than 128 KiB");
}

#[tokio::test]
async fn endless_headers_are_given_up_early() {
    let url = tracker(b"HTTP/1.1 200 OK\r\nX: ", 1 << 20).await;
    assert_eq!(error_of(url).await, "it does not answer in HTTP");
}

#[tokio::test]
async fn garbage_is_one_clear_line() {
    let url = tracker(b"SSH-2.0-OpenSSH_9.2\r\n", 0).await;
    assert_eq!(error_of(url).await, "it does not answer in HTTP");
    let url = tracker(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", 0).await;
    assert!(error_of(url).await.starts_with("its answer makes no sense: "));
    let url = tracker(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>", 0).await;
    assert_eq!(error_of(url).await, "it answered with HTTP status 502");
}

#[tokio::test]
async fn a_refusal_is_told_in_the_trackers_words() {
    let url =
        tracker(b"HTTP/1.1 403 No\r\nContent-Length: 45\r\n\r\nd14:failure reason7:not you8:retry in5:nevere", 0).await;
    let error = TrackerClient::new().announce(&url, &request()).await.unwrap_err();
    assert_eq!(error.to_string(), "the tracker refused: not you");
    assert!(error.is_final());
}

#[tokio::test]
async fn a_port_without_a_tracker_fails_at_once_over_both_protocols() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    for url in [format!("udp://127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"), format!("127.0.0.1:{port}")] {
        let started = std::time::Instant::now();
        assert_eq!(error_of(url.parse().unwrap()).await, "no connection: connection refused", "{url}");
        assert!(started.elapsed() < ANSWER_TIMEOUT, "{url} took its whole time");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_tracker_is_given_up_in_time() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let url: TrackerUrl = format!("udp://{}", socket.local_addr().unwrap()).parse().unwrap();
    assert_eq!(error_of(url).await, "it does not answer");
}
