//! Names of files, as people give them and as HTTP says them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Most bytes of a name; no file system has longer ones.
const NAME_BYTES_MAX: usize = 255;
/// What stands as it is in an extended value (RFC 8187 section 3.2.1).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A name without a path and without what is no character of a name; cut where it is too long.
pub(super) fn cleaned(name: &str) -> String {
    let bare = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut clean: String = bare
        .chars()
        .filter(|c| !c.is_control() && !is_invisible(*c))
        .collect();
    let mut end = clean.len().min(NAME_BYTES_MAX);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    clean.truncate(end);
    let clean = clean.trim();
    match clean {
        "." | ".." => String::new(),
        clean => clean.to_owned(),
    }
}

/// Marks that turn the direction of text, with which `gpj.exe` can be made to look like a picture.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// The name in the query of an upload: `name=`, percent-encoded.
pub(super) fn in_query(query: &str) -> String {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("name="));
    let value = value.unwrap_or_default().replace('+', " ");
    cleaned(&percent_decode_str(&value).decode_utf8_lossy())
}

/// The value of Content-Disposition (RFC 6266): for those who know only ASCII, and for all others.
pub(super) fn disposition(shown: bool, name: &str) -> String {
    let kind = if shown { "inline" } else { "attachment" };
    if name.is_empty() {
        return kind.to_owned();
    }
    let plain: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '%' => '_',
            c if c.is_ascii_graphic() || c == ' ' => c,
            _ => '_',
        })
        .collect();
    let extended = utf8_percent_encode(name, ESCAPED);
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{extended}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere() {
        for (given, kept) in [
            ("cat.png", "cat.png"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\me\\cat.png", "cat.png"),
            ("..", ""),
            ("a\r\nSet-Cookie: x", "aSet-Cookie: x"),
            ("ann\u{202e}gpj.exe", "anngpj.exe"),
            (" 猫 .png ", "猫 .png"),
        ] {
            assert_eq!(cleaned(given), kept, "{given:?}");
        }
        assert_eq!(cleaned(&"猫".repeat(100)).len(), 255);
        assert_eq!(in_query("x=1&name=a%20b%2Fc.txt&y"), "c.txt");
        assert_eq!(in_query(""), "");
    }

    #[test]
    fn a_disposition_has_the_name_in_both_ways() {
        assert_eq!(
            disposition(false, "a \"猫\".txt"),
            "attachment; filename=\"a ___.txt\"; filename*=UTF-8''a%20%22%E7%8C%AB%22.txt"
        );
        assert_eq!(disposition(true, ""), "inline");
    }
}
