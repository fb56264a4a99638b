//! `peerfeed run`

use clap::Args;

use super::Context;
use crate::api::Failure;
use crate::daemon::Daemon;
use crate::node::{Listen, NodeOptions};
use crate::ui::Paint;

const EXAMPLES: &str = "\
Examples:
  peerfeed run
  peerfeed --listen 0.0.0.0:4040 run
  peerfeed --listen none run                  nobody dials you; you still fetch, post and serve
  peerfeed run --no-announce                  neither trackers nor peers learn where you listen
  peerfeed run --passphrase-file FILE         opens sealed keys; without it, it serves all the same
  peerfeed run --up 1MB --down 5MiB           leave some of the line to others

It listens on port 7337 of all addresses, or on a free port when that one is taken, unless `--listen` says otherwise. \
Ctrl-C or SIGTERM ends it within five seconds. Commands work meanwhile, from another terminal.";

/// Serve, seed, stay connected: the daemon
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    /// Tell neither trackers nor peers where this listens: only who knows the address finds it
    #[arg(long)]
    no_announce: bool,
    /// Send no more than this per second, all connections together: 500KiB, 2MB
    #[arg(long, value_name = "RATE", value_parser = super::amount::rate)]
    up: Option<u64>,
    /// Receive no more than this per second, all connections together
    #[arg(long, value_name = "RATE", value_parser = super::amount::rate)]
    down: Option<u64>,
    /// End when standard input ends, too: for a program that supervises this one
    #[arg(long, hide = true)]
    until_eof: bool,
}

impl Run {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let trackers = context.trackers()?;
        let options = NodeOptions {
            listen: match context.global().listen_addrs() {
                None => Listen::Default,
                Some(addresses) if addresses.is_empty() => Listen::None,
                Some(addresses) => Listen::On(addresses),
            },
            announce: !self.no_announce,
            up: self.up,
            down: self.down,
            trackers: trackers.clone(),
            ..NodeOptions::daemon(context.data()?)
        };
        let daemon = Daemon::start(options).await?;
        if let Some(passphrase) = context.passphrase()? {
            daemon.service().unlock(passphrase).await?;
        }
        daemon.service().remember_trackers(&trackers).await?;
        tell(context, &daemon);
        if self.until_eof {
            daemon.run(end_of_input()).await?;
        } else {
            daemon.run(std::future::pending()).await?;
        }
        if !context.terminal().json() {
            context.terminal().line("stopped");
        }
        Ok(())
    }
}

/// Ends when standard input does.
pub(super) async fn end_of_input() {
    let wait = || std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    // An error is an end too.
    tokio::task::spawn_blocking(wait).await.ok();
}

fn tell(context: &Context, daemon: &Daemon) {
    let terminal = context.terminal();
    let listen: Vec<_> = daemon.service().node().listen_addrs().iter().map(ToString::to_string).collect();
    let code = daemon.service().code().map(|code| code.to_string());
    if terminal.json() {
        let started = serde_json::json!({ "event": "listening", "listen": listen, "seeder_code": code });
        return terminal.object(&started);
    }
    match listen.as_slice() {
        [] => terminal.line("listening on nothing: connections go out only"),
        addresses => terminal.line(format_args!("listening on {}", addresses.join(", "))),
    }
    if let Some(code) = code {
        terminal.line(format_args!("seeder code {}", terminal.paint(Paint::Name, &code)));
        if code.starts_with("HOST:") {
            terminal.line("  HOST: put this machine's name or address there, as others reach it");
        }
    }
    if daemon.service().is_locked() {
        terminal.line("your keys are sealed: it serves and seeds; `peerfeed unlock` lets it read and grant");
    }
    terminal.line("running; Ctrl-C stops");
}
