//! The part of a file that a request asks for (RFC 9110 section 14).

use std::ops::Range;

/// What a `Range` field selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// All of it: the field asks for nothing that is understood, or for several parts, which may
    /// be answered with the whole (section 14.2) and by which small answers are made large.
    Whole,
    /// These bytes; neither empty nor beyond the end.
    Part(Range<u64>),
    /// Bytes of which there are none.
    Nothing,
}

/// Reads the value of a `Range` field, for a file of this many bytes.
pub(super) fn select(value: &str, bytes: u64) -> Selection {
    let Some((unit, set)) = value.split_once('=') else {
        return Selection::Whole;
    };
    let Some((first, last)) = set.trim_ascii().split_once('-') else {
        return Selection::Whole;
    };
    if !unit.eq_ignore_ascii_case("bytes") {
        return Selection::Whole;
    }
    match (Position::of(first), Position::of(last)) {
        (Position::At(first), Position::At(last)) if last < first => Selection::Whole,
        (Position::At(first), Position::At(_) | Position::Missing) if first >= bytes => {
            Selection::Nothing
        }
        (Position::At(first), Position::Missing) => Selection::Part(first..bytes),
        (Position::At(first), Position::At(last)) => {
            Selection::Part(first..bytes.min(last.saturating_add(1)))
        }
        // The last so many bytes. Of an empty file there is no part, and it is all of it.
        (Position::Missing, Position::At(0)) => Selection::Nothing,
        (Position::Missing, Position::At(suffix)) if bytes > 0 => {
            Selection::Part(bytes.saturating_sub(suffix)..bytes)
        }
        _ => Selection::Whole,
    }
}

/// One end of a range.
#[derive(Clone, Copy, Debug)]
enum Position {
    Missing,
    At(u64),
    Malformed,
}

impl Position {
    /// Reads digits; a number that is too large to be held is as good as the largest.
    fn of(digits: &str) -> Self {
        match digits {
            "" => Self::Missing,
            _ if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Self::At(digits.parse().unwrap_or(u64::MAX))
            }
            _ => Self::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_selected_of_ten_bytes() {
        for (value, selection) in [
            ("bytes=0-0", Selection::Part(0..1)),
            ("bytes=2-5", Selection::Part(2..6)),
            ("Bytes= 2-5 ", Selection::Part(2..6)),
            ("bytes=5-", Selection::Part(5..10)),
            ("bytes=5-99", Selection::Part(5..10)),
            ("bytes=5-99999999999999999999999999", Selection::Part(5..10)),
            ("bytes=-3", Selection::Part(7..10)),
            ("bytes=-10", Selection::Part(0..10)),
            ("bytes=-99", Selection::Part(0..10)),
            ("bytes=10-", Selection::Nothing),
            ("bytes=10-20", Selection::Nothing),
            ("bytes=99999999999999999999999999-", Selection::Nothing),
            ("bytes=-0", Selection::Nothing),
            ("bytes=0-1,3-4", Selection::Whole),
            ("bytes=5-2", Selection::Whole),
            ("bytes=-", Selection::Whole),
            ("bytes=", Selection::Whole),
            ("bytes=a-b", Selection::Whole),
            ("bytes=1-b", Selection::Whole),
            ("bytes=+1-2", Selection::Whole),
            ("bytes=1--2", Selection::Whole),
            ("bytes", Selection::Whole),
            ("lines=1-2", Selection::Whole),
        ] {
            assert_eq!(select(value, 10), selection, "{value}");
        }
        assert_eq!(select("bytes=0-", 0), Selection::Nothing);
        assert_eq!(select("bytes=-5", 0), Selection::Whole);
    }
}
