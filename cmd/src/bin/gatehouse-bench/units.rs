//! Numbers as people read them.

use std::time::Duration;

/// `1234567` as `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Nanoseconds with three digits that mean something.
pub(crate) fn nanos(n: u64) -> String {
    let value = n as f64;
    let (value, unit) = match n {
        0..1_000_000 => (value / 1e3, "µs"),
        1_000_000..1_000_000_000 => (value / 1e6, "ms"),
        _ => (value / 1e9, "s"),
    };
    let decimals = if value >= 100.0 {
        0
    } else {
        usize::from(value < 10.0) + 1
    };
    format!("{value:.decimals$} {unit}")
}

/// A duration, as [`nanos`] writes it.
pub(crate) fn duration(duration: Duration) -> String {
    nanos(duration.as_nanos() as u64)
}

/// Bytes, with a binary unit; a sign if they are fewer than none.
pub(crate) fn bytes(n: i64) -> String {
    let sign = if n < 0 { "-" } else { "" };
    let value = n.unsigned_abs() as f64;
    match n.unsigned_abs() {
        0..1024 => format!("{sign}{value} B"),
        1024..1_048_576 => format!("{sign}{:.1} KiB", value / 1024.0),
        1_048_576..1_073_741_824 => format!("{sign}{:.1} MiB", value / 1_048_576.0),
        _ => format!("{sign}{:.2} GiB", value / 1_073_741_824.0),
    }
}

/// `1 message`, `2 messages`, `2 replies`, `2 pushes`.
pub(crate) fn plural(n: u64, noun: &str) -> String {
    let (stem, ending) = match noun.strip_suffix('y') {
        _ if n == 1 => (noun, ""),
        Some(stem) => (stem, "ies"),
        None if noun.ends_with("sh") => (noun, "es"),
        None => (noun, "s"),
    };
    format!("{} {stem}{ending}", count(n))
}

/// `n` per second over `span`.
pub(crate) fn per_second(n: u64, span: Duration) -> f64 {
    if span.is_zero() {
        0.0
    } else {
        n as f64 / span.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(12_345_678), "12,345,678");
        assert_eq!(nanos(900), "0.90 µs");
        assert_eq!(nanos(12_345), "12.3 µs");
        assert_eq!(nanos(123_456_789), "123 ms");
        assert_eq!(nanos(1_500_000_000), "1.50 s");
        assert_eq!(bytes(-2048), "-2.0 KiB");
        assert_eq!(bytes(82), "82 B");
        assert_eq!(plural(1, "message"), "1 message");
        assert_eq!(plural(2000, "message"), "2,000 messages");
        assert_eq!(plural(1, "reply"), "1 reply");
        assert_eq!(plural(12, "reply"), "12 replies");
        assert_eq!(plural(4, "push"), "4 pushes");
    }
}
