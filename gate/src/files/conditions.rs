//! Whether a request is to be carried out, given what the client knows already (RFC 9110 section
//! 13).

use std::time::SystemTime;

use network::codec::http::Headers;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validators<'a> {
    /// A strong entity tag, with its quotes.
    pub(super) etag: &'a str,
    /// In whole seconds.
    pub(super) modified: Option<SystemTime>,
}

/// What follows from the conditions of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Answer it.
    Proceed,
    /// The client has what it would get: 304.
    Unchanged,
    /// It does not want what it would get: 412.
    Failed,
}

impl Validators<'_> {
    /// Looks at the conditions of a GET or HEAD in the order of section 13.2.2.
    pub(super) fn judge(self, headers: Headers<'_>) -> Verdict {
        if headers.count("if-match") > 0 {
            if !self.is_listed(headers, "if-match", |tag, etag| tag.is_strongly(etag)) {
                return Verdict::Failed;
            }
        } else if self.is_newer_than(headers, "if-unmodified-since") == Some(true) {
            return Verdict::Failed;
        }
        let unchanged = if headers.count("if-none-match") > 0 {
            self.is_listed(headers, "if-none-match", |tag, etag| tag.is_weakly(etag))
        } else {
            self.is_newer_than(headers, "if-modified-since") == Some(false)
        };
        match unchanged {
            true => Verdict::Unchanged,
            false => Verdict::Proceed,
        }
    }

    /// Whether a `Range` holds: the file is still the one that the client has a part of (section
    /// 13.1.5), or it does not ask.
    pub(super) fn allow_range(self, headers: Headers<'_>) -> bool {
        if headers.count("if-range") == 0 {
            return true;
        }
        let Some(value) = headers.get("if-range") else {
            return false;
        };
        match Tag::parse(value) {
            Some((tag, "")) => tag.is_strongly(self.etag),
            _ => self.modified.is_some() && httpdate::parse_http_date(value).ok() == self.modified,
        }
    }

    fn is_listed(self, headers: Headers<'_>, name: &str, is: fn(Tag<'_>, &str) -> bool) -> bool {
        headers
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
            .any(|value| value == "*" || Tag::list(value).any(|tag| is(tag, self.etag)))
    }

    /// Whether the file is newer than the date in this field; `None` without a date that can be
    /// read, or where either is not known.
    fn is_newer_than(self, headers: Headers<'_>, name: &str) -> Option<bool> {
        let date = httpdate::parse_http_date(headers.get(name)?).ok()?;
        Some(self.modified? > date)
    }
}

/// An entity tag as a client sends it back (RFC 9110 section 8.8.3).
#[derive(Clone, Copy, Debug)]
struct Tag<'a> {
    weak: bool,
    /// With its quotes.
    opaque: &'a str,
}

impl<'a> Tag<'a> {
    /// The tag at the front of `text`, and what follows it.
    fn parse(text: &'a str) -> Option<(Self, &'a str)> {
        let (weak, text) = match text.strip_prefix("W/") {
            Some(text) => (true, text),
            None => (false, text),
        };
        let end = text.strip_prefix('"')?.find('"')? + 2;
        let (opaque, rest) = text.split_at(end);
        Some((Self { weak, opaque }, rest))
    }

    /// The tags of a list, up to what is none. Tags may have commas in them.
    fn list(mut text: &'a str) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let (tag, rest) = Self::parse(text.trim_start_matches([',', ' ', '\t']))?;
            text = rest;
            Some(tag)
        })
    }

    fn is_weakly(self, etag: &str) -> bool {
        self.opaque == etag
    }

    fn is_strongly(self, etag: &str) -> bool {
        !self.weak && self.opaque == etag
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &str = "Sunday, 06-Nov-94 08:49:38 GMT";

    fn validators() -> Validators<'static> {
        // The date that RFC 9110 section 5.6.7 writes in three ways.
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        Validators {
            etag: "\"a,b\"",
            modified: Some(modified),
        }
    }

    #[track_caller]
    fn assert_judged(lines: &str, verdict: Verdict) {
        let judged = validators().judge(Headers::from_checked(lines.as_bytes()));
        assert_eq!(judged, verdict, "{lines}");
    }

    #[test]
    fn conditions_in_their_order() {
        use Verdict::{Failed, Proceed, Unchanged};
        for (lines, verdict) in [
            ("", Proceed),
            ("If-None-Match: \"a,b\"\r\n", Unchanged),
            ("If-None-Match: W/\"a,b\"\r\n", Unchanged),
            ("If-None-Match: *\r\n", Unchanged),
            ("If-None-Match: \"x\", W/\"y\",\t\"a,b\"\r\n", Unchanged),
            (
                "If-None-Match: \"x\"\r\nIf-None-Match: \"a,b\"\r\n",
                Unchanged,
            ),
            ("If-None-Match: \"a\", \"b\"\r\n", Proceed),
            ("If-None-Match: a,b\r\n", Proceed),
            ("If-None-Match: \"a,b\r\n", Proceed),
            ("If-None-Match:\r\n", Proceed),
            (&format!("If-Modified-Since: {BEFORE}\r\n"), Proceed),
            (&format!("If-Modified-Since: {THEN}\r\n"), Unchanged),
            (&format!("If-Modified-Since: {AFTER}\r\n"), Unchanged),
            ("If-Modified-Since: yesterday\r\n", Proceed),
            // A tag is more exact than a date, and so the date is not looked at.
            (
                &format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {THEN}\r\n"),
                Proceed,
            ),
            ("If-Match: \"a,b\"\r\n", Proceed),
            ("If-Match: *\r\n", Proceed),
            ("If-Match: W/\"a,b\"\r\n", Failed),
            ("If-Match: \"x\"\r\n", Failed),
            (&format!("If-Unmodified-Since: {THEN}\r\n"), Proceed),
            (&format!("If-Unmodified-Since: {BEFORE}\r\n"), Failed),
            (
                &format!("If-Match: \"a,b\"\r\nIf-Unmodified-Since: {BEFORE}\r\n"),
                Proceed,
            ),
            ("If-Match: *\r\nIf-None-Match: *\r\n", Unchanged),
        ] {
            assert_judged(lines, verdict);
        }
    }

    #[test]
    fn a_range_of_another_file_is_not_wanted() {
        for (lines, allowed) in [
            ("", true),
            ("If-Range: \"a,b\"\r\n", true),
            ("If-Range: W/\"a,b\"\r\n", false),
            ("If-Range: \"x\"\r\n", false),
            ("If-Range: \"a,b\", \"x\"\r\n", false),
            (&format!("If-Range: {THEN}\r\n"), true),
            (&format!("If-Range: {AFTER}\r\n"), false),
            (&format!("If-Range: {BEFORE}\r\n"), false),
            ("If-Range: ?\r\n", false),
        ] {
            let headers = Headers::from_checked(lines.as_bytes());
            assert_eq!(validators().allow_range(headers), allowed, "{lines}");
        }
    }
}
