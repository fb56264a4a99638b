//! What a file's name says about its content. Only said: whoever opens the file decides.

use std::path::Path;

const UNKNOWN: &str = "application/octet-stream";

/// The endings that people attach, with their registered types.
const TYPES: [(&str, &str); 38] = [
    ("aac", "audio/aac"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("heic", "image/heic"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("m4a", "audio/mp4"),
    ("md", "text/markdown"),
    ("mkv", "video/matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/opus"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("rtf", "application/rtf"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("txt", "text/plain"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("zip", "application/zip"),
];

/// The media type that the ending of `path` stands for.
pub(super) fn media_type(path: &Path) -> &'static str {
    let Some(ending) = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase) else {
        return UNKNOWN;
    };
    TYPES.binary_search_by(|(known, _)| (*known).cmp(ending.as_str())).map_or(UNKNOWN, |at| TYPES[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerfeed_protocol::limits::MEDIA_TYPE_BYTES_MAX;

    #[test]
    fn the_list_is_sorted_and_within_the_limit() {
        assert!(TYPES.is_sorted_by(|one, next| one.0 < next.0));
        assert!(TYPES.iter().all(|(_, name)| name.len() <= MEDIA_TYPE_BYTES_MAX));
    }

    #[test]
    fn an_ending_is_known_in_any_case_and_nothing_else_is_guessed() {
        assert_eq!(media_type(Path::new("a/Photo.JPG")), "image/jpeg");
        assert_eq!(media_type(Path::new("zip")), UNKNOWN);
        assert_eq!(media_type(Path::new("a.exe")), UNKNOWN);
    }
}
