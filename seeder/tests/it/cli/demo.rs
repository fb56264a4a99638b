//! `demo`, from beginning to end.

use std::time::{Duration, Instant};

use super::folder::Folder;

#[test]
fn the_demo_ends_well_within_a_minute_and_leaves_nothing_behind() {
    let folder = Folder::empty();
    let begun = Instant::now();
    let mut command = folder.command(&["--json", "demo"]);
    let said = super::folder::said(command.env("TMPDIR", folder.root.path()));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let last: serde_json::Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    assert_eq!((last["event"].as_str(), last["ok"].as_bool()), (Some("demo"), Some(true)));
    let left: Vec<_> = std::fs::read_dir(folder.root.path()).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(children_of(folder.root.path()).is_empty(), "a process was left running");
}

#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    let folder = Folder::empty();
    let mut command = folder.command(&["--json", "demo"]);
    command.env("TMPDIR", folder.root.path()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    // In the middle of it: when its children run.
    while children_of(folder.root.path()).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no child of the demo was seen");
        std::thread::sleep(Duration::from_millis(20));
    }
    let id = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let begun = Instant::now();
    while !children_of(folder.root.path()).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "a process was left running");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(std::fs::read_dir(folder.root.path()).unwrap().count(), 0);
}

/// Processes whose command line names a folder of the demo.
fn children_of(folder: &std::path::Path) -> Vec<String> {
    let folder = format!("{}/peerfeed-demo-", folder.display());
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let commands = processes.filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok());
    commands.filter(|command| command.contains(&folder)).collect()
}
