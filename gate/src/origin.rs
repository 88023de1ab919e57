//! From which pages a browser may open a WebSocket.
//!
//! A browser lets any page connect to any server, and sends that server's cookies along; the only
//! thing that tells the server whose page it is, is the Origin field (RFC 6455 section 10.2).

use std::fmt;
use std::sync::Arc;

use network::codec::ws::handshake::Field;

/// Whose pages may open WebSockets on a listener.
///
/// Clients that are no browsers send no Origin, or whatever they like, so they are none of this
/// rule's business: a request without the field passes. The default is [`Origins::same_host`].
/// Cheap to clone: the list is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins(Rule);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Any,
    SameHostAnd(Arc<[Listed]>),
}

/// A name that has been checked: as it was written, and as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    text: String,
    /// `None` is the origin `null`, of pages that have none.
    origin: Option<Origin>,
}

impl Default for Origins {
    fn default() -> Self {
        Self::same_host()
    }
}

impl Origins {
    /// Pages of every server.
    #[must_use]
    pub const fn any() -> Self {
        Self(Rule::Any)
    }

    /// Pages that this server, as the client calls it, has served.
    #[must_use]
    pub fn same_host() -> Self {
        Self(Rule::SameHostAnd(Arc::default()))
    }

    /// Pages of this server and of these: `https://example.com`, `http://localhost:3000`. The word
    /// `null` stands for pages without an origin, which anybody can make (files, sandboxed frames).
    ///
    /// # Errors
    /// The first text that is no origin.
    pub fn same_host_and<T: AsRef<str>>(
        origins: impl IntoIterator<Item = T>,
    ) -> Result<Self, BadOrigin> {
        let listed = |text: T| {
            let text = text.as_ref();
            let origin = match text {
                "null" => None,
                text => Some(Origin::parse(text).ok_or_else(|| BadOrigin(text.to_owned()))?),
            };
            let text = text.to_owned();
            Ok(Listed { text, origin })
        };
        let listed = origins.into_iter().map(listed).collect::<Result<_, _>>()?;
        Ok(Self(Rule::SameHostAnd(listed)))
    }

    /// Whether pages of every server are allowed.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        matches!(self.0, Rule::Any)
    }

    /// The origins beside the server's own, as they were written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let listed: &[Listed] = match &self.0 {
            Rule::Any => &[],
            Rule::SameHostAnd(listed) => listed,
        };
        listed.iter().map(|listed| listed.text.as_str())
    }

    /// Whether a request for an upgrade passes that has this Origin field. `host` is whom it is
    /// for.
    pub(crate) fn allow(&self, origin: Field<'_>, host: Option<&str>) -> bool {
        let Rule::SameHostAnd(listed) = &self.0 else {
            return true;
        };
        let value = match origin {
            Field::Absent => return true,
            Field::Once(value) => value,
            Field::Repeated => return false,
        };
        let Ok(value) = std::str::from_utf8(value) else {
            return false;
        };
        if value == "null" {
            return listed.iter().any(|listed| listed.origin.is_none());
        }
        let Some(origin) = Origin::parse(value) else {
            return false;
        };
        host.is_some_and(|host| origin.is_of(host))
            || listed
                .iter()
                .any(|listed| listed.origin.as_ref() == Some(&origin))
    }
}

/// Scheme, host and port (RFC 6454 section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    /// `None` where the scheme has no port of its own and none was given.
    port: Option<u16>,
}

impl Origin {
    /// Reads the form of RFC 6454 section 6.2, which ends with the port: a path is no part of it.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if scheme.is_empty() || !scheme.bytes().all(in_scheme) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = split_authority(authority)?;
        let port = port.or_else(|| default_port(&scheme));
        let host = host.to_ascii_lowercase();
        Some(Self { scheme, host, port })
    }

    /// Whether this is the origin of pages at `host`, which has its port only where it is not the
    /// one of the scheme. Which scheme that is, only the page knows: TLS may end before us.
    fn is_of(&self, host: &str) -> bool {
        split_authority(host).is_some_and(|(host, port)| {
            host.eq_ignore_ascii_case(&self.host)
                && port.or_else(|| default_port(&self.scheme)) == self.port
        })
    }
}

/// Splits `host [ ":" port ]`; IPv6 addresses are in brackets.
fn split_authority(authority: &str) -> Option<(&str, Option<u16>)> {
    let in_host = |byte: u8| byte.is_ascii_graphic() && !b"/\\?#@,".contains(&byte);
    let port_at = match authority.rfind(']') {
        Some(end) => end + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(port_at)?;
    if host.is_empty() || !host.bytes().all(in_host) {
        return None;
    }
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok()?)
        }
        _ => return None,
    };
    Some((host, port))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

/// A text that is no origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadOrigin(String);

impl fmt::Display for BadOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        write!(
            f,
            "{text:?} is no origin; write scheme, host and port as in \"https://example.com\" or \
             \"http://localhost:3000\", without a path"
        )
    }
}

impl std::error::Error for BadOrigin {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_allowed(origins: &Origins, origin: &str, host: &str, allowed: bool) {
        let outcome = origins.allow(Field::Once(origin.as_bytes()), Some(host));
        assert_eq!(outcome, allowed, "{origin} at {host}");
    }

    #[test]
    fn the_same_host_is_the_one_that_the_client_calls_it() {
        let same = Origins::same_host();
        for (origin, host) in [
            ("https://example.com", "example.com"),
            ("https://example.com", "example.com:443"),
            ("http://example.com", "example.com"),
            ("http://example.com:80", "EXAMPLE.com"),
            ("HTTPS://Example.COM", "example.com"),
            ("http://localhost:8080", "localhost:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("https://[::1]", "[::1]"),
            ("app://example.com", "example.com"),
        ] {
            assert_allowed(&same, origin, host, true);
        }
        for (origin, host) in [
            ("https://evil.example", "example.com"),
            ("https://example.com.evil.example", "example.com"),
            ("https://evil.example?example.com", "example.com"),
            ("https://example.com@evil.example", "evil.example"),
            ("https://sub.example.com", "example.com"),
            ("https://example.com:8443", "example.com"),
            ("http://localhost:3000", "localhost:8080"),
            ("http://localhost", "localhost:8080"),
            ("https://example.com", "example.com:80"),
            ("null", "example.com"),
            ("null", "null"),
            ("", ""),
            ("example.com", "example.com"),
            ("https://", ""),
            ("https://example.com/", "example.com"),
            ("https://example.com https://evil.example", "example.com"),
            ("https://example.com:port", "example.com"),
            ("https://example.com:99999", "example.com:99999"),
            ("://example.com", "example.com"),
        ] {
            assert_allowed(&same, origin, host, false);
        }
    }

    #[test]
    fn listed_origins_are_allowed_too() {
        let listed =
            Origins::same_host_and(["https://Example.com:443", "http://localhost:3000", "null"])
                .unwrap();
        for origin in [
            "https://example.com",
            "http://localhost:3000",
            "null",
            "http://here:81",
        ] {
            assert_allowed(&listed, origin, "here:81", true);
        }
        for origin in ["http://example.com", "http://localhost", "http://here"] {
            assert_allowed(&listed, origin, "here:81", false);
        }
        assert_allowed(&Origins::any(), "https://evil.example", "here", true);
        for bad in [
            "example.com",
            "https://",
            "https://a/",
            "https://a:b",
            "*",
            "",
        ] {
            let error = Origins::same_host_and([bad]).expect_err(bad);
            assert!(error.to_string().contains("https://example.com"), "{error}");
        }
    }

    #[test]
    fn only_browsers_are_asked() {
        let same = Origins::same_host();
        assert!(same.allow(Field::Absent, Some("a")));
        assert!(same.allow(Field::Absent, None));
        assert!(!same.allow(Field::Repeated, Some("a")));
        assert!(!same.allow(Field::Once(b"http://a\xff"), Some("a")));
        assert!(!same.allow(Field::Once(b"http://a"), None));
    }
}
