//! A parsed request: slices of the head, and the body.

use std::fmt;

use crate::codec::Payload;

/// One complete HTTP/1.1 request (RFC 9112 section 3), borrowed from the buffer it came in.
#[derive(Debug)]
pub struct Request<'a> {
    /// Method, upper case as it came.
    pub method: &'a str,
    /// Request target as it came, query included; for absolute-form the part from the path on.
    pub target: &'a str,
    /// Host, and port if there is one, that the request is for: of an absolute-form target, or
    /// else of the Host field (RFC 9112 section 3.2.2). `None` in HTTP/1.0 without that field.
    pub host: Option<&'a str>,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor_version: u8,
    /// Whether the connection stays open after the answer (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// The header fields.
    pub headers: Headers<'a>,
    /// The body, chunks already joined; empty if there is none.
    pub body: Payload<'a>,
}

impl<'a> Request<'a> {
    /// The target up to the query. An empty path, which absolute-form allows, is `/` (RFC 9110
    /// section 4.2.3).
    #[must_use]
    pub fn path(&self) -> &'a str {
        let (path, _) = split_target(self.target);
        if path.is_empty() { "/" } else { path }
    }

    /// The target behind the `?`, not decoded; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &'a str {
        split_target(self.target).1
    }
}

/// Path and query of a target.
#[inline]
pub(super) fn split_target(target: &str) -> (&str, &str) {
    // Most are so short that a search in vectors has hardly begun before this ends.
    match target.bytes().position(|byte| byte == b'?') {
        Some(at) => (&target[..at], &target[at + 1..]),
        None => (target, ""),
    }
}

/// The header fields of a head that has been checked: CRLF-ended lines `name: value`, without the
/// empty line at the end. Lookups scan the lines, which for the few fields of a request is quicker
/// than to build a table, and needs no memory.
#[derive(Clone, Copy, Default)]
pub struct Headers<'a>(&'a [u8]);

impl<'a> Headers<'a> {
    /// Wraps lines that a head parser has accepted.
    #[must_use]
    pub const fn from_checked(lines: &'a [u8]) -> Self {
        Self(lines)
    }

    /// The lines as they came.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Every field in order: name as it came, value without blanks around it.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        self.lines().filter_map(|line| {
            // Names are short: this finds the colon before a search in vectors has begun.
            let colon = line.iter().position(|&byte| byte == b':')?;
            let name = std::str::from_utf8(&line[..colon]).ok()?;
            Some((name, line[colon + 1..].trim_ascii()))
        })
    }

    /// The lines one by one, with their ends.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (line, after) = rest.split_at(end);
            rest = after;
            (!line.is_empty()).then_some(line)
        })
    }

    /// The values of all fields of this name, letter case aside.
    fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.lines().filter_map(move |line| value_of(line, name))
    }

    /// The value of the first field of this name, letter case aside, if it is UTF-8.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let value = self.values(name).next()?;
        std::str::from_utf8(value).ok()
    }

    /// How many fields have this name, letter case aside.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.values(name).count()
    }

    /// Whether any field of this name holds `token` in its comma-separated list, letter case aside
    /// (RFC 9110 section 5.6.1).
    #[must_use]
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.values(name).any(|value| {
            value
                .split(|&byte| byte == b',')
                .any(|part| is_same(part.trim_ascii(), token))
        })
    }
}

/// The value in a line, without blanks around it, if its field has this name, letter case aside.
#[inline]
pub(crate) fn value_of<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (front, rest) = line.split_at_checked(name.len())?;
    // First what nearly every other field does not have there.
    let value = rest.strip_prefix(b":")?;
    is_same(front, name).then(|| value.trim_ascii())
}

/// Whether both are the same, letter case aside; soonest if they are the same with it.
#[inline]
pub(crate) fn is_same(bytes: &[u8], word: &str) -> bool {
    bytes == word.as_bytes() || bytes.eq_ignore_ascii_case(word.as_bytes())
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(name, value)| (name, value.escape_ascii().to_string())),
            )
            .finish()
    }
}
