//! The configuration file: any text is taken or refused with its place, and what was taken prints
//! as a file that means the same.
//!
//! The input is a file; what stands behind a form feed are settings from elsewhere, one a line:
//! `log.level=debug`.

use cmd::config::{Config, ConfigError, Setting, Sources};

const FILE: &str = "gatehouse.toml";

/// See above.
pub fn check(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else {
        return;
    };
    let (text, settings) = input.split_once('\x0c').unwrap_or((input, ""));
    let settings: Vec<_> = settings
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(path, value)| Setting::flag("--flag", path, value))
        .collect();
    let of_flags = !settings.is_empty();
    match Config::from_sources(&Sources::of_text(FILE, text, settings)) {
        Ok(config) => {
            let printed = config.to_string();
            let again = Config::from_sources(&Sources::of_text(FILE, &printed, Vec::new()));
            assert_eq!(again.expect("reads back").to_string(), printed);
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            has_place(&error, text, of_flags);
        }
    }
}

fn has_place(error: &ConfigError, text: &str, of_flags: bool) {
    let ConfigError::Refused {
        place,
        message,
        excerpt,
    } = error
    else {
        return;
    };
    assert!(!message.is_empty());
    if of_flags && place == "--flag" {
        return;
    }
    let numbers = place
        .strip_prefix(FILE)
        .and_then(|rest| rest.strip_prefix(':'));
    let (line, column) = numbers
        .and_then(|numbers| numbers.split_once(':'))
        .unwrap_or_else(|| panic!("no place: {place}: {message}"));
    let line: usize = line.parse().expect("a number of a line");
    assert!(
        line >= 1 && line <= text.matches('\n').count() + 1,
        "{place}"
    );
    assert!(
        column.parse::<usize>().is_ok_and(|column| column >= 1),
        "{place}"
    );
    let excerpt = excerpt.as_ref().expect("a place in the file has its line");
    assert_eq!(excerpt.line, line);
    assert!(text.contains(&excerpt.text));
}
