//! A test per setting that has none in a file of its own; and that none is without.

use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use peerfeed_protocol::announce::udp::{Announce, Family, Reply, Request};
use peerfeed_protocol::announce::{AnnounceReply, AnnounceRequest, InfoHash, PeerId};
use peerfeed_tracker::config::Config;
use peerfeed_tracker::swarm::Luck;
use peerfeed_tracker::terms::Moment;
use peerfeed_tracker::tracker::{Carries, Tracker};

use super::asking::{announce, announce_as, connect};
use super::operators::status_of;
use super::program::{Program, command};

fn program(flags: &[&str]) -> Program {
    let mut command = command();
    command.args(flags);
    Program::start_as(command, &[("http", "127.0.0.1:0"), ("udp", "127.0.0.1:0"), ("status", "127.0.0.1:0")])
}

fn ask(program: &Program, port: u16, more: &str) -> AnnounceReply {
    announce_as(connect(program.address(0)), &format!("port={port}&left=1{more}"), "").unwrap().unwrap()
}

#[test]
fn every_setting_is_tried_by_a_test_of_the_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let tests: String =
        fs::read_dir(folder).unwrap().flatten().flat_map(|file| fs::read_to_string(file.path())).collect();
    for setting in Config::SETTINGS {
        let (flag, variable) = (setting.flag(), setting.name.to_ascii_uppercase());
        let uses = [format!("\"--{flag}\""), format!("(\"{flag}\", "), format!("\"PEERFEED_TRACKER_{variable}\"")];
        assert!(uses.iter().any(|used| tests.contains(used)), "nothing tries {}", setting.name);
    }
}

#[test]
fn min_interval_is_told_to_clients() {
    let reply = ask(&program(&["--min-interval", "7min"]), 1001, "");
    assert_eq!(reply.min_interval, Some(Duration::from_secs(7 * 60)));
}

#[test]
fn numwant_default_and_max_bound_the_peers_of_a_reply() {
    let program = program(&["--numwant-default", "2", "--numwant-max", "3"]);
    let given = |port, more| ask(&program, port, more).peers.len();
    (1001..1006).for_each(|port| _ = given(port, ""));
    assert_eq!((given(1007, ""), given(1007, "&numwant=1"), given(1007, "&numwant=100")), (2, 1, 3));
}

#[test]
fn tracker_id_and_warning_message_are_in_every_reply() {
    let reply = ask(&program(&["--tracker-id", "t1", "--warning-message", "moving on Friday"]), 1001, "");
    assert_eq!(
        (reply.tracker_id.as_deref(), reply.warning.as_deref()),
        (Some(b"t1".as_slice()), Some("moving on Friday"))
    );
    let reply = ask(&program(&[]), 1001, "");
    assert_eq!((reply.tracker_id, reply.warning), (None, None));
}

#[test]
fn memory_is_the_budget_and_a_quarter_of_the_machine_by_default() {
    let budget = |flags: &[&str]| {
        let metrics = status_of(&program(flags), 2, "/metrics");
        let line = metrics.lines().find_map(|line| line.strip_prefix("peerfeed_tracker_memory_budget_bytes ")).unwrap();
        line.parse::<u64>().unwrap()
    };
    assert_eq!(budget(&["--memory", "48MiB"]), 48 << 20);
    assert_eq!(budget(&[]), peerfeed_tracker::host::Host::new().default_budget_bytes());
}

#[test]
fn udp_workers_have_a_socket_each() {
    let program = program(&["--udp-workers", "3"]);
    let local = format!("0100007F:{:04X}", program.address(1).port());
    let sockets = fs::read_to_string("/proc/net/udp").unwrap();
    assert_eq!(sockets.lines().filter(|line| line.contains(&local)).count(), 3);
}

#[test]
fn http_connections_bounds_how_many_are_open() {
    let program = program(&["--http-connections", "3"]);
    // The tracker may need a moment to take them, and closes the ones that lie idle while places are scarce.
    let refused = (0..100).any(|_| {
        let _open = [(); 3].map(|()| connect(program.address(0)));
        std::thread::sleep(Duration::from_millis(20));
        announce(connect(program.address(0)), 1001, "").is_none()
    });
    assert!(refused && status_of(&program, 2, "/metrics").contains("peerfeed_tracker_connections_max 3\n"));
}

#[test]
fn trackers_with_one_connection_key_file_accept_each_others_ids() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "00112233445566778899aabbccddeeff\n").unwrap();
    let key = file.path().to_str().unwrap();
    let shared = [program(&["--connection-key-file", key]), program(&["--connection-key-file", key])];
    let stranger = program(&[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let ask = |program: &Program, request: Request<'_>, patience| {
        socket.set_read_timeout(Some(Duration::from_millis(patience))).unwrap();
        socket.send_to(&request.encode(), program.address(1)).unwrap();
        let mut reply = [0; 2048];
        let length = socket.recv(&mut reply).ok()?;
        Some(Reply::decode(&reply[..length], Family::V4).unwrap())
    };
    let connected = ask(&shared[0], Request::Connect { transaction_id: 1 }, 60_000);
    let Some(Reply::Connect { connection_id, .. }) = connected else { panic!("{connected:?}") };
    let request = AnnounceRequest::new(InfoHash([1; 20]), PeerId([2; 20]), 1001);
    let announce = || Request::Announce(Announce { connection_id, transaction_id: 2, request, options: b"" });
    assert!(matches!(ask(&shared[1], announce(), 60_000), Some(Reply::Announce { .. })));
    assert!(ask(&stranger, announce(), 300).is_none());
}

#[test]
fn peer_lifetime_is_how_long_a_silent_peer_is_given_to_others() {
    let config = Config { peer_lifetime: "1h".parse().unwrap(), ..Config::default() };
    let (tracker, mut luck) = (Tracker::new(&config).unwrap(), Luck::new(1));
    let mut peers = |last: u8, minutes: u64| {
        let up = Duration::from_secs(60 * minutes);
        let request = AnnounceRequest::new(InfoHash([1; 20]), PeerId([2; 20]), 1001);
        let (ip, mut reply) = (IpAddr::from([192, 0, 2, last]), AnnounceReply::default());
        tracker.announce(
            &request,
            &tracker.origin(&request, ip, tracker.guard.customer(ip)),
            Carries::BothFamilies,
            &tracker.terms_at(Moment { up, unix: up }),
            &mut luck,
            &mut reply,
        );
        reply.peers.len()
    };
    assert_eq!((peers(1, 0), peers(2, 58), peers(3, 63)), (0, 1, 1), "--peer-lifetime");
}
