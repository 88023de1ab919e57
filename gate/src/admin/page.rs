//! The dashboard: one page that needs nothing from elsewhere.

use bytes::Bytes;
use network::codec::http::Response;

const HTML: &str = include_str!("dashboard.html");
const STYLE: &str = include_str!("dashboard.css");
const SCRIPT: &str = include_str!("dashboard.js");

/// The page, put together once.
pub(super) struct Page {
    html: Bytes,
    policy: String,
}

impl Page {
    pub(super) fn new() -> Self {
        // The page is the same for everyone, and holds nothing that came from outside; the nonce
        // says which two elements are meant, and changes with each start.
        let nonce = format!("{:032x}", rand::random::<u128>());
        let html = HTML
            .replace("{style}", STYLE)
            .replace("{script}", SCRIPT)
            .replace("{nonce}", &nonce);
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
             connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        );
        Self {
            html: html.into(),
            policy,
        }
    }

    pub(super) fn response(&self) -> Response {
        Response::html(200, self.html.clone())
            .with_header("content-security-policy", self.policy.clone())
    }
}
