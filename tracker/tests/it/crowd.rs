//! Fifteen thousand open connections. Their clients' sides are in a second process, since both sides count against a
//! limit of open files; it is this test program once more.

use std::env;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::asking::{announce, connect, connect_from};
use super::program::{Program, command};

const OPEN: usize = 15_000;

/// What a process needs besides.
const OTHER_FILES: usize = 300;

/// From so many addresses: one may have an eighth of all places.
const ADDRESSES: usize = 15;

/// Names the tracker and the number of connections to the process that opens them.
const HOLD: &str = "PEERFEED_TEST_HOLD";

/// How long each connection is kept: less than a tracker keeps a silent one.
const KEPT: Duration = Duration::from_secs(6);

/// How long opening them may take: a machine that is slower holds fewer, since it could not exchange them in time.
const OPENING: Duration = Duration::from_secs(6);

/// No machine is so slow.
const OPEN_MIN: usize = 500;

/// The connections' other process, ended when dropped.
struct Holder {
    process: Child,
    opened: usize,
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Holder {
    fn start(tracker: SocketAddr, count: usize) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "crowd::the_other_process_holds_connections", "--nocapture"]);
        command.env(HOLD, format!("{tracker} {count}")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = Self { process: command.spawn().unwrap(), opened: 0 };
        let mut lines = BufReader::new(holder.process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let opened = lines.find_map(|line| line.strip_suffix(" are open")?.parse().ok());
        holder.opened = opened.expect("they can be opened");
        holder
    }
}

/// As many open files as may be, here and in processes started from here; how many that are.
fn raise_file_limit() -> usize {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    usize::try_from(hard).unwrap_or(usize::MAX)
}

/// Connections that the tracker counts as open.
fn open(status: SocketAddr) -> u64 {
    let mut stream = connect(status);
    stream.write_all(b"GET /stats.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (_, body) = reply.split_once("\r\n\r\n").unwrap();
    let numbers: serde_json::Value = serde_json::from_str(body).unwrap();
    numbers["connections"]["open"].as_u64().unwrap()
}

#[test]
fn with_fifteen_thousand_connections_open_new_ones_are_accepted_and_answered() {
    let count = OPEN.min(raise_file_limit().saturating_sub(OTHER_FILES));
    if count < OPEN {
        // Not through the macro, whose output the test harness swallows.
        let _ = writeln!(std::io::stderr(), "tested with {count} connections: the file limit allows no more");
    }
    let mut command = command();
    // Some more places, so that these do not count as scarce.
    command.env("PEERFEED_TRACKER_HTTP_CONNECTIONS", (count * 3 / 2).to_string());
    command.env("PEERFEED_TRACKER_LIMIT_LOOPBACK", "true").env("PEERFEED_TRACKER_MEMORY", "1GiB");
    let program = Program::start_as(command, &[("http", "127.0.0.1:0"), ("status", "127.0.0.1:0")]);
    let (tracker, status) = (program.address(0), program.address(1));
    // While some are exchanged for new ones, enough are open.
    let held = (count + count / 50).min(raise_file_limit().saturating_sub(OTHER_FILES));
    let holder = Holder::start(tracker, held);
    let count = count.min(holder.opened - holder.opened / 50);
    if holder.opened < held {
        let _ = writeln!(std::io::stderr(), "tested with {count} connections: this machine is too slow for more");
    }
    assert!(count > OPEN_MIN, "only {count} connections could be opened in time");

    let start = Instant::now();
    while open(status) < count as u64 {
        assert!(start.elapsed() < Duration::from_secs(120), "{} of {count} are open", open(status));
        sleep(Duration::from_millis(50));
    }
    for port in 1..=200 {
        let reply = announce(connect(tracker), port, "").expect("an answer").expect("no refusal");
        assert!(reply.incomplete >= 1, "{reply:?}");
    }
    let still_open = open(status);
    assert!(still_open > count as u64 * 9 / 10, "only {still_open} of {count} were still open at the end");
}

/// Does nothing unless it is started by the test above.
#[test]
fn the_other_process_holds_connections() {
    let Ok(job) = env::var(HOLD) else { return };
    let (tracker, count) = job.split_once(' ').unwrap();
    let (tracker, count): (SocketAddr, usize) = (tracker.parse().unwrap(), count.parse().unwrap());
    let begun = Instant::now();
    let connect_all = |last: usize| {
        let ip = Ipv4Addr::new(127, 9, 0, u8::try_from(last + 1).unwrap());
        let share = count / ADDRESSES + usize::from(last < count % ADDRESSES);
        let connect = move || (connect_from(ip.into(), tracker), Instant::now());
        ((0..share).take_while(|_| begun.elapsed() < OPENING).map(|_| connect()).collect::<Vec<_>>(), connect)
    };
    let holders: Vec<_> = thread::scope(|scope| {
        let opening: Vec<_> = (0..ADDRESSES).map(|last| scope.spawn(move || connect_all(last))).collect();
        opening.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut stdout = std::io::stdout();
    let opened: usize = holders.iter().map(|(connections, _)| connections.len()).sum();
    writeln!(stdout, "\n{opened} are open").unwrap();
    for (mut connections, connect) in holders {
        // Exchanged one by one, for a tracker closes those that stay silent.
        thread::spawn(move || {
            loop {
                for connection in &mut connections {
                    if connection.1.elapsed() > KEPT {
                        *connection = connect();
                    }
                }
                sleep(Duration::from_millis(10));
            }
        });
    }
    // Until the test ends this process, or ends itself.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
