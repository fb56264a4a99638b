//! Other people's text on this person's terminal.

use std::fmt::{self, Write};

/// Shows text from elsewhere without its power over a terminal: control characters and those that turn the direction of
/// writing become visible signs. Line breaks and tabs stay when `lines` is set.
#[derive(Clone, Copy, Debug)]
pub struct Safe<'a> {
    text: &'a str,
    lines: bool,
}

impl<'a> Safe<'a> {
    /// Text that must stay on its line: names, channels, file names.
    pub fn line(text: &'a str) -> Self {
        Self { text, lines: false }
    }

    /// Text of several lines.
    pub fn text(text: &'a str) -> Self {
        Self { text, lines: true }
    }
}

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.text.chars() {
            match character {
                '\n' | '\t' if self.lines => f.write_char(character)?,
                '\0'..='\x1f' => f.write_char(
                    char::from_u32(0x2400 + u32::from(character)).expect("control pictures"),
                )?,
                '\x7f' => f.write_char('\u{2421}')?,
                '\u{80}'..='\u{9f}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => {
                    f.write_char('\u{fffd}')?;
                }
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_does_not_reach_the_terminal() {
        let shown = Safe::text("a\x1b[2Jb\nc\u{202e}d\u{9b}1m").to_string();
        assert_eq!(shown, "a\u{241b}[2Jb\nc\u{fffd}d\u{fffd}1m");
        assert_eq!(Safe::line("a\nb").to_string(), "a\u{240a}b");
    }
}
