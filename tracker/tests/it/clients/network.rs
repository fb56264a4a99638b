//! A tracker and two clients on machines of their own: three network namespaces that a bridge joins.
//!
//! Nothing of it touches the network of this machine, and nothing gets out. Needs root, or `sudo` without a password.

use std::ffi::OsStr;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getegid, geteuid};

/// Every namespace of these tests begins so; the id of the process that made it follows.
const PREFIX: &str = "peerfeed-test-";

/// Three machines. Dropping it ends what runs on them and removes them.
pub(crate) struct Network {
    /// For the tracker.
    pub(crate) tracker: Machine,
    /// For the clients.
    pub(crate) clients: [Machine; 2],
}

/// One of them, with one address per family.
#[derive(Clone)]
pub(crate) struct Machine {
    namespace: String,
    number: u8,
}

impl Network {
    /// Makes it, or tells why this cannot be done here.
    pub(crate) fn make() -> Result<Self, String> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        remove_left_over();
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let machine = |name: &str, last| Machine {
            namespace: format!("{PREFIX}{}-{number}-{name}", std::process::id()),
            number: last,
        };
        let network = Self { tracker: machine("tracker", 1), clients: [machine("a", 2), machine("b", 3)] };
        // From here on, dropping it removes what is there.
        network.build()?;
        Ok(network)
    }

    fn build(&self) -> Result<(), String> {
        let bridge = &self.tracker.namespace;
        for machine in self.machines() {
            ip(&["netns", "add", &machine.namespace])?;
            ip(&["-n", &machine.namespace, "link", "set", "lo", "up"])?;
        }
        ip(&["-n", bridge, "link", "add", "net", "type", "bridge"])?;
        for machine in &self.clients {
            let port = format!("port{}", machine.number);
            ip(&[
                "-n",
                &machine.namespace,
                "link",
                "add",
                "net",
                "type",
                "veth",
                "peer",
                "name",
                &port,
                "netns",
                bridge,
            ])?;
            ip(&["-n", bridge, "link", "set", &port, "master", "net", "up"])?;
        }
        for machine in self.machines() {
            let on = |words: &[&str]| ip(&[&["-n", &machine.namespace], words].concat());
            on(&["link", "set", "net", "up"])?;
            on(&["address", "add", &format!("{}/24", machine.v4()), "dev", "net"])?;
            on(&["address", "add", &format!("{}/64", machine.v6()), "dev", "net", "nodad"])?;
            // A way out that leads nowhere: some clients ask which address they have towards the internet.
            on(&["-4", "route", "add", "default", "via", "10.77.0.254"])?;
            on(&["-6", "route", "add", "default", "via", "2001:db8:77::fe"])?;
        }
        Ok(())
    }

    fn machines(&self) -> impl Iterator<Item = &Machine> {
        std::iter::once(&self.tracker).chain(&self.clients)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for machine in self.machines() {
            machine.remove();
        }
    }
}

impl Machine {
    fn v4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, self.number)
    }

    fn v6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, self.number.into())
    }

    /// Its address of a family.
    pub(crate) fn address(&self, is_v6: bool) -> IpAddr {
        if is_v6 { self.v6().into() } else { self.v4().into() }
    }

    /// A program that runs there, as who runs the tests, with these variables on top of the environment.
    pub(crate) fn command(&self, variables: &[(&str, &OsStr)], program: impl AsRef<OsStr>) -> Command {
        let mut command = as_root("ip");
        command.args(["netns", "exec", &self.namespace]);
        let (user, group) = (geteuid(), getegid());
        if !user.is_root() {
            command.args(["setpriv", &format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"]);
        }
        command.arg("env");
        for (name, value) in variables {
            let mut setting = std::ffi::OsString::from(name);
            setting.push("=");
            setting.push(value);
            command.arg(setting);
        }
        command.arg(program).stdin(Stdio::null());
        command
    }

    /// The processes that run there.
    fn processes(&self) -> Vec<Pid> {
        let listed = ip(&["netns", "pids", &self.namespace]).unwrap_or_default();
        listed.lines().filter_map(|line| line.trim().parse().ok().map(Pid::from_raw)).collect()
    }

    /// Asks what runs there to end.
    pub(crate) fn interrupt(&self) {
        for process in self.processes() {
            // It may have ended by itself.
            let _ = kill(process, Signal::SIGINT);
        }
    }

    fn remove(&self) {
        for process in self.processes() {
            let _ = as_root("kill").args(["-KILL", &process.to_string()]).output();
        }
        let _ = ip(&["netns", "delete", &self.namespace]);
    }
}

/// Removes the namespaces of tests that were killed before they could.
fn remove_left_over() {
    let Ok(namespaces) = fs::read_dir("/run/netns") else { return };
    for name in namespaces.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let Some(maker) = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()) else { continue };
        if !fs::exists(format!("/proc/{maker}")).unwrap_or(true) {
            Machine { namespace: name, number: 0 }.remove();
        }
    }
}

/// What `ip` printed, or why it failed.
fn ip(words: &[&str]) -> Result<String, String> {
    let failed = |text: String| format!("`ip {}`: {}", words.join(" "), text.trim());
    let Output { status, stdout, stderr } =
        as_root("ip").args(words).stdin(Stdio::null()).output().map_err(|error| failed(error.to_string()))?;
    if status.success() {
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    } else {
        Err(failed(String::from_utf8_lossy(&stderr).into_owned()))
    }
}

fn as_root(program: &str) -> Command {
    if geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    command
}
