//! The files of the repository, and what the manifests among them say.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold what was built or installed, at whatever depth.
const NOT_OURS: [&str; 6] = [
    ".git",
    "target",
    ".venv",
    "node_modules",
    "run",
    "artifacts",
];

/// A text file of the repository.
#[derive(Debug)]
pub(crate) struct File {
    /// From the root on, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A line with its place.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    path: &'a str,
    number: usize,
    pub(crate) text: &'a str,
}

impl Line<'_> {
    pub(crate) fn place(&self) -> String {
        format!("{}:{}: {}", self.path, self.number, self.text.trim())
    }
}

impl File {
    pub(crate) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.text.lines().enumerate().map(|(at, text)| Line {
            path: &self.path,
            number: at + 1,
            text,
        })
    }

    /// The lines that are not comments as a whole.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.lines()
            .filter(|line| !line.text.trim_start().starts_with("//"))
    }
}

fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("this crate is in the workspace").into()
}

/// The text files whose path from the root is `wanted`, in order.
pub(crate) fn files(wanted: impl Fn(&str) -> bool) -> Vec<File> {
    let root = root();
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if NOT_OURS.contains(&&*name) || path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let inner = path.strip_prefix(&root).expect("it is below the root");
            let inner = inner.to_string_lossy().replace('\\', "/");
            // What is no UTF-8 is a picture or a corpus, and no text.
            if wanted(&inner)
                && let Ok(text) = fs::read_to_string(&path)
            {
                files.push(File { path: inner, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The text of one file.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A Cargo.toml, read as far as these tests need it: sections, and the keys in them.
#[derive(Debug)]
pub(crate) struct Manifest {
    text: String,
}

impl Manifest {
    pub(crate) fn read(path: &str) -> Self {
        Self { text: read(path) }
    }

    /// The names in all sections of dependencies.
    pub(crate) fn dependencies(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut inside = false;
        for line in self.text.lines() {
            if let Some(section) = line.strip_prefix('[') {
                let section = section.trim_end_matches(']');
                inside = section.ends_with("dependencies");
                // [dependencies.name] is a section of its own.
                if let Some((_, name)) = section.split_once("dependencies.") {
                    names.insert(name.to_owned());
                }
            } else if inside
                && let Some((name, _)) = line.split_once('=')
                && !line.starts_with([' ', '#', '}', ']'])
            {
                let name = name.trim();
                names.insert(name.split('.').next().unwrap_or(name).to_owned());
            }
        }
        names
    }
}
