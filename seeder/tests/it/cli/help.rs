//! Help, completions, the manual, and mistyped commands.

use super::folder::Folder;

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let help = Folder::empty().does(&["--help"]);
    for word in [
        "init",
        "id",
        "post",
        "invite",
        "add",
        "requests",
        "refuse",
        "accept",
        "friends",
        "remove",
        "mute",
        "unfollow",
        "fetch",
        "read",
        "get",
        "run",
        "seed",
        "unseed",
        "seeders",
        "trackers",
        "status",
        "demo",
        "--data",
        "--tracker",
        "--listen",
        "--json",
        "Exit codes",
    ] {
        assert!(help.contains(word), "{word} is missing in:\n{help}");
    }
    assert!(!help.contains("demo-tracker"), "{help}");
}

#[test]
fn tracker_and_data_folder_are_flags_of_every_command() {
    let folder = Folder::empty();
    let help = folder.does(&["--help"]);
    let listed = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let commands: Vec<&str> =
        listed.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.contains(&"post") && commands.contains(&"seeders"), "{help}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        let help = folder.does(&[command, "--help"]);
        assert!(help.contains("--data") && help.contains("--tracker"), "{command}: {help}");
    }
}

#[test]
fn the_version_names_the_protocol() {
    let version = Folder::empty().does(&["--version"]);
    assert_eq!(version, format!("peerfeed {} (protocol 1)\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_mistyped_command_or_option_is_a_failure_that_names_the_likely_one() {
    let folder = Folder::empty();
    folder.tries(&["pots"]).ends(2, &["post"]);
    folder.tries(&["fetch", "--timeout", "soon"]).ends(2, &["30s"]);
    folder.tries(&["--listen", "here", "status"]).ends(2, &["none"]);
    folder.tries(&["--tracker", "gopher://x:1", "status"]).ends(2, &["gopher"]);
    folder.tries(&["seed", "feed1x", "--quota", "much"]).ends(2, &["5GiB"]);
    assert!(!folder.data().exists(), "nothing was made");
}

#[test]
fn a_mistyped_command_or_option_is_an_object_for_programs() {
    let folder = Folder::empty();
    for (args, word) in [
        (&["--json", "pots"][..], "'pots'"),
        (&["read", "--json", "--limit", "0"], "--limit"),
        (&["post", "--json"], "<TEXT>"),
        (&["--json", "add", "xyz"], "neither a link"),
    ] {
        let said = folder.tries(args);
        let error: serde_json::Value = serde_json::from_str(said.err.trim()).unwrap_or_else(|_| panic!("{said:?}"));
        assert_eq!((&error["event"], &error["kind"], said.code), (&"error".into(), &"failed".into(), 2), "{said:?}");
        assert!(error["message"].as_str().unwrap().contains(word), "{said:?}");
        assert!(!error["message"].as_str().unwrap().starts_with("error"), "{said:?}");
    }
}

#[test]
fn completions_and_the_manual_know_the_commands() {
    let folder = Folder::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(folder.does(&["completions", shell]).contains("unfollow"), "{shell}");
    }
    assert!(folder.does(&["man"]).contains(".TH peerfeed 1"));
    let out = folder.root.path().join("man1");
    folder.does(&["man", "--out", out.to_str().unwrap()]);
    assert!(out.join("peerfeed-post.1").exists());
}

#[test]
fn a_command_on_an_empty_folder_says_how_to_begin_and_makes_nothing() {
    let folder = Folder::empty();
    for command in [&["id"][..], &["read"], &["status"], &["post", "x"], &["fetch"], &["invite"], &["seeders"]] {
        folder.tries(command).ends(2, &["there is nothing in", "peerfeed init"]);
    }
    assert!(!folder.data().exists());
}

#[test]
fn no_command_logs_in_resets_a_password_or_lists_users() {
    let help = Folder::empty().does(&["--help"]).to_lowercase();
    let commands: Vec<&str> =
        help.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()).collect();
    assert!(commands.contains(&"passwd"), "{help}");
    for absent in ["login", "logout", "register", "reset", "users", "session"] {
        assert!(!commands.iter().any(|command| command.contains(absent)), "{absent}: {help}");
    }
}
