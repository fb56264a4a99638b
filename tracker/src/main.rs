//! The tracker program.

use std::io::Write as _;
use std::process::ExitCode;

use peerfeed_tracker::{cli, privileges};

fn main() -> ExitCode {
    // Before there are threads, so that each takes it over.
    privileges::gain_no_more();
    // The listeners bring threads of their own.
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(cli::main_with_args(std::env::args_os())),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "peerfeed-tracker: cannot start: {error}");
            ExitCode::from(2)
        }
    }
}
