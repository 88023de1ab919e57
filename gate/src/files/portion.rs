//! How much of a file answers a request for it (RFC 9110 sections 13 and 14).

use std::ops::Range;
use std::time::SystemTime;

use network::codec::http::Headers;

use super::conditions::{Validators, Verdict};
use super::range::{Selection, select};

/// What answers a GET or HEAD of a file, by the conditions and the range that the client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Portion {
    /// All of it: 200.
    Whole,
    /// These bytes of it, at least one: 206.
    Part(Range<u64>),
    /// Nothing, for the client has it: 304.
    Unchanged,
    /// Nothing, for it is not the one that the client wants: 412.
    Failed,
    /// Nothing, for it is not that long: 416.
    Nothing,
}

impl Portion {
    /// Of a file of so many bytes that has this entity tag, quotes included.
    #[must_use]
    pub fn of(method: &str, headers: Headers<'_>, etag: &str, bytes: u64) -> Self {
        Self::of_dated(method, headers, etag, None, bytes)
    }

    /// The same of one whose date of change, in whole seconds, may be known.
    pub(super) fn of_dated(
        method: &str,
        headers: Headers<'_>,
        etag: &str,
        modified: Option<SystemTime>,
        bytes: u64,
    ) -> Self {
        let validators = Validators { etag, modified };
        match validators.judge(headers) {
            Verdict::Unchanged => return Self::Unchanged,
            Verdict::Failed => return Self::Failed,
            Verdict::Proceed => {}
        }
        // Ranges are defined for GET alone (section 14.2).
        let range = match method {
            "GET" if headers.count("range") == 1 => headers.get("range"),
            _ => None,
        };
        match range {
            Some(range) if validators.allow_range(headers) => match select(range, bytes) {
                Selection::Whole => Self::Whole,
                Selection::Part(range) => Self::Part(range),
                Selection::Nothing => Self::Nothing,
            },
            _ => Self::Whole,
        }
    }
}
