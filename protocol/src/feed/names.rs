//! Other people's texts, made safe to show and to store under: one place for every surface.

use std::fmt::Write;

use crate::limits::FILE_NAME_BYTES_MAX;

/// A text as it may be shown: line breaks and tabs stay; every other control character, and every character that hides
/// itself or turns the direction of writing, is spelled out as `\u{…}`.
///
/// So nothing that a stranger wrote can move a terminal's cursor, forge a line of output, or make `gpj.exe` look like
/// `exe.jpg`. spec: ENTRY-20
pub fn shown(text: &str) -> String {
    escape(text, |c| c == '\n' || c == '\t')
}

/// A name as it may be shown in one line: as [`shown`], and line breaks and tabs are spelled out too. spec: ENTRY-20
pub fn shown_in_line(text: &str) -> String {
    escape(text, |_| false)
}

/// The name under which a file that a stranger named may be written: no separator, no drive, no hidden file, no name that
/// an operating system keeps for itself, never empty, at most 255 bytes; the ending is kept. spec: ENTRY-21
pub fn file_name(name: &str) -> String {
    let mut safe: String = name
        .chars()
        .map(|c| match c {
            '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
            c if is_unsafe(c) => '_',
            c => c,
        })
        .collect();
    // Leading dots hide files or climb; trailing dots and spaces vanish on some systems.
    let trimmed = safe.trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']);
    safe = if trimmed.is_empty() { "file".to_owned() } else { trimmed.to_owned() };
    if is_reserved(&safe) {
        safe.insert(0, '_');
    }
    shorten(&safe)
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) && !keep(c) {
            write!(shown, "{}", c.escape_unicode()).expect("a string takes everything");
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Controls, line and paragraph separators, direction marks, overrides and isolates, zero-width characters that are no
/// part of a script or an emoji, and tags.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_lowercase();
    let numbered = |prefix| {
        stem.strip_prefix(prefix).is_some_and(|rest: &str| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    };
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

fn shorten(name: &str) -> String {
    if name.len() <= FILE_NAME_BYTES_MAX {
        return name.to_owned();
    }
    let ending = name.rfind('.').map(|at| &name[at..]).filter(|ending| ending.len() <= 16).unwrap_or_default();
    let mut cut = FILE_NAME_BYTES_MAX - ending.len();
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{ending}", name[..cut].trim_end_matches(['.', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor_or_turns_the_writing() {
        assert_eq!(shown("a\u{1b}[2Jb\r\nc\td"), "a\\u{1b}[2Jb\\u{d}\nc\td");
        assert_eq!(shown("photo\u{202e}gpj.exe"), "photo\\u{202e}gpj.exe");
        assert_eq!(shown_in_line("two\nlines\u{2028}three"), "two\\u{a}lines\\u{2028}three");
        assert_eq!(shown("\u{9b}31m\u{7f}"), "\\u{9b}31m\\u{7f}");
    }

    #[test]
    fn other_scripts_and_emoji_are_left_alone() {
        for text in ["Grüße", "日本語", "שלום", "مرحبا", "👩‍👩‍👧", "क्‍ष", "❤️"] {
            assert_eq!(shown_in_line(text), text);
        }
    }

    #[test]
    fn a_file_name_stays_in_its_directory() {
        for (name, safe) in [
            ("cat.png", "cat.png"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("..", "file"),
            ("", "file"),
            (".bashrc", "bashrc"),
            ("C:\\a", "C__a"),
            ("con.txt", "_con.txt"),
            ("COM1", "_COM1"),
            ("combat", "combat"),
            ("a\u{202e}gpj.exe", "a_gpj.exe"),
            ("trailing. ", "trailing"),
        ] {
            assert_eq!(file_name(name), safe, "{name:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let safe = file_name(&format!("{}.tar.gz", "ü".repeat(200)));
        assert!(safe.len() <= FILE_NAME_BYTES_MAX, "{safe}");
        assert_eq!(safe.rsplit('.').next(), Some("gz"));
        assert_eq!(file_name(&format!("_{}", "x".repeat(300))).len(), FILE_NAME_BYTES_MAX);
    }
}
