//! The program `peerfeed`.

use std::process::ExitCode;

use nix::sys::resource::{Resource, setrlimit};
use peerfeed::cli::Cli;

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    Cli::start_log();
    // Keys are in memory: a crash must not write them to a disk. Where the system refuses, it is no worse than before.
    if let Err(error) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        tracing::debug!(%error, "a crash may leave an image of the memory");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the system gives no threads or descriptors: {error}");
            return ExitCode::from(2);
        }
    };
    let code = runtime.block_on(cli.run());
    // A blocking read of standard input must not keep the process.
    runtime.shutdown_background();
    code
}
