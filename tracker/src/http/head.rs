//! Request heads as clients send them, with targets that a strict reader takes.
//!
//! Clients of all ages put raw bytes and blanks into their targets. hyper answers these with an HTTP error, which such a
//! client shows as "tracker unreachable". So before hyper sees a head, its target is escaped; what is wrong with the query
//! itself is then said in bencode. Nothing else of a head is touched or judged here.

use memchr::{memchr, memrchr};

/// Where the head at the beginning of `bytes` ends, if it is there as a whole. The first `seen` bytes have been looked at
/// before.
pub fn end_of_head(bytes: &[u8], seen: usize) -> Option<usize> {
    let mut at = seen.saturating_sub(3);
    while let Some(feed) = memchr(b'\n', bytes.get(at..)?) {
        at += feed + 1;
        match bytes.get(at..) {
            Some([b'\n', ..]) => return Some(at + 1),
            Some([b'\r', b'\n', ..]) => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// Whether [`rewrite`] would leave `head` as it is; may be false also then, for a form that is rare.
pub fn is_strict(head: &[u8]) -> bool {
    let Some(end) = memchr(b'\r', head).filter(|&end| head[end..].starts_with(b"\r\n")) else { return false };
    let line = &head[..end];
    let Some((first, last)) = memchr(b' ', line).zip(memrchr(b' ', line)) else { return false };
    let target = line.get(first + 1..last).unwrap_or_default();
    line[..first].iter().all(u8::is_ascii_uppercase)
        && target.starts_with(b"/")
        && are_plain(target)
        && matches!(&line[last + 1..], b"HTTP/1.1" | b"HTTP/1.0")
}

/// Without a way out in between, so that the compiler looks at many bytes at a time.
fn are_plain(target: &[u8]) -> bool {
    let is_other = |byte: u8| matches!(byte, b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'}');
    !target.iter().fold(false, |has_other, &byte| has_other | !byte.is_ascii_graphic() | is_other(byte))
}

/// Appends `head` to `out` with its target escaped. Blanks before the last one belong to the target; a line without a
/// version is one of HTTP/1.0.
pub fn rewrite(head: &[u8], out: &mut Vec<u8>) {
    let end = memchr(b'\n', head).unwrap_or(head.len());
    let (line, headers) = head.split_at(if head[..end].ends_with(b"\r") { end - 1 } else { end });
    let line = line.trim_ascii_end();
    let method_bytes = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    let (method, rest) = line.split_at(method_bytes);
    let (target, version) = match rest.iter().rposition(|&byte| byte == b' ') {
        Some(at) if rest[at + 1..].starts_with(b"HTTP/") => (&rest[..at], &rest[at + 1..]),
        _ => (rest, &b"HTTP/1.0"[..]),
    };
    // Room for all of it at once, unless much has to be escaped.
    out.reserve(head.len() + 16);
    out.extend_from_slice(method);
    out.push(b' ');
    write_target(target.trim_ascii(), out);
    out.push(b' ');
    out.extend_from_slice(version);
    out.extend_from_slice(if headers.is_empty() { b"\r\n\r\n" } else { headers });
}

/// Bytes of a target that stay as they are.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let others = b"/?&=%+-._~:;@,!$'()*[]|";
    let mut at = 0;
    while at < others.len() {
        plain[others[at] as usize] = true;
        at += 1;
    }
    let mut byte = 0;
    while byte < 128u8 {
        plain[byte as usize] |= byte.is_ascii_alphanumeric();
        byte += 1;
    }
    plain
};

fn write_target(target: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if ![&b"/"[..], b"http://", b"https://"].iter().any(|start| target.starts_with(start)) {
        out.push(b'/');
    }
    for stretch in target.chunk_by(|&a, &b| PLAIN[usize::from(a)] == PLAIN[usize::from(b)]) {
        if stretch.first().is_some_and(|&first| PLAIN[usize::from(first)]) {
            out.extend_from_slice(stretch);
        } else {
            let escaped = |&byte: &u8| [b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend(stretch.iter().flat_map(escaped));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rewritten(head: &[u8]) -> String {
        let mut out = Vec::new();
        rewrite(head, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_ordinary_head_stays_as_it_is() {
        let target = "/announce?info_hash=%124Vx%9A&peer_id=-TR4100-a.b_c~+&ipv6=[::1]:9&x?y";
        for head in [
            format!("GET {target} HTTP/1.1\r\nHost: t\r\nUser-Agent:\tx\r\n\r\n"),
            "GET http://t.example:1/announce?x HTTP/1.1\nhost: t\n\n".to_owned(),
        ] {
            assert_eq!(rewritten(head.as_bytes()), head);
            assert_eq!(is_strict(head.as_bytes()), head.starts_with("GET /"), "{head}");
        }
    }

    #[test]
    fn blanks_and_raw_bytes_of_the_target_are_escaped() {
        for (line, expected) in [
            (
                &b"GET /announce?info_hash=\xff \x00#\x7f HTTP/1.1"[..],
                "GET /announce?info_hash=%FF%20%00%23%7F HTTP/1.1",
            ),
            (b"GET  /scrape ?x  HTTP/1.0", "GET /scrape%20?x HTTP/1.0"),
            (b"GET announce?x=/ HTTP/1.1", "GET /announce?x=/ HTTP/1.1"),
            (b"GET /announce?x", "GET /announce?x HTTP/1.0"),
            (b"GET", "GET / HTTP/1.0"),
        ] {
            assert_eq!(rewritten(line), format!("{expected}\r\n\r\n"));
        }
    }

    #[test]
    fn every_byte_is_judged_as_it_is_escaped() {
        for byte in 0..=255 {
            assert_eq!(are_plain(&[byte]), PLAIN[usize::from(byte)], "{byte}");
        }
    }

    proptest! {
        #[test]
        fn what_is_called_strict_stays_as_it_is(line in r"(GET|G) ?[/ -~]{0,12}[ \x00-\xff]{0,3} (HTTP/1.)?[01 \t]{0,2}", at in 0usize..40, byte: u8) {
            let mut head = format!("{line}\r\nHost: t\r\n\r\n").into_bytes();
            for change in [None, Some((at % line.len(), byte))] {
                if let Some((at, byte)) = change {
                    head[at] = byte;
                }
                let mut out = Vec::new();
                rewrite(&head, &mut out);
                prop_assert!(!is_strict(&head) || out == head, "{}", head.escape_ascii());
            }
        }

        #[test]
        fn the_end_is_found_wherever_the_bytes_are_cut(cut in 0usize..60, crlf: bool) {
            let line = if crlf { "\r\n" } else { "\n" };
            let head = format!("GET / HTTP/1.1{line}Host: t{line}{line}");
            let bytes = format!("{head}GET /next HTTP/1.1\r\n\r\n");
            let cut = cut.min(head.len() - 1);
            prop_assert_eq!(end_of_head(&bytes.as_bytes()[..cut], 0), None);
            prop_assert_eq!(end_of_head(bytes.as_bytes(), cut), Some(head.len()));
        }

        #[test]
        fn whatever_the_target_is_the_line_has_two_blanks_and_ascii_only(target in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [b"GET ", &target[..], b" HTTP/1.1\r\n\r\n"].concat();
            end_of_head(&bytes, bytes.len() / 2);
            let mut head = Vec::new();
            rewrite(&bytes, &mut head);
            let line = std::str::from_utf8(head.split(|&byte| byte == b'\n').next().unwrap()).unwrap();
            prop_assert!(line.trim_end().bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            prop_assert_eq!(line.matches(' ').count(), 2);
            prop_assert!(head.len() <= 3 * bytes.len() + 100);
        }
    }
}
