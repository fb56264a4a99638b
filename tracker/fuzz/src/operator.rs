//! What an operator writes, or gets from somebody else.

use std::path::Path;

use peerfeed_tracker::access::HashList;
use peerfeed_tracker::config::{Config, Size, Span, documented};

/// A list has no more hashes than its text has lines.
pub(crate) fn access_list(text: &[u8]) {
    if let Ok(list) = HashList::read_from(text, Path::new("list")) {
        assert!(list.len() <= text.split(|&byte| byte == b'\n').count());
        assert!(list.len() * 40 <= text.len());
    }
}

/// A quantity is written so that it is read as the same one.
pub(crate) fn quantity(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(span) = text.parse::<Span>() {
        assert_eq!(span.to_string().parse(), Ok(span));
    }
    if let Ok(size) = text.parse::<Size>() {
        assert_eq!(size.to_string().parse(), Ok(size));
    }
}

/// A configuration is printed so that it is read as the same one.
pub(crate) fn config(bytes: &[u8]) {
    let Ok(config) = toml::from_str::<Config>(&String::from_utf8_lossy(bytes)) else { return };
    let printed = documented(&config);
    assert_eq!(toml::from_str::<Config>(&printed).expect("our own text"), config);
}
