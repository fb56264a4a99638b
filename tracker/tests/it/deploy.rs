//! What `deploy/` offers: each file is read by what reads it in the field, or parsed as far as this machine can.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use peerfeed_tracker::config::{Config, PORT};
use peerfeed_tracker::host::check::CONNTRACK_FLOWS;
use peerfeed_tracker::limit;

use super::operators::status_of;
use super::program::{PROGRAM, Program, command};

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(deploy(name)).unwrap()
}

/// Runs a program that may be missing; then the test says so, and fails where every program is required.
fn run(program: &str, package: &str, args: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        let told = format!("{program} not installed (apt-get install {package})");
        assert!(std::env::var_os("PEERFEED_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{told}");
        // Not through the macro, whose output the test harness swallows.
        let _ = writeln!(std::io::stderr(), "not tested: {told}");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

fn shown(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn the_example_configuration_is_valid_also_with_everything_that_it_proposes() {
    let checked =
        command().arg("--check-config").arg("--config").arg(deploy("peerfeed-tracker.toml")).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", shown(&checked));
    let proposed = text("peerfeed-tracker.toml").lines().fold(String::new(), |mut all, line| {
        // A proposal is a setting behind a hash.
        let is_setting = |rest: &str| rest.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '));
        let line = line.strip_prefix("# ").filter(|rest| is_setting(rest)).unwrap_or(line);
        all.push_str(line);
        all.push('\n');
        all
    });
    let config: Config = toml::from_str(&proposed).unwrap();
    assert!(config.tls_key.0.is_some() && config.deny_list.0.is_some() && !config.trusted_proxies.is_empty());
}

#[test]
fn systemd_understands_the_unit_and_finds_it_hardened() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("peerfeed-tracker.service");
    let installed = "/usr/bin/peerfeed-tracker ";
    assert!(text("peerfeed-tracker.service").contains(installed));
    fs::write(&unit, text("peerfeed-tracker.service").replace(installed, &format!("{PROGRAM} "))).unwrap();
    let path = unit.to_str().unwrap();
    let Some(verified) = run("systemd-analyze", "systemd", &["verify", "--man=no", path], "") else { return };
    assert!(verified.status.success() && !shown(&verified).contains("peerfeed"), "{}", shown(&verified));
    // In tenths of the ten points of exposure.
    let rated = run("systemd-analyze", "systemd", &["security", "--offline=true", "--threshold=20", path], "").unwrap();
    assert!(rated.status.success(), "{}", shown(&rated));
}

#[test]
fn every_line_of_the_unit_has_its_reason() {
    let unit = text("peerfeed-tracker.service");
    let service = unit.split("[Service]").nth(1).unwrap().split("[Install]").next().unwrap();
    let (mut reasons, mut settings) = (0, HashSet::new());
    for line in service.lines() {
        match line.split_once('=') {
            _ if line.starts_with('#') => reasons += 1,
            Some((name, _)) => _ = settings.insert(name),
            None => assert!(line.is_empty(), "{line}"),
        }
    }
    // A few settings share one reason: bounding set and ambient set, filter and architecture.
    assert!(reasons + 6 >= settings.len() && settings.len() > 25, "{reasons} reasons for {settings:?}");
}

#[test]
fn the_alerts_are_yaml_and_watch_numbers_that_exist() {
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";
    let Some(parsed) = run("/usr/bin/python3", "python3-yaml", &["-c", script], &text("prometheus/alerts.yml")) else {
        return;
    };
    let parsed: serde_json::Value =
        serde_json::from_slice(&parsed.stdout).unwrap_or_else(|_| panic!("{}", shown(&parsed)));
    let program = Program::start(&[("http", "127.0.0.1:0"), ("status", "127.0.0.1:0")]);
    let metrics = status_of(&program, 1, "/metrics");
    let known: HashSet<&str> =
        metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let rules = parsed["groups"][0]["rules"].as_array().unwrap();
    for rule in rules {
        let (name, expression) = (rule["alert"].as_str().unwrap(), rule["expr"].as_str().unwrap());
        assert!(rule["annotations"]["summary"].is_string() && rule["annotations"]["action"].is_string(), "{name}");
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let numbers: Vec<_> =
            words.filter(|word| ["peerfeed_", "process_"].iter().any(|p| word.starts_with(p))).collect();
        assert!(!numbers.is_empty() || name == "TrackerDown", "{name}");
        for number in numbers {
            // The kernel of this machine may have no connection tracking.
            assert!(known.contains(number) || number.contains("conntrack"), "{name}: {number}");
        }
        for cause in expression.split("cause=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(metrics.contains(&format!("cause=\"{cause}\"")), "{name}: {cause}");
        }
    }
    assert!(rules.len() >= 8);
}

#[test]
fn the_container_is_made_from_nothing_and_runs_as_nobody() {
    let file = text("Containerfile").replace("\\\n", " ");
    let lines: Vec<_> = file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let instructions: Vec<_> = lines.iter().filter_map(|line| line.split_once(' ')).collect();
    let known = ["FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE", "ENTRYPOINT"];
    assert!(instructions.iter().all(|(name, _)| known.contains(name)), "{instructions:?}");
    let last_stage = instructions.iter().rposition(|(name, _)| *name == "FROM").unwrap();
    let last: Vec<_> = instructions[last_stage..].to_vec();
    assert_eq!(last[0], ("FROM", "scratch"));
    let of = |wanted| last.iter().find(|(name, _)| *name == wanted).unwrap().1;
    let user: u32 = of("USER").split(':').next().unwrap().parse().unwrap();
    assert_ne!(user, 0);
    let entry: Vec<String> = serde_json::from_str(of("ENTRYPOINT")).unwrap();
    assert_eq!(of("COPY").split(' ').next_back(), Some(entry[0].as_str()));
    let toolchain = fs::read_to_string(deploy("../rust-toolchain.toml")).unwrap();
    let rust = instructions[0].1.split("rust:").nth(1).unwrap().split('-').next().unwrap();
    assert!(toolchain.contains(&format!("\"{rust}")), "the container builds with the compiler of the project: {rust}");
}

#[test]
fn the_kernel_of_this_machine_knows_every_line_of_the_sysctl_advice() {
    for line in text("90-peerfeed-tracker.conf").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, value) = line.split_once(" = ").unwrap();
        assert!(value.parse::<u64>().is_ok(), "{line}");
        let path = Path::new("/proc/sys").join(name.trim_start_matches('-').replace('.', "/"));
        // A network namespace of its own does not show what belongs to the whole machine.
        let may_be_hidden =
            name.starts_with('-') || name.starts_with("net.core.") || name.starts_with("net.ipv4.tcp_max_tw");
        assert!(path.exists() || may_be_hidden, "{name}");
    }
}

/// What a fact says in one place and the program in another.
#[test]
fn advice_and_defaults_are_those_of_the_program() {
    let config = Config::default();
    let sysctl = text("90-peerfeed-tracker.conf");
    let advised = |name: &str| -> u64 {
        let line = sysctl.lines().find_map(|line| line.trim_start_matches('-').strip_prefix(name));
        line.unwrap().trim_start_matches(" = ").parse().unwrap()
    };
    assert_eq!(advised("net.core.rmem_max"), u64::try_from(limit::UDP_RECEIVE_BUFFER_BYTES).unwrap());
    assert_eq!(advised("net.core.somaxconn"), u64::from(limit::HTTP_BACKLOG));
    assert_eq!(advised("net.netfilter.nf_conntrack_max"), CONNTRACK_FLOWS);
    let unit = text("peerfeed-tracker.service");
    let files: u64 = unit.split("LimitNOFILE=").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert!(files > 2 * u64::from(config.http_connections));
    let guide = text("README.md");
    for fact in [
        format!("| HTTP and UDP | port {PORT} of all addresses"),
        format!("| `{}` |", config.status[0]),
        format!("| {} min, a tenth more or less |", config.interval.0.as_secs() / 60),
        format!("| {} min after its last announce |", config.peer_lifetime.0.as_secs() / 60),
    ] {
        assert!(guide.contains(&fact), "{fact}");
    }
}

#[test]
fn the_scripts_are_sound() {
    let checked = run("bash", "bash", &["-n", deploy("build-deb").to_str().unwrap()], "").unwrap();
    assert!(checked.status.success(), "{}", shown(&checked));
    let completions = command().args(["--completions", "bash"]).output().unwrap();
    let script = String::from_utf8(completions.stdout).unwrap() + "\ncomplete -p peerfeed-tracker\n";
    let loaded = run("bash", "bash", &["--norc"], &script).unwrap();
    assert!(loaded.status.success() && shown(&loaded).contains("complete"), "{}", shown(&loaded));
    for shell in ["zsh", "fish"] {
        let script = command().args(["--completions", shell]).output().unwrap();
        assert!(shown(&script).contains("tls-certificate"), "{shell}");
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&script.stdout).unwrap();
        // Where there is such a shell; none is asked for.
        if let Ok(read) = Command::new(shell).arg("-n").arg(file.path()).output() {
            assert!(read.status.success(), "{shell}: {}", shown(&read));
        }
    }
}

#[test]
fn the_manual_page_has_every_setting_and_every_file_of_the_package_exists() {
    let page = command().arg("--man").output().unwrap();
    let page = shown(&page).replace("\\-", "-");
    assert!(page.contains(".TH peerfeed-tracker 1"), "{page}");
    for setting in Config::SETTINGS {
        assert!(page.contains(&format!("--{}", setting.flag())), "{}", setting.name);
    }
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(deploy("../tracker/Cargo.toml")).unwrap()).unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    for asset in assets.iter().filter_map(|asset| asset[0].as_str()).filter(|path| !path.contains("target/")) {
        assert!(deploy("../tracker").join(asset).exists(), "{asset}");
    }
}
