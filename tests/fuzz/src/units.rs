//! Inputs of a target in one file: one a line, escaped as in a byte string of Rust, so that a
//! change of a corpus can be read. A line that begins with `#` is a comment.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the files of a kind are: `seeds` or `corpus`.
#[must_use]
pub fn file(kind: &str, target: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind);
    folder.join(format!("{target}.txt"))
}

/// The seeds and the corpus of a target.
///
/// # Errors
/// If a file is there and cannot be read, or holds what is no unit.
pub fn of(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut units = Vec::new();
    for kind in ["seeds", "corpus"] {
        match fs::read_to_string(file(kind, target)) {
            Ok(text) => units.extend(parse(&text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(units)
}

/// The units in the text of a file.
///
/// # Errors
/// `InvalidData` for a line that is no unit.
pub fn parse(text: &str) -> io::Result<Vec<Vec<u8>>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            unescape(line).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, format!("no unit: {line}"))
            })
        })
        .collect()
}

/// The text of a file, the shortest unit first.
#[must_use]
pub fn print(mut units: Vec<Vec<u8>>) -> String {
    units.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    units.dedup();
    units.iter().map(|unit| escape(unit) + "\n").collect()
}

fn escape(unit: &[u8]) -> String {
    let text = unit.escape_ascii().to_string();
    // A comment begins so.
    match text.strip_prefix('#') {
        Some(rest) => format!("\\x23{rest}"),
        None => text,
    }
}

fn unescape(line: &str) -> Option<Vec<u8>> {
    let mut unit = Vec::new();
    let mut rest = line.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            unit.push(byte);
            continue;
        }
        let (&kind, after) = rest.split_first()?;
        rest = after;
        unit.push(match kind {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'\\' | b'\'' | b'"' => kind,
            b'x' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back() {
        let mut units: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        units.push(b"# no comment\\x\"'".to_vec());
        units.push(Vec::new());
        let text = print(units.clone());
        let mut again = parse(&text).expect("units");
        units.sort();
        again.sort();
        assert_eq!(again, units);
    }

    #[test]
    fn what_is_no_unit_is_refused() {
        assert_eq!(parse("# a comment\n\\x41\n").expect("a unit"), [b"A"]);
        for line in ["\\", "\\x", "\\x4", "\\xzz", "\\q"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
