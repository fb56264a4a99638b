//! Lists of hashes, and changed settings, taken up while requests go on.

use std::fs;
use std::io::Write as _;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use peerfeed_protocol::announce::udp::{Announce, Family, Reply, Request, Scrape};
use peerfeed_protocol::announce::{AnnounceRequest, InfoHash, PeerId};

use super::asking::{HASH, announce, connect};
use super::program::{Program, command};

/// As a list has it.
fn hex(hash: &str) -> String {
    let digits: Vec<_> = hash.bytes().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

fn refusal(program: &Program) -> Option<String> {
    announce(connect(program.address(0)), 1001, "").unwrap().err().map(|error| error.to_string())
}

#[test]
fn a_hash_is_denied_and_served_again_as_its_list_changes() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("denied");
    fs::write(&list, "# none\n").unwrap();
    let mut command = command();
    command.arg("--deny-list").arg(&list);
    let program = Program::start_as(command, &[("http", "127.0.0.1:0")]);
    assert_eq!(refusal(&program), None);
    fs::write(&list, hex(HASH)).unwrap();
    program.signal(Signal::SIGHUP);
    program.wait_for_log("reloaded");
    assert!(refusal(&program).unwrap().contains("does not serve this torrent"));
    fs::write(&list, "no hash\n").unwrap();
    program.signal(Signal::SIGHUP);
    program.wait_for_log("line 1 of");
    assert!(refusal(&program).is_some(), "a broken list leaves the old one in force");
}

#[test]
fn a_denied_hash_is_refused_over_udp_and_a_scrape_tells_nothing_of_it() {
    let mut list = tempfile::NamedTempFile::new().unwrap();
    writeln!(list, "{}", "01".repeat(20)).unwrap();
    let mut command = command();
    command.arg("--deny-list").arg(list.path());
    let program = Program::start_as(command, &[("udp", "127.0.0.1:0")]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(program.address(0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let ask = |request: Request<'_>| {
        socket.send(&request.encode()).unwrap();
        let mut reply = [0; 2048];
        let length = socket.recv(&mut reply).unwrap();
        Reply::decode(&reply[..length], Family::V4).unwrap()
    };
    let Reply::Connect { connection_id, .. } = ask(Request::Connect { transaction_id: 1 }) else { panic!() };
    let announce = |hash: u8| {
        let request = AnnounceRequest::new(InfoHash([hash; 20]), PeerId([2; 20]), 1001);
        ask(Request::Announce(Announce { connection_id, transaction_id: 2, request, options: b"" }))
    };
    let refused = announce(1);
    assert!(matches!(&refused, Reply::Error { reason, .. } if reason.contains("does not serve")), "{refused:?}");
    assert!(matches!(announce(3), Reply::Announce { .. }));
    let scrape = Scrape { connection_id, transaction_id: 3, info_hashes: &[[1; 20], [3; 20]] };
    let Reply::Scrape { reply, .. } = ask(Request::Scrape(scrape)) else { panic!() };
    assert_eq!(reply.entries.iter().map(|entry| entry.incomplete).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn with_an_allow_list_all_other_hashes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("allowed");
    fs::write(&list, format!("{}\n", "00".repeat(20))).unwrap();
    let mut command = command();
    command.arg("--allow-list").arg(&list);
    let program = Program::start_as(command, &[("http", "127.0.0.1:0")]);
    assert!(refusal(&program).unwrap().contains("only torrents on its list"));
    fs::write(&list, hex(HASH)).unwrap();
    program.signal(Signal::SIGHUP);
    program.wait_for_log("reloaded");
    assert_eq!(refusal(&program), None);
}

#[test]
fn no_request_is_dropped_while_lists_are_exchanged_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("denied");
    let lines: Vec<_> = (0..20_000).map(|n| format!("{n:040x}")).collect();
    fs::write(&list, lines.join("\n")).unwrap();
    let mut command = command();
    command.arg("--deny-list").arg(&list);
    let program = Program::start_as(command, &[("http", "127.0.0.1:0")]);
    let address = program.address(0);
    let (end, answered) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !end.load(Ordering::Relaxed) {
                    assert!(announce(connect(address), 1001, "").expect("an answer").is_ok());
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut exchanges = 0;
        while exchanges < 5 || answered.load(Ordering::Relaxed) <= 5 {
            exchanges += 1;
            program.signal(Signal::SIGHUP);
            program.wait_for_log("reloaded");
        }
        end.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_changed_interval_counts_after_a_hangup_and_a_changed_port_waits_for_a_restart() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "udp_workers = 1\n").unwrap();
    let mut command = command();
    command.arg("--config").arg(file.path());
    let program = Program::start_as(command, &[("http", "127.0.0.1:0")]);
    let interval = || announce(connect(program.address(0)), 1001, "").unwrap().unwrap().interval.as_secs();
    // A tenth more or less, and up to twice that where the machine is busy.
    assert!((1620..=3960).contains(&interval()));
    fs::write(file.path(), "interval = \"2h\"\npeer_lifetime = \"3h\"\nudp_workers = 2\n").unwrap();
    program.signal(Signal::SIGHUP);
    program.wait_for_log("setting=\"udp_workers\"");
    assert!((6480..=15840).contains(&interval()));
    fs::write(file.path(), "intervall = \"2h\"\n").unwrap();
    program.signal(Signal::SIGHUP);
    program.wait_for_log("intervall");
    assert!((6480..=15840).contains(&interval()));
}
