//! The state of a data folder as a page.

use super::{Paint, Safe, Terminal, counted, size, state_of};
use crate::api::{Feed, Seeder, Status};

/// The page, without a final line break.
pub fn status_lines(terminal: &Terminal, status: &Status) -> String {
    let mut lines = Vec::new();
    lines.push(match status.pid {
        Some(pid) if status.running => {
            format!("{} (process {pid}), {}", terminal.paint(Paint::Good, "running"), peers(status.peers))
        }
        _ => format!("{}: `peerfeed run` serves and stays connected", terminal.paint(Paint::Warn, "not running")),
    });
    lines.push(format!("data      {}", status.data));
    for address in &status.listen {
        lines.push(format!("listens   {address}"));
    }
    if let Some(code) = &status.seeder_code {
        lines.push(format!("seeder    {}", terminal.paint(Paint::Name, code)));
    }
    if status.feeds.is_empty() {
        lines.push("no feed yet: `peerfeed init`, `peerfeed add LINK` or `peerfeed seed LINK`".into());
    }
    for feed in &status.feeds {
        lines.push(String::new());
        feed_lines(terminal, feed, &mut lines);
    }
    lines.join("\n")
}

fn feed_lines(terminal: &Terminal, feed: &Feed, lines: &mut Vec<String>) {
    let name = feed.name.as_deref().map(|name| format!("{} ", Safe::line(name))).unwrap_or_default();
    lines.push(format!(
        "{}{}  {}",
        terminal.paint(Paint::Strong, name),
        terminal.paint(Paint::Name, &feed.feed),
        terminal.paint(Paint::Dim, roles(feed)),
    ));
    let quota = feed.quota_bytes.map(|quota| format!(" of at most {}", size(quota))).unwrap_or_default();
    lines.push(format!(
        "  holds {}, {}; {}{quota}; {}",
        state_of(feed.entries_held, feed.entries, "entry", "entries"),
        state_of(feed.files_held, feed.files, "file", "files"),
        size(feed.held_bytes),
        peers(feed.peers),
    ));
    for seeder in &feed.seeders {
        lines.push(format!("  {}", seeder_line(terminal, feed, seeder)));
    }
    for tracker in &feed.trackers {
        let state = tracker.state.as_deref().unwrap_or("not asked yet");
        lines.push(format!("  tracker {}  {}", tracker.url, terminal.paint(Paint::Dim, Safe::line(state))));
    }
}

fn roles(feed: &Feed) -> String {
    let words = feed.roles.iter().map(|role| match role.as_str() {
        "own" => "your feed",
        "follow" => "followed",
        "seed" => "seeded",
        other => other,
    });
    let mut words: Vec<_> = words.collect();
    if !feed.readable && !feed.roles.iter().all(|role| role == "seed") {
        words.push("public entries only");
    }
    if feed.muted {
        words.push("muted");
    }
    words.join(", ")
}

fn seeder_line(terminal: &Terminal, feed: &Feed, seeder: &Seeder) -> String {
    let kind = if seeder.listed { "seeder" } else { "unlisted seeder" };
    // What a seeder has stored is told to the author alone; a reader sees only whether it is there.
    let holds = if !feed.roles.iter().any(|role| role == "own") {
        String::new()
    } else if seeder.holds_all {
        let all = counted(seeder.entries, "entry", "entries");
        terminal.paint(Paint::Good, format_args!("  holds all {all}"))
    } else {
        let all = counted(seeder.entries, "entry", "entries");
        terminal.paint(Paint::Warn, format_args!("  holds {} of {all}", seeder.entries_stored))
    };
    let connected = if seeder.connected { "connected" } else { "not connected" };
    format!("{kind} {}  {connected}{holds}", seeder.address)
}

fn peers(count: u32) -> String {
    match count {
        0 => "no peer connected".into(),
        _ => format!("{} connected", counted(count.into(), "peer", "peers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_page_names_seeders_listed_and_unlisted() {
        let seeder = Seeder { address: "127.0.0.1:9".into(), entries: 3, ..Seeder::default() };
        let feed = Feed {
            feed: "feed1x".into(),
            roles: vec!["own".into()],
            readable: true,
            entries: 3,
            entries_held: 3,
            seeders: vec![
                Seeder { entries_stored: 2, ..seeder.clone() },
                Seeder { listed: true, connected: true, entries_stored: 3, holds_all: true, ..seeder },
            ],
            ..Feed::default()
        };
        let status = Status { running: true, pid: Some(7), feeds: vec![feed], ..Status::default() };
        let page = status_lines(&Terminal::plain(false), &status);
        assert!(page.contains("running (process 7), no peer connected"), "{page}");
        assert!(page.contains("unlisted seeder 127.0.0.1:9  not connected  holds 2 of 3 entries\n"), "{page}");
        assert!(page.ends_with("  seeder 127.0.0.1:9  connected  holds all 3 entries"), "{page}");
    }

    #[test]
    fn an_empty_folder_says_how_to_begin() {
        let page = status_lines(&Terminal::plain(false), &Status::default());
        assert!(page.contains("peerfeed init"), "{page}");
    }
}
