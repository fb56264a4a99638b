//! What a person pastes or types, and what is shown of what others wrote.

use peerfeed_protocol::crypto::Phrase;
use peerfeed_protocol::feed::{Link, file_name, shown, shown_in_line};
use peerfeed_protocol::ids::{EntryId, FeedId};

/// What is read is written so that it is read again as the same.
pub(crate) fn text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(id) = text.parse::<FeedId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Ok(id) = text.parse::<EntryId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Ok(link) = text.parse::<Link>()
        && let Ok(written) = link.to_text()
    {
        let again: Link = written.parse().expect("our own link");
        assert_eq!(again.to_text().expect("as before"), written);
    }
    if let Ok(phrase) = text.parse::<Phrase>() {
        assert!(phrase.to_text().parse::<Phrase>().is_ok());
    }
    let name = file_name(&text);
    assert!(!name.is_empty() && name.len() <= 255 && !name.contains(['/', '\0']) && !name.starts_with('.'), "{name:?}");
    assert!(!shown(&text).contains(['\u{1b}', '\r', '\u{202e}']));
    assert!(!shown_in_line(&text).contains(['\u{1b}', '\r', '\n', '\t', '\u{202e}']));
}
