//! The tracker program.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    peerfeed_tracker::cli::main_with_args(std::env::args_os()).await
}
