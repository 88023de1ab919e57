//! Files that are served from memory: a folder read at start, or pages built into the program.

mod conditions;
mod load;
mod portion;
mod range;
mod site;

use std::borrow::Cow;
use std::time::SystemTime;

use bytes::Bytes;

pub use load::FilesError;
pub use portion::Portion;
pub(crate) use site::{Entry, File, Site, redirect};

/// Files to be served below a path, see [`crate::Listener::files`].
///
/// All of them are in memory, so that no request waits for a disk and none can reach a file that
/// was not there at start. Their bodies are shared between all answers.
#[derive(Clone, Debug, Default)]
pub struct Files {
    sources: Vec<Source>,
    headers: Vec<(&'static str, Cow<'static, str>)>,
}

/// One file as it was found.
#[derive(Clone, Debug)]
struct Source {
    /// Names joined by slashes, none in front.
    path: String,
    content_type: Cow<'static, str>,
    body: Bytes,
    modified: Option<SystemTime>,
}

impl Files {
    /// No files yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file at `path`, which has no slash in front and is not encoded: `img/logo.svg`.
    /// What is called `index.html` also answers for its folder. What it is follows from its name.
    #[must_use]
    pub fn with_file(mut self, path: &str, body: impl Into<Bytes>) -> Self {
        self.sources.push(Source {
            path: path.to_owned(),
            content_type: content_type(path),
            body: body.into(),
            modified: None,
        });
        self
    }

    /// Adds a header field to the answers of all files. Without a `cache-control` of their own,
    /// clients are asked to check each time whether a file has changed (`no-cache`).
    ///
    /// # Panics
    /// If the name is one that [`crate::Response::with_header`] refuses.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Number of files.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }
}

/// What a file of this name holds. Text is taken to be UTF-8, which HTML of itself would not be.
fn content_type(path: &str) -> Cow<'static, str> {
    match mime_guess::from_path(path).first_raw() {
        Some(text) if text.starts_with("text/") => format!("{text}; charset=utf-8").into(),
        Some(other) => other.into(),
        None => "application/octet-stream".into(),
    }
}
