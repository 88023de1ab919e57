//! Files by path, and the answers to requests for them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::SystemTime;

use network::codec::http::{Request, Response};
use percent_encoding::percent_decode_str;
use sha1::{Digest, Sha1};

use super::portion::Portion;
use super::{Files, Source};

/// Bytes of a hash that make an entity tag.
const TAG_BYTES: usize = 16;
/// The file that answers for its folder.
const INDEX: &str = "index.html";

/// The files of one prefix, ready to be answered with.
#[derive(Debug)]
pub(crate) struct Site {
    /// Paths without a slash in front; those of folders end in one, and that of all is empty.
    entries: HashMap<String, Entry>,
}

/// What is at a path.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    File(Arc<File>),
    /// A folder without its slash: the links on its page would lead astray.
    Folder,
}

impl Site {
    pub(crate) fn new(files: Files) -> Self {
        let mut entries = HashMap::new();
        for source in files.sources {
            let path = source.path.clone();
            let file = Arc::new(File::new(source, &files.headers));
            if let Some(folder) = path.strip_suffix(INDEX)
                && (folder.is_empty() || folder.ends_with('/'))
            {
                entries.insert(folder.to_owned(), Entry::File(Arc::clone(&file)));
                if let Some(bare) = folder.strip_suffix('/') {
                    entries.insert(bare.to_owned(), Entry::Folder);
                }
            }
            entries.insert(path, Entry::File(file));
        }
        Self { entries }
    }

    /// What is at `path`, which is behind the prefix and as it came.
    ///
    /// # Errors
    /// [`CrookedPath`].
    pub(crate) fn find(&self, path: &str) -> Result<Option<&Entry>, CrookedPath> {
        Ok(self.entries.get(&*decode(path)?))
    }
}

/// A path that is not written as a link to a file would be: with an encoded slash or a segment of
/// dots in it, which mean another file to some than to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CrookedPath;

/// Decodes a path once. No file system ever sees it, so nothing in it leads anywhere else than to
/// the file of this very name.
fn decode(path: &str) -> Result<Cow<'_, str>, CrookedPath> {
    let decoded = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| CrookedPath)?;
    let slashes = |text: &str| text.bytes().filter(|&byte| byte == b'/').count();
    let crooked = |segment: &str| matches!(segment, "." | "..") || segment.contains('\\');
    if slashes(&decoded) != slashes(path) || decoded.split('/').any(crooked) {
        return Err(CrookedPath);
    }
    Ok(decoded)
}

/// A file with its two usual answers.
#[derive(Debug)]
pub(crate) struct File {
    etag: String,
    modified: Option<SystemTime>,
    content_type: Cow<'static, str>,
    /// 200 with all of the body.
    whole: Response,
    /// 304, with the fields that a cache would take from it (RFC 9110 section 15.4.5).
    unchanged: Response,
}

impl File {
    fn new(source: Source, headers: &[(&'static str, Cow<'static, str>)]) -> Self {
        let etag = etag(&source.body);
        let mut unchanged = Response::new(304).with_header("etag", etag.clone());
        if let Some(modified) = source.modified {
            let date = httpdate::fmt_http_date(modified);
            unchanged = unchanged.with_header("last-modified", date);
        }
        let has = |name| headers.iter().any(|(known, _)| *known == name);
        if !has("cache-control") {
            unchanged = unchanged.with_header("cache-control", "no-cache");
        }
        for (name, value) in headers {
            unchanged = unchanged.with_header(name, value.clone());
        }
        let mut whole = Response::new(200)
            .with_body(source.content_type.clone(), source.body)
            .with_header("accept-ranges", "bytes");
        // A browser must not take for a script what was uploaded as a picture.
        if !has("x-content-type-options") {
            whole = whole.with_header("x-content-type-options", "nosniff");
        }
        for (name, value) in unchanged.headers() {
            whole = whole.with_header(name, value.clone());
        }
        Self {
            etag,
            modified: source.modified,
            content_type: source.content_type,
            whole,
            unchanged,
        }
    }

    /// The answer to a GET or HEAD.
    pub(crate) fn answer(&self, request: &Request<'_>) -> Cow<'_, Response> {
        let bytes = self.whole.body().len();
        let headers = request.headers;
        let portion = Portion::of_dated(
            request.method,
            headers,
            &self.etag,
            self.modified,
            bytes as u64,
        );
        match portion {
            Portion::Whole => Cow::Borrowed(&self.whole),
            Portion::Unchanged => Cow::Borrowed(&self.unchanged),
            Portion::Failed => Cow::Owned(Response::text(412, "the file is another one\n")),
            Portion::Part(range) => {
                let last = range.end - 1;
                let place = format!("bytes {}-{last}/{bytes}", range.start);
                // What is a part of something in memory is no longer than that.
                let body = self.whole.body();
                let body = body.slice(range.start as usize..range.end as usize);
                let part = Response::new(206)
                    .with_body(self.content_type.clone(), body)
                    .with_header("content-range", place);
                Cow::Owned(self.adorn(part))
            }
            Portion::Nothing => Cow::Owned(
                Response::text(416, "the file is not that long\n")
                    .with_header("content-range", format!("bytes */{bytes}"))
                    .with_header("accept-ranges", "bytes"),
            ),
        }
    }

    /// Adds the fields of the whole, of which its type is there already.
    fn adorn(&self, part: Response) -> Response {
        self.whole
            .headers()
            .iter()
            .filter(|(name, _)| *name != "content-type")
            .fold(part, |part, (name, value)| {
                part.with_header(name, value.clone())
            })
    }
}

/// A strong entity tag: other bytes have another one.
fn etag(body: &[u8]) -> String {
    let mut tag = String::from("\"");
    for byte in &Sha1::digest(body)[..TAG_BYTES] {
        // Writing to a string does not fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag + "\""
}

/// The way to a folder's page from its name without the slash. `path` has no two slashes in front,
/// with which it would name another server: no entry begins with one.
pub(crate) fn redirect(request: &Request<'_>) -> Response {
    let mut location = format!("{}/", request.path());
    if !request.query().is_empty() {
        location = format!("{location}?{}", request.query());
    }
    Response::new(301).with_header("location", location)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Result<&'static str, CrookedPath> {
        let files = Files::new()
            .with_file("index.html", "")
            .with_file("a b.txt", "")
            .with_file("sub/index.html", "")
            .with_file("sub/\u{e4}.js", "");
        Site::new(files).find(path).map(|entry| match entry {
            Some(Entry::File(_)) => "file",
            Some(Entry::Folder) => "folder",
            None => "nothing",
        })
    }

    #[test]
    fn files_are_found_by_their_names_and_nothing_else() {
        for path in [
            "",
            "index.html",
            "a%20b.txt",
            "%61%20b%2etxt",
            "sub/",
            "sub/index.html",
            "sub/%C3%A4.js",
        ] {
            assert_eq!(found(path), Ok("file"), "{path}");
        }
        assert_eq!(found("sub"), Ok("folder"));
        for path in [
            "/",
            "/index.html",
            "sub//",
            "sub/index.html/",
            "SUB/",
            "a+b.txt",
            "a%2520b.txt",
            "...",
            "index.html.",
            "index.htm",
        ] {
            assert_eq!(found(path), Ok("nothing"), "{path}");
        }
    }

    #[test]
    fn crooked_paths_are_refused() {
        for path in [
            ".",
            "..",
            "../etc/passwd",
            "sub/../index.html",
            "sub/./index.html",
            "%2e%2e/",
            ".%2E/",
            "sub%2findex.html",
            "sub%2Findex.html",
            "..%2f",
            "sub%5cindex.html",
            "..\\",
            "%ff",
            "%c0%ae%c0%ae/",
        ] {
            assert_eq!(found(path), Err(CrookedPath), "{path}");
        }
    }
}
