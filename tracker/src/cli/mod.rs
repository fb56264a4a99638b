//! The command line: one entry for the program and for whoever runs a tracker as a child process.

mod arguments;
mod notify;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, documented};
use crate::privileges::{Account, Dropped};
use crate::server::{Reloader, Server, Transport};

use arguments::{Arguments, Task};
use notify::{READY, STOPPING, notify};

/// Runs `peerfeed-tracker` with `args` (the program's name first) until SIGTERM or SIGINT.
///
/// Needs a tokio runtime with I/O and time enabled. Prints one line per bound listener on standard output as soon as all
/// are bound, logs on standard error; ends with 0 after a signal, with 2 when it cannot start.
pub async fn main_with_args(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::parse(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too; there is nobody to tell when printing fails.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "peerfeed-tracker: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match arguments.task {
        Task::Man | Task::Completions(_) => print(&arguments.task.render().context("cannot render")?),
        Task::PrintConfig => print(documented(&load(arguments)?).as_bytes()),
        Task::CheckConfig => check(&load(arguments)?),
        Task::Serve => serve(arguments, &load(arguments)?).await,
    }
}

fn print(text: &[u8]) -> anyhow::Result<()> {
    std::io::stdout().write_all(text).context("cannot print")
}

fn load(arguments: &Arguments) -> anyhow::Result<Config> {
    // A variable that is no Unicode cannot be one of ours.
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Config::load(arguments.config.as_deref(), environment, &arguments.flags)?)
}

fn account(config: &Config) -> anyhow::Result<Option<Account>> {
    let group = config.group.0.as_deref();
    Ok(config.user.0.as_deref().map(|user| Account::find(user, group)).transpose()?)
}

/// Does everything that starting does, but listens nowhere for anybody: on free ports of this machine.
fn check(config: &Config) -> anyhow::Result<()> {
    account(config)?;
    let server = Server::rehearse(config)?;
    let mut lines = String::new();
    for finding in server.findings() {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "this machine: {finding}");
    }
    lines.push_str("the configuration is valid\n");
    print(lines.as_bytes())
}

async fn serve(arguments: &Arguments, config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Fails where a caller has set up logging already, which then is used.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;

    let account = account(config)?;
    let server = Server::bind(config)?;
    for finding in server.findings() {
        tracing::warn!("{finding}");
    }
    if let Some(account) = account {
        match account.assume()? {
            Dropped::To(user) => tracing::info!(user, "gave up root"),
            Dropped::NotRoot => tracing::warn!("not started by root: the setting `user` does nothing"),
        }
    }
    let mut lines = String::new();
    for bound in server.bound() {
        let what = if bound.transport == Transport::Status { "status page on" } else { "listening on" };
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{what} {bound}");
    }
    // Whoever started the tracker may have stopped reading; that is no reason not to serve.
    let _ = std::io::stdout().write_all(lines.as_bytes()).and_then(|()| std::io::stdout().flush());

    let shutdown = server.shutdown();
    let reloader = server.reloader();
    let mut running = tokio::spawn(server.run());
    notify(READY);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = reload(arguments, reloader, &mut hangup) => {}
        ended = &mut running => return Ok(ended.context("the tracker broke off")??),
    }
    notify(STOPPING);
    shutdown.trigger();
    Ok(running.await.context("the tracker broke off")??)
}

/// Reads everything again at each SIGHUP; what is wrong then is logged, and the old stays in force.
async fn reload(arguments: &Arguments, mut reloader: Reloader, hangup: &mut Signal) {
    while hangup.recv().await.is_some() {
        let loaded = load(arguments);
        let task = tokio::task::spawn_blocking(move || {
            let outcome = loaded.and_then(|config| Ok(reloader.reload(&config)?));
            (reloader, outcome)
        });
        let Ok((back, outcome)) = task.await else { return };
        reloader = back;
        match outcome {
            Ok(done) => {
                let listed = done.listed;
                tracing::info!(allowed = listed.allowed, denied = listed.denied, "reloaded");
                for setting in done.need_restart {
                    tracing::warn!(setting = setting.name, "a changed setting waits for a restart");
                }
            }
            Err(error) => tracing::error!("not reloaded: {error:#}"),
        }
    }
}
