//! The program itself: what it prints, how it starts, fails and ends.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;
use peerfeed_tracker::config::{Config, documented};

use super::program::{Program, command};

fn output(args: &[&str]) -> (Option<i32>, String, String) {
    let output = command().args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn one_line_per_listener_names_the_address_that_clients_use() {
    let program = Program::start(&[("http", "127.0.0.1:0"), ("http", "[::1]:0"), ("udp", "127.0.0.1:0")]);
    assert!(program.url(0).starts_with("http://127.0.0.1:") && program.url(0).ends_with("/announce"));
    assert!(program.url(1).starts_with("http://[::1]:") && program.url(1).ends_with("/announce"));
    assert!(program.url(2).starts_with("udp://127.0.0.1:"));
    assert!((0..3).all(|n| program.address(n).port() != 0));
}

#[test]
fn a_signal_ends_it_cleanly_and_soon_also_with_open_connections() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let program = Program::on_ipv4();
        let idle = TcpStream::connect(program.address(0)).unwrap();
        let (status, took, log) = program.end(signal);
        assert_eq!(status.code(), Some(0), "{signal}: {log}");
        // The open connection has a second to finish; it would be kept for ten.
        assert!(took < Duration::from_secs(9), "{signal} took {took:?}");
        drop(idle);
    }
}

#[test]
fn the_log_has_counts_and_neither_addresses_nor_whole_hashes() {
    let program = Program::on_ipv4();
    let target = "/announce?info_hash=hashhashhashhashhash&peer_id=peerpeerpeerpeerpeer&port=54321";
    let mut stream = TcpStream::connect(program.address(0)).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    let (_, _, log) = program.end(Signal::SIGTERM);
    assert!(log.contains("http_announce=1") && log.contains("peers_v4=1"), "{log}");
    for secret in ["127.0.0.1", "54321", "hashhash", "68617368", "peerpeer"] {
        assert!(!log.to_lowercase().contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[test]
fn a_restarted_tracker_gets_its_ports_back_at_once() {
    let program = Program::on_ipv4();
    let (http, udp) = (program.address(0).to_string(), program.address(1).to_string());
    let open = TcpStream::connect(program.address(0)).unwrap();
    assert_eq!(program.end(Signal::SIGKILL).0.code(), None);
    let program = Program::start(&[("http", &http), ("udp", &udp)]);
    assert_eq!(program.address(0).to_string(), http);
    drop(open);
}

#[test]
fn a_port_that_is_taken_is_named_and_ends_it_with_2() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, stderr) = output(&["--http", &address]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains(&address) && stderr.lines().count() == 1, "{stderr}");
    let other = Program::start(&[("udp", "127.0.0.1:0")]);
    let (code, _, stderr) = output(&["--udp", &other.address(0).to_string()]);
    assert_eq!(code, Some(2), "a second tracker must not take half of the datagrams: {stderr}");
}

#[test]
fn an_address_that_this_machine_does_not_have_is_named_and_ends_it_with_2() {
    // Of a network for examples, which nobody has.
    let (code, out, errors) = output(&["--http", "192.0.2.1:0"]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{errors}");
    assert!(errors.contains("192.0.2.1:0") && errors.contains("this machine has no such address"), "{errors}");
}

#[test]
fn the_printed_configuration_is_the_one_in_force() {
    let (code, stdout, _) = output(&["--print-config"]);
    assert_eq!((code, stdout), (Some(0), documented(&Config::default())));
    let (_, stdout, _) = output(&["--print-config", "--udp", "127.0.0.1:7"]);
    assert!(stdout.contains("\nudp = [\"127.0.0.1:7\"]\n") && stdout.contains("\nhttp = []\n"), "{stdout}");
    let (_, stdout, _) = output(&["--print-config", "--memory", "100MiB"]);
    assert!(stdout.contains("\nmemory = \"100MiB\"\n"), "{stdout}");
    let (code, _, stderr) = output(&["--memory", "100"]);
    assert!(code == Some(2) && stderr.contains("MiB"), "{stderr}");
}

#[test]
fn a_connection_key_file_that_holds_no_key_is_named_and_its_content_is_not() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for text in ["", "0f0f0f0f", "+0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0", "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"] {
        std::fs::write(file.path(), text).unwrap();
        let path = file.path().to_str().unwrap();
        let (code, _, stderr) = output(&["--udp", "127.0.0.1:0", "--connection-key-file", path]);
        assert!(code == Some(2) && stderr.contains(path) && stderr.contains("openssl rand -hex 16"), "{stderr}");
        assert!(!stderr.contains("0f0f"), "{stderr}");
    }
}

#[test]
fn what_cannot_be_configured_ends_it_with_2_and_a_line_that_says_why() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "intervall = \"30min\"\n").unwrap();
    let (code, _, stderr) = output(&["--config", file.path().to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("intervall"), "{stderr}");
    let (code, _, stderr) = output(&["--http", "localhost"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("localhost"), "{stderr}");
    let refused = command().env("PEERFEED_TRACKER_NOSUCH", "1").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("PEERFEED_TRACKER_NOSUCH"));
}
