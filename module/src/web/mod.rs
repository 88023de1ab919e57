//! The pages that a browser gets: static, embedded, without external resources.

use gate::Response;

/// What a page may load and whom it may talk to: nobody but this server. Nothing inline, so that
/// text from a message can never run.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// The chat page, by path.
#[must_use]
pub fn chat_pages() -> Vec<(&'static str, Response)> {
    vec![
        (
            "/",
            page("text/html; charset=utf-8", include_bytes!("chat.html")),
        ),
        (
            "/chat.css",
            page("text/css; charset=utf-8", include_bytes!("chat.css")),
        ),
        (
            "/chat.js",
            page("text/javascript; charset=utf-8", include_bytes!("chat.js")),
        ),
    ]
}

fn page(content_type: &'static str, body: &'static [u8]) -> Response {
    Response::new(200)
        .with_body(content_type, body)
        .with_header("content-security-policy", CONTENT_SECURITY_POLICY)
        .with_header("x-content-type-options", "nosniff")
        .with_header("referrer-policy", "no-referrer")
        .with_header("cache-control", "no-cache")
}
