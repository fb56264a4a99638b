//! The command line: one entry for the program and for whoever runs a tracker as a child process.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, Flags, Size, documented};
use crate::server::Server;

/// A BitTorrent tracker: tells the peers of a swarm about each other, over HTTP and UDP, IPv4 and IPv6.
///
/// Keeps everything in memory and needs no configuration. Without addresses it listens on port 6969 of all of them.
#[derive(Debug, Parser)]
#[command(name = "peerfeed-tracker", version)]
struct Arguments {
    /// Read settings from this TOML file (`--print-config` shows which there are)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Listen for HTTP on this address and port; may be given several times; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    http: Vec<SocketAddr>,

    /// Listen for UDP on this address and port; may be given several times; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    udp: Vec<SocketAddr>,

    /// Memory of the whole process, such as 512MiB; a quarter of the machine's (or control group's) by default
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,

    /// Print the configuration in force, documented, and end
    #[arg(long)]
    print_config: bool,
}

/// Runs `peerfeed-tracker` with `args` (the program's name first) until SIGTERM or SIGINT.
///
/// Needs a tokio runtime with I/O and time enabled. Prints one line per bound listener on standard output as soon as all
/// are bound, logs on standard error; ends with 0 after a signal, with 2 when it cannot start.
pub async fn main_with_args(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too; there is nobody to tell when printing fails.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "peerfeed-tracker: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let flags = Flags { http: arguments.http, udp: arguments.udp, memory: arguments.memory };
    // A variable that is no Unicode cannot be one of ours.
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let config = Config::load(arguments.config.as_deref(), environment, &flags)?;
    if arguments.print_config {
        return std::io::stdout().write_all(documented(&config).as_bytes()).context("cannot print");
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Fails where a caller has set up logging already, which then is used.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;

    let server = Server::bind(&config)?;
    let mut lines = String::new();
    for bound in server.bound() {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "listening on {bound}");
    }
    // Whoever started the tracker may have stopped reading; that is no reason not to serve.
    let _ = std::io::stdout().write_all(lines.as_bytes()).and_then(|()| std::io::stdout().flush());

    let shutdown = server.shutdown();
    let running = tokio::spawn(server.run());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    shutdown.trigger();
    running.await.context("the tracker broke off")
}
