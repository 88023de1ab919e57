//! The files in which the kernel tells about itself.

use std::fs;
use std::path::{Path, PathBuf};

/// The directory under which `proc` and `sys` are found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a>(pub(super) &'a Path);

impl Source<'_> {
    pub(super) fn path(self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    pub(super) fn exists(self, file: &str) -> bool {
        self.path(file).exists()
    }

    /// A file as it stands; `None` if it cannot be read, which in a container is nothing unusual.
    pub(super) fn text(self, file: &str) -> Option<String> {
        fs::read_to_string(self.path(file)).ok()
    }

    /// The first number of a file; `None` for `max` and the like too.
    pub(super) fn number(self, file: &str) -> Option<u64> {
        self.text(file)?.split_whitespace().next()?.parse().ok()
    }

    /// The first numbers of a file.
    pub(super) fn numbers<const N: usize>(self, file: &str) -> Option<[u64; N]> {
        let text = self.text(file)?;
        let mut words = text.split_whitespace();
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = words.next()?.parse().ok()?;
        }
        Some(numbers)
    }
}

/// What stands behind `name` at the beginning of a line.
pub(super) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

/// The number behind `name`, without the unit that may follow it.
pub(super) fn count(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.split_whitespace().next()?.parse().ok()
}
