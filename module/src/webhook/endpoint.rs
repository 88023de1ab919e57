//! Where a webhook is.

use std::fmt;
use std::str::FromStr;

use ureq::http::Uri;

/// The address of a webhook: an absolute URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Uri);

/// Text that is no address of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook is an absolute URL: https://example.com/hooks")]
pub struct NoEndpoint;

impl Endpoint {
    /// The URL.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.0
    }
}

impl FromStr for Endpoint {
    type Err = NoEndpoint;

    fn from_str(text: &str) -> Result<Self, NoEndpoint> {
        let uri: Uri = text.parse().map_err(|_| NoEndpoint)?;
        let spoken = matches!(uri.scheme_str(), Some("http" | "https"));
        let named = uri.host().is_some_and(|host| !host.is_empty());
        if spoken && named {
            Ok(Self(uri))
        } else {
            Err(NoEndpoint)
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_absolute_url_of_http_is_an_address() {
        for good in ["http://127.0.0.1:9000/hook", "https://example.com/a?b=c"] {
            assert_eq!(good.parse::<Endpoint>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "/hook",
            "example.com",
            "ftp://example.com/",
            "http://",
            "http://a b/",
        ] {
            assert_eq!(bad.parse::<Endpoint>(), Err(NoEndpoint), "{bad:?}");
        }
    }
}
