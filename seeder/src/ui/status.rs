//! The state of a data folder as a page.

use super::{Paint, Safe, Terminal, counted, size, state_of};
use crate::api::{Feed, Refused, Seeder, Status, Traffic};

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
    if status.requests > 0 {
        let people = counted(status.requests, "person asks", "people ask");
        lines.push(format!("requests  {people} to be friends: `peerfeed requests`"));
    }
    if status.traffic != Traffic::default() {
        let Traffic { sent_bytes, received_bytes } = status.traffic;
        lines.push(format!("traffic   {} sent, {} received", size(sent_bytes), size(received_bytes)));
    }
    if let Some(refused) = refused(&status.refused) {
        lines.push(format!("refused   {refused}"));
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

/// What was refused, most of it harmless; none if nothing was.
fn refused(refused: &Refused) -> Option<String> {
    let Refused { violations, banned, turned_away, strangers, over_limit, stalled, late, ignored_addresses } = *refused;
    let counts = [
        (violations, "liar dropped", "liars dropped"),
        (banned, "connection of the banned", "connections of the banned"),
        (turned_away, "connection too many", "connections too many"),
        (strangers, "stranger", "strangers"),
        (over_limit, "request too many", "requests too many"),
        (stalled, "peer that took nothing", "peers that took nothing"),
        (late, "request left unanswered", "requests left unanswered"),
        (ignored_addresses, "address out of reach", "addresses out of reach"),
    ];
    let words: Vec<String> =
        counts.iter().filter(|(count, ..)| *count > 0).map(|(count, one, many)| counted(*count, one, many)).collect();
    (!words.is_empty()).then(|| words.join(", "))
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
    let rates = rates(feed).map(|rates| format!("; {rates}")).unwrap_or_default();
    lines.push(format!(
        "  holds {}, {}; {}{quota}; {}{rates}",
        state_of(feed.entries_held, feed.entries, "entry", "entries"),
        state_of(feed.files_held, feed.files, "file", "files"),
        size(feed.held_bytes),
        peers(feed.peers),
    ));
    let next = if feed.quota_bytes.is_some() { "; `peerfeed seed FEED --quota SIZE` sets another quota" } else { "" };
    let mut warn = |what: &str, reason: &str| {
        let reason = format!("{what}: {}{next}", Safe::line(reason));
        lines.push(format!("  {}", terminal.paint(Paint::Warn, reason)));
    };
    if let Some(reason) = &feed.stopped {
        warn("nothing more is stored", reason);
    }
    match feed.left_out.as_slice() {
        [] => {}
        [reason] => warn("one file is left out", reason),
        [reason, ..] => warn(&format!("{} files are left out", feed.left_out.len()), reason),
    }
    for seeder in &feed.seeders {
        lines.push(format!("  {}", seeder_line(terminal, feed, seeder)));
    }
    for tracker in &feed.trackers {
        let state = tracker.state.as_deref().unwrap_or("not asked yet");
        lines.push(format!("  tracker {}  {}", tracker.url, terminal.paint(Paint::Dim, Safe::line(state))));
    }
}

/// What of the line a feed may take, where that is bounded.
pub fn rates(feed: &Feed) -> Option<String> {
    let up = feed.up.map(|rate| format!("up {}/s", size(rate)));
    let down = feed.down.map(|rate| format!("down {}/s", size(rate)));
    let bounds: Vec<String> = up.into_iter().chain(down).collect();
    (!bounds.is_empty()).then(|| format!("at most {}", bounds.join(" and ")))
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
    if seeder.this {
        return format!("{kind} {}  this machine", seeder.address);
    }
    // What a seeder has stored is told to the author alone; a reader sees only whether it is there.
    let own = feed.roles.iter().any(|role| role == "own");
    let all = counted(seeder.entries, "entry", "entries");
    let holds = if !own {
        String::new()
    } else if seeder.holds_all {
        terminal.paint(Paint::Good, format_args!("  holds all {all}"))
    } else if seeder.entries_stored == seeder.entries {
        terminal.paint(Paint::Warn, format_args!("  holds all {all}, not every file"))
    } else {
        terminal.paint(Paint::Warn, format_args!("  holds {} of {all}", seeder.entries_stored))
    };
    let asks = match &seeder.code {
        Some(code) if own && !seeder.listed => format!("  asks to be listed: `peerfeed seeders add {code}`"),
        _ => String::new(),
    };
    let connected = if seeder.connected { "connected" } else { "not connected" };
    format!("{kind} {}  {connected}{holds}{asks}", seeder.address)
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
                Seeder { entries_stored: 2, code: Some("127.0.0.1:9#wit1x".into()), ..seeder.clone() },
                Seeder { listed: true, connected: true, entries_stored: 3, holds_all: true, ..seeder },
            ],
            ..Feed::default()
        };
        let status = Status { running: true, pid: Some(7), feeds: vec![feed], ..Status::default() };
        let page = status_lines(&Terminal::plain(false), &status);
        assert!(page.contains("running (process 7), no peer connected"), "{page}");
        assert!(page.contains("unlisted seeder 127.0.0.1:9  not connected  holds 2 of 3 entries  asks"), "{page}");
        assert!(page.contains("asks to be listed: `peerfeed seeders add 127.0.0.1:9#wit1x`\n"), "{page}");
        assert!(page.ends_with("  seeder 127.0.0.1:9  connected  holds all 3 entries"), "{page}");
        let mut without_file = status.clone();
        without_file.feeds[0].seeders.iter_mut().for_each(|seeder| seeder.holds_all = false);
        let page = status_lines(&Terminal::plain(false), &without_file);
        assert!(page.ends_with("  seeder 127.0.0.1:9  connected  holds all 3 entries, not every file"), "{page}");
        let mut here = status;
        here.feeds[0].seeders.iter_mut().for_each(|seeder| seeder.this = true);
        let page = status_lines(&Terminal::plain(false), &here);
        assert!(page.ends_with("  seeder 127.0.0.1:9  this machine"), "{page}");
    }

    #[test]
    fn a_feed_of_which_nothing_more_is_stored_says_why() {
        let feed = Feed { stopped: Some("the disk is full".into()), quota_bytes: Some(1 << 20), ..Feed::default() };
        let page = status_lines(&Terminal::plain(false), &Status { feeds: vec![feed], ..Status::default() });
        assert!(page.contains("\n  nothing more is stored: the disk is full; `peerfeed seed FEED --quota"), "{page}");
        let page = |left_out: &[&str]| {
            let left_out = left_out.iter().map(|reason| (*reason).to_owned()).collect();
            let feeds = vec![Feed { left_out, quota_bytes: Some(1 << 20), ..Feed::default() }];
            status_lines(&Terminal::plain(false), &Status { feeds, ..Status::default() })
        };
        assert!(page(&["too large"]).contains("\n  one file is left out: too large; `peerfeed seed"));
        assert!(page(&["too large", "larger"]).contains("\n  2 files are left out: too large; `peerfeed seed"));
    }

    #[test]
    fn what_passed_and_what_was_refused_is_shown() {
        let refused = Refused { violations: 1, strangers: 20, ..Refused::default() };
        let traffic = Traffic { sent_bytes: 3 << 20, received_bytes: 0 };
        let page = status_lines(&Terminal::plain(false), &Status { traffic, refused, ..Status::default() });
        assert!(
            page.contains("traffic   3.0 MiB sent, 0 B received\nrefused   1 liar dropped, 20 strangers\n"),
            "{page}"
        );
    }

    #[test]
    fn who_waits_for_an_answer_is_counted() {
        let page = |requests| status_lines(&Terminal::plain(false), &Status { requests, ..Status::default() });
        assert!(page(1).contains("requests  1 person asks to be friends: `peerfeed requests`\n"), "{}", page(1));
        assert!(page(2).contains("2 people ask to be friends"), "{}", page(2));
        assert!(!page(0).contains("requests"), "{}", page(0));
    }

    #[test]
    fn an_empty_folder_says_how_to_begin() {
        let page = status_lines(&Terminal::plain(false), &Status::default());
        assert!(page.contains("peerfeed init"), "{page}");
    }
}
