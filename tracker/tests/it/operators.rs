//! What an operator sees and checks: the status address, the check of the configuration, the self-check, the user.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use peerfeed_tracker::metrics::Counter;
use peerfeed_tracker::status::Group;

use super::asking::{HASH, announce, connect, connect_from};
use super::program::{Program, command};

/// The body of an answer of the status address, listener `n`.
pub(crate) fn status_of(program: &Program, n: usize, path: &str) -> String {
    let mut stream = connect(program.address(n));
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body.to_owned()
}

fn with_status() -> Program {
    Program::start(&[("http", "127.0.0.1:0"), ("udp", "127.0.0.1:0"), ("status", "127.0.0.1:0")])
}

#[test]
fn the_status_address_counts_what_happened_in_every_form() {
    let program = with_status();
    assert!(program.lines[2].starts_with("status page on http://127.0.0.1:") && program.lines[2].ends_with('/'));
    announce(connect(program.address(0)), 1001, "").unwrap().unwrap();
    let _ = announce(connect(program.address(0)), 0, "").unwrap();
    assert_eq!(status_of(&program, 2, "/health"), "ok\n");
    let metrics = status_of(&program, 2, "/metrics");
    for line in [
        "peerfeed_tracker_swarms{family=\"ipv4\"} 1",
        "peerfeed_tracker_peers{family=\"ipv4\"} 1",
        "peerfeed_tracker_peers{family=\"ipv6\"} 0",
        "peerfeed_tracker_answers_total{transport=\"http\",kind=\"announce\"} 2",
    ] {
        assert!(metrics.lines().any(|have| have == line), "{line} is not in\n{metrics}");
    }
    let stats: serde_json::Value = serde_json::from_str(&status_of(&program, 2, "/stats.json")).unwrap();
    assert_eq!(stats["answers"]["http_announce"]["total"], 2);
    assert!(stats["memory"]["resident_bytes"].as_u64() < stats["memory"]["budget_bytes"].as_u64());
    let page = status_of(&program, 2, "/");
    assert!(page.contains("Answers per second") && page.contains("Dropped by the kernel"), "{page}");
}

#[test]
fn every_cause_of_refusal_has_a_number_of_its_own() {
    let metrics = status_of(&with_status(), 2, "/metrics");
    let causes: Vec<_> = Counter::ALL.iter().filter(|counter| counter.group() == Group::Refusal).collect();
    assert!(causes.len() > 20);
    for cause in causes {
        let line = format!("peerfeed_tracker_refusals_total{{cause=\"{}\"}} 0", cause.name());
        assert!(metrics.lines().any(|have| have == line), "{line} is not in\n{metrics}");
    }
}

#[test]
fn neither_page_nor_numbers_nor_log_have_an_address_or_a_hash() {
    let program = with_status();
    let from = "127.0.0.77".parse().unwrap();
    announce(connect_from(from, program.address(0)), 54_321, "").unwrap().unwrap();
    let shown = ["/", "/metrics", "/stats.json"].map(|path| status_of(&program, 2, path)).concat();
    let (_, _, log) = program.end(Signal::SIGTERM);
    assert!(log.contains("http_announce=1"), "{log}");
    for secret in ["127.0.0.77", "54321", HASH, "61616161", "bbbbbbbb"] {
        assert!(!shown.contains(secret), "{secret} is shown");
        assert!(!log.contains(secret), "{secret} is logged:\n{log}");
    }
}

#[test]
fn the_status_address_serves_no_announce_and_the_tracker_no_status() {
    let program = with_status();
    let ask = |address: SocketAddr, path: &str| {
        let mut stream = connect(address);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask(program.address(2), "/announce").starts_with("HTTP/1.1 404 "));
    for path in ["/metrics", "/stats.json"] {
        assert!(ask(program.address(0), path).starts_with("HTTP/1.1 404 "), "{path}");
    }
}

#[test]
fn a_configuration_is_checked_beside_a_running_tracker_and_names_what_is_wrong() {
    let running = Program::on_ipv4();
    let (http, udp) = (running.address(0).to_string(), running.address(1).to_string());
    let check = |more: &[&str]| {
        let checked = command().args(["--check-config", "--http", &http, "--udp", &udp]).args(more).output().unwrap();
        (checked.status.code(), String::from_utf8([checked.stdout, checked.stderr].concat()).unwrap())
    };
    let (code, told) = check(&[]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.ends_with("the configuration is valid\n"), "{told}");
    for (more, part) in [
        (["--deny-list", "/nowhere/list"], "/nowhere/list"),
        (["--user", "nosuchuser"], "useradd --system nosuchuser"),
        (["--connection-key-file", "/nowhere/key"], "/nowhere/key"),
        (["--interval", "1s"], "at least 1min"),
    ] {
        let (code, told) = check(&more);
        assert!(code == Some(2) && told.contains(part), "{more:?}: {told}");
    }
}

#[test]
fn what_the_machine_lacks_is_named_on_starting() {
    // More memory than any machine has: the finding does not depend on this one.
    let mut command = command();
    command.args(["--memory", "900000GiB"]);
    let program = Program::start_as(command, &[("http", "127.0.0.1:0"), ("status", "127.0.0.1:0")]);
    program.wait_for_log("Set a smaller memory budget");
    assert!(status_of(&program, 1, "/stats.json").contains("Set a smaller memory budget"));
}

#[test]
fn the_service_manager_is_told_when_it_serves_and_when_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut command = command();
    command.env("NOTIFY_SOCKET", &path);
    let program = Program::start_as(command, &[("http", "127.0.0.1:0")]);
    let mut text = [0; 100];
    let mut heard = || {
        let length = manager.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    assert_eq!(heard(), "READY=1");
    program.end(Signal::SIGTERM);
    assert_eq!(heard(), "STOPPING=1");
}

#[test]
fn root_is_given_up_once_the_ports_are_bound() {
    if !geteuid().is_root() {
        return;
    }
    let mut command = command();
    command.args(["--user", "nobody", "--group", "daemon"]);
    let program = Program::start_as(command, &[("http", "127.0.0.1:1"), ("status", "127.0.0.1:0")]);
    program.wait_for_log("gave up root");
    let uid = nix::unistd::User::from_name("nobody").unwrap().unwrap().uid;
    let gid = nix::unistd::Group::from_name("daemon").unwrap().unwrap().gid;
    for task in std::fs::read_dir(format!("/proc/{}/task", program.id())).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let ids = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        assert_eq!(ids("Uid:"), format!("\t{uid}\t{uid}\t{uid}\t{uid}"), "every thread");
        assert_eq!(ids("Gid:"), format!("\t{gid}\t{gid}\t{gid}\t{gid}"));
        assert_eq!(ids("CapEff:").trim().trim_start_matches('0'), "");
        assert_eq!(ids("NoNewPrivs:").trim(), "1");
    }
    assert!(announce(connect(program.address(0)), 1001, "").unwrap().is_ok(), "a port below 1024 stays open");
}
