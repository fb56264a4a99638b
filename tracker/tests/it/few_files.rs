//! A tracker that may open only few files.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::program::{PROGRAM, command};

/// How long a tracker may take to answer or to end: generous, for a machine that has other work.
const PATIENCE: Duration = Duration::from_secs(60);

/// No machine needs more for two listeners.
const FILES_MAX: u32 = 10_000;

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Answers,
    /// With this on standard error.
    Ended(String),
}

/// Ended and reaped when dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it with at most so many open files.
fn start_with(files: u32) -> Outcome {
    let mut shell = Command::new("sh");
    let script = format!("ulimit -n {files} && exec \"$0\" --http 127.0.0.1:0 --udp 127.0.0.1:0");
    shell
        .arg("-c")
        .arg(script)
        .arg(PROGRAM)
        .envs(command().get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = Started(shell.spawn().unwrap());
    let mut first = String::new();
    BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let begun = Instant::now();
    loop {
        if let Some(status) = program.0.try_wait().unwrap() {
            let mut text = String::new();
            program.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
            assert!(!status.success(), "{files}: {status}");
            return Outcome::Ended(text);
        }
        // Had it ended meanwhile, somebody else might have got its port.
        if is_answered(&first) && program.0.try_wait().unwrap().is_none() {
            return Outcome::Answers;
        }
        assert!(begun.elapsed() < PATIENCE, "with {files} files it neither answers nor ends");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a request gets an answer from the address in this line; where the program ends meanwhile, it does not.
fn is_answered(line: &str) -> bool {
    let address = line.trim_end().strip_prefix("listening on http://").and_then(|rest| rest.split('/').next());
    let Some(mut stream) = address.and_then(|address| TcpStream::connect(address).ok()) else { return false };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reply = Vec::new();
    let is_sent = stream.write_all(b"GET /announce HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").is_ok();
    is_sent && stream.read_to_end(&mut reply).is_ok() && reply.starts_with(b"HTTP/1.1 200 OK\r\n")
}

#[test]
fn with_too_few_open_files_it_says_what_to_do_and_with_one_more_it_answers() {
    let (mut files, mut reasons) = (3, Vec::new());
    loop {
        match start_with(files) {
            Outcome::Answers => break,
            // Then it is not the tracker that speaks.
            Outcome::Ended(text) if text.contains("error while loading shared libraries") => {}
            Outcome::Ended(text) => {
                let last = text.lines().last().unwrap_or_default().to_owned();
                assert!(last.starts_with("peerfeed-tracker: ") && last.contains("ulimit -n"), "{files}: {text}");
                reasons.push(last);
            }
        }
        // Each reason holds for a stretch of numbers that grows with the number of processors.
        files += (files / 32).max(1);
        assert!(files < FILES_MAX, "{reasons:?}");
    }
    // With several processors, sockets that cannot be bound are among them too.
    for reason in ["cannot start: allow it more open files", "cannot serve HTTP: allow it more open files"] {
        assert!(reasons.iter().any(|given| given.contains(reason)), "{reason:?} is not among {reasons:#?}");
    }
}
