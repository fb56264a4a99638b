//! A network of the run's own: Transmission takes no peer at a loopback address, so it is given another one.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use nix::unistd::geteuid;

/// The address that is not a loopback one. It is on the loopback device, so that nothing is different but the number.
pub const ADDRESS: &str = "10.78.0.1";

/// Says to the program that it runs in such a network.
const MARK: &str = "ONE_SEEDER_NETWORK";

const SET_UP: &str = "ip link set lo up && ip address add 10.78.0.1/32 dev lo && exec \"$0\" \"$@\"";

/// Begins this program again in a network that goes with it; does nothing within one. Gives whether there is one: the
/// system may not let us.
pub fn enter() -> Result<bool> {
    if std::env::var_os(MARK).is_some() {
        return Ok(true);
    }
    let tried = apart().arg("true").stderr(Stdio::null()).status();
    if !tried.is_ok_and(|status| status.success()) {
        return Ok(false);
    }
    let program = std::env::current_exe()?;
    let error = apart().args(["sh", "-c", SET_UP]).arg(program).args(std::env::args_os().skip(1)).env(MARK, "1").exec();
    bail!("cannot run `unshare`: {error}")
}

fn apart() -> Command {
    let mut command = Command::new("unshare");
    command.arg("--net");
    if !geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command
}
