//! Entries as a timeline.

use super::{Paint, Safe, Terminal, local_time, size};
use crate::api::{Attachment, Entry};

/// One entry as lines without a final line break: who, when, where; the text; the files.
pub fn entry_lines(terminal: &Terminal, entry: &Entry) -> String {
    let mut lines = format!(
        "{}  {}",
        terminal.paint(Paint::Strong, Safe::line(&entry.author)),
        terminal.paint(Paint::Dim, local_time(&entry.time)),
    );
    if let Some(channel) = &entry.channel {
        lines.push_str("  ");
        lines.push_str(&terminal.paint(Paint::Name, format_args!("#{}", Safe::line(channel))));
    }
    if let Some(audience) = audience(entry) {
        lines.push_str("  ");
        lines.push_str(&terminal.paint(Paint::Name, audience));
    }
    lines.push_str("  ");
    lines.push_str(&terminal.paint(Paint::Dim, &entry.id));
    match (entry.kind.as_str(), &entry.text) {
        ("sealed", _) => push(&mut lines, &terminal.paint(Paint::Dim, "(sealed: the key is not on this machine)")),
        ("missing", _) => push(&mut lines, &terminal.paint(Paint::Dim, "(not fetched yet)")),
        (_, Some(text)) if !text.is_empty() => {
            for line in Safe::text(text).to_string().lines() {
                push(&mut lines, line);
            }
        }
        ("post" | "message", _) => {}
        (kind, _) => {
            let text = format!("({}: this version cannot show it)", Safe::line(kind));
            push(&mut lines, &terminal.paint(Paint::Dim, text));
        }
    }
    for file in &entry.attachments {
        push(&mut lines, &attachment_line(terminal, entry, file));
    }
    lines
}

/// For whom an entry is, where that can be told.
fn audience(entry: &Entry) -> Option<String> {
    if entry.kind == "message" {
        let to = entry.to_name.as_deref().map(|name| format!(" to {}", Safe::line(name)));
        return Some(format!("direct message{}", to.unwrap_or_default()));
    }
    Some(match entry.to.as_deref()? {
        "public" => "to everyone".into(),
        list => format!("to {}", Safe::line(list)),
    })
}

fn attachment_line(terminal: &Terminal, entry: &Entry, file: &Attachment) -> String {
    let state = if file.held {
        terminal.paint(Paint::Good, "here")
    } else {
        terminal.paint(Paint::Name, format_args!("peerfeed get {}", entry.id))
    };
    format!(
        "+ {}  {}  {}",
        Safe::line(&file.name),
        terminal.paint(Paint::Dim, format_args!("{}, {}", Safe::line(&file.media_type), size(file.size_bytes))),
        state
    )
}

fn push(lines: &mut String, line: &str) {
    lines.push_str("\n  ");
    lines.push_str(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_shows_author_channel_text_and_files() {
        let entry = Entry {
            id: "mzxw6ytbojtg633c".into(),
            author: "Ann\x1b[31m".into(),
            time: "not a time".into(),
            kind: "post".into(),
            text: Some("one\ntwo".into()),
            channel: Some("garden".into()),
            attachments: vec![Attachment {
                name: "rose.png".into(),
                media_type: "image/png".into(),
                size_bytes: 2048,
                held: false,
            }],
            ..Entry::default()
        };
        assert_eq!(
            entry_lines(&Terminal::plain(false), &entry),
            "Ann\\u{1b}[31m  not a time  #garden  mzxw6ytbojtg633c\n  one\n  two\n  \
             + rose.png  image/png, 2.0 KiB  peerfeed get mzxw6ytbojtg633c"
        );
    }

    #[test]
    fn for_whom_an_entry_is_stands_in_its_first_line() {
        let first = |kind: &str, to: &str, to_name: Option<&str>| {
            let (to, to_name) = (Some(to.to_owned()), to_name.map(str::to_owned));
            let entry =
                Entry { kind: kind.into(), id: "id".into(), text: Some("x".into()), to, to_name, ..Entry::default() };
            entry_lines(&Terminal::plain(false), &entry).lines().next().unwrap().trim().to_owned()
        };
        assert_eq!(first("post", "public", None), "to everyone  id");
        assert_eq!(first("post", "fam\nily", None), "to fam\\u{a}ily  id");
        assert_eq!(first("message", "feed1x", None), "direct message  id");
        assert_eq!(first("message", "feed1x", Some("Ben")), "direct message to Ben  id");
    }

    #[test]
    fn an_unknown_type_is_shown_as_a_placeholder() {
        let entry = Entry { kind: "poll".into(), ..Entry::default() };
        assert!(entry_lines(&Terminal::plain(false), &entry).ends_with("(poll: this version cannot show it)"));
    }
}
