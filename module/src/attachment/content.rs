//! What a file is, by its bytes, and how it may be shown.

/// Bytes at the front of a file that say what it is.
pub(super) const FRONT_BYTES: usize = 8 * 1024;

/// Of a file of which nothing is known.
const UNKNOWN: &str = "application/octet-stream";
/// Of text that is nothing else.
const TEXT: &str = "text/plain";

/// What a browser may show in place: it runs nothing that is in them. Everything else is offered
/// as a file to be kept, and of no type that a browser could take for a page.
const SHOWN: [&str; 17] = [
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/heif",
    "image/bmp",
    "audio/mpeg",
    "audio/m4a",
    "audio/ogg",
    "audio/opus",
    "audio/x-wav",
    "audio/aac",
    "audio/amr",
    "video/mp4",
    "video/webm",
    "video/quicktime",
];

/// The media type of a file that begins like this.
pub(super) fn media_type(front: &[u8]) -> &'static str {
    match infer::get(front) {
        Some(kind) => kind.mime_type(),
        None if is_text(front) => TEXT,
        None => UNKNOWN,
    }
}

/// Whether all that is there is text; a character may be cut off at its end.
fn is_text(front: &[u8]) -> bool {
    let text = match std::str::from_utf8(front) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            let whole = &front[..error.valid_up_to()];
            std::str::from_utf8(whole).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let strange = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}');
    !text.is_empty() && !text.contains(strange)
}

/// The type under which a file is sent, and whether it may be shown in place.
pub(super) fn served(media_type: &str) -> (&'static str, bool) {
    if let Some(shown) = SHOWN.iter().find(|shown| **shown == media_type) {
        return (shown, true);
    }
    match media_type {
        "application/pdf" => ("application/pdf", false),
        TEXT => ("text/plain; charset=utf-8", false),
        _ => (UNKNOWN, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_what_a_file_is_and_nothing_else_does() {
        for (front, known) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], "image/png"),
            (b"\xff\xd8\xff\xe0<script>alert(1)</script>", "image/jpeg"),
            (b"GIF89a", "image/gif"),
            (b"<!DOCTYPE html><script>", "text/html"),
            (b"plain \xe4\xbd\xa0\xe5", TEXT),
            (b"\x00\x01\x02", UNKNOWN),
            (b"\xff\xfe\xfd", UNKNOWN),
        ] {
            assert_eq!(media_type(front), known, "{}", front.escape_ascii());
        }
    }

    #[test]
    fn nothing_that_could_run_is_served_as_what_it_is() {
        for active in [
            "text/html",
            "image/svg+xml",
            "text/xml",
            "application/xhtml+xml",
        ] {
            assert_eq!(served(active), (UNKNOWN, false), "{active}");
        }
        assert_eq!(served("image/png"), ("image/png", true));
        assert_eq!(served("application/pdf"), ("application/pdf", false));
    }
}
