//! HTTPS: one swarm map with the other transports, and a certificate that changes while the tracker runs.

use std::io::{Read as _, Write as _};
use std::path::Path;

use nix::sys::signal::Signal;

use super::asking::{announce, certificate, connect, secure};
use super::program::{Program, command};

fn program(folder: &Path) -> Program {
    let mut command = command();
    command.arg("--tls-certificate").arg(folder.join("chain.pem")).arg("--tls-key").arg(folder.join("key.pem"));
    Program::start_as(command, &[("http", "127.0.0.1:0"), ("https", "127.0.0.1:0")])
}

#[test]
fn who_announces_over_https_is_found_over_http_and_the_other_way_round() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, trusted) = certificate(folder.path());
    let program = program(folder.path());
    assert!(program.url(1).starts_with("https://127.0.0.1:") && program.url(1).ends_with("/announce"));
    let reply = announce(secure(connect(program.address(1)), &trusted), 1001, "").unwrap().unwrap();
    assert!(reply.peers.is_empty());
    let reply = announce(connect(program.address(0)), 1002, "").unwrap().unwrap();
    assert_eq!(reply.peers.iter().collect::<Vec<_>>(), ["127.0.0.1:1001".parse().unwrap()]);
    let reply = announce(secure(connect(program.address(1)), &trusted), 1003, "").unwrap().unwrap();
    assert_eq!(reply.peers.len(), 2);
}

#[test]
fn a_secure_connection_carries_many_requests_sent_ahead_to_a_client_that_takes_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, trusted) = certificate(folder.path());
    let program = program(folder.path());
    let mut stream = secure(connect(program.address(1)), &trusted);
    let hashes = vec!["info_hash=aaaaaaaaaaaaaaaaaaaa"; 100].join("&");
    let scrape = |end| format!("GET /scrape?{hashes} HTTP/1.1\r\nHost: t\r\n{end}\r\n");
    // Far more than the buffers between both sides hold.
    for _ in 0..20 {
        stream.write_all(scrape("").repeat(10).as_bytes()).unwrap();
        stream.read_exact(&mut [0; 500]).unwrap();
    }
    stream.write_all(scrape("Connection: close\r\n").as_bytes()).unwrap();
    let mut rest = String::new();
    let _ = stream.read_to_string(&mut rest);
    assert!(rest.matches("HTTP/1.1 200 OK").count() > 150, "{}", rest.matches("HTTP/1.1").count());
    assert!(rest.ends_with("e5:flagsd20:min_request_intervali900eee"), "{}", &rest[rest.len() - 100..]);
}

#[test]
fn plain_http_on_the_https_port_is_closed_and_https_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, trusted) = certificate(folder.path());
    let program = program(folder.path());
    assert!(announce(connect(program.address(1)), 1001, "").is_none());
    assert!(announce(secure(connect(program.address(1)), &trusted), 1001, "").unwrap().is_ok());
}

#[test]
fn a_certificate_renewed_on_disk_is_shown_after_a_hangup() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let program = program(folder.path());
    let (_, _, renewed) = certificate(folder.path());
    assert!(announce(secure(connect(program.address(1)), &renewed), 1001, "").is_none(), "not yet read");
    program.signal(Signal::SIGHUP);
    program.wait_for_log("reloaded");
    assert!(announce(secure(connect(program.address(1)), &renewed), 1001, "").unwrap().is_ok());
    std::fs::write(folder.path().join("key.pem"), "").unwrap();
    program.signal(Signal::SIGHUP);
    program.wait_for_log("not reloaded: ");
    assert!(
        announce(secure(connect(program.address(1)), &renewed), 1001, "").unwrap().is_ok(),
        "the last good one stays"
    );
}
