//! The pages that a browser gets: static, embedded, without external resources.

use gate::Files;

/// What a page may load and whom it may talk to: nobody but this server. Nothing inline, so that
/// text from a message can never run.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// The chat page, to be served at `/`.
#[must_use]
pub fn chat_files() -> Files {
    Files::new()
        .with_file("index.html", &include_bytes!("chat.html")[..])
        .with_file("chat.css", &include_bytes!("chat.css")[..])
        .with_file("chat.js", &include_bytes!("chat.js")[..])
        .with_header("content-security-policy", CONTENT_SECURITY_POLICY)
        .with_header("referrer-policy", "no-referrer")
}
