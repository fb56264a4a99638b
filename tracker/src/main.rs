//! The tracker program.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use peerfeed_tracker::host::files::{raise_open_files, spares_files};
use peerfeed_tracker::{cli, privileges};

fn main() -> ExitCode {
    // Before there are threads, so that each takes it over.
    privileges::gain_no_more();
    raise_open_files();
    // A runtime that finds no files for its signals breaks off without a word of what to do.
    if let Err(error) = spares_files() {
        return cannot_start(&error);
    }
    // The listeners bring threads of their own.
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(cli::main_with_args(std::env::args_os())),
        Err(error) => cannot_start(&error),
    }
}

fn cannot_start(error: &dyn Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "peerfeed-tracker: cannot start: {error}");
    ExitCode::from(2)
}
