//! The request target (RFC 9112 section 3.2), and the authority in it or in the Host field.

use super::request::split_target;
use crate::codec::ProtocolError;

/// A target brought into the form that routes compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// Origin-form or `*` as it came, absolute-form from the path on.
    pub(super) target: &'a str,
    /// The authority of absolute-form, which counts in place of the Host field (section 3.2.2).
    pub(super) authority: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// Reads a target, which has no whitespace and no control character in it.
    ///
    /// A fragment, a byte outside ASCII and a `%` in the path that encodes nothing are refused:
    /// none of them is in the grammar, and whoever forwards such a request may have mended it.
    /// Queries are left to those who read them, for browsers send a lone `%` there.
    ///
    /// # Errors
    /// `BadTarget`; `NoTunnel` for CONNECT, whose target names another server.
    pub(super) fn parse(method: &str, target: &'a str) -> Result<Self, ProtocolError> {
        if method == "CONNECT" {
            return Err(ProtocolError::NoTunnel);
        }
        let in_target = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if !target.bytes().all(in_target) {
            return Err(ProtocolError::BadTarget);
        }
        let reduced = if target.starts_with('/') {
            Some(Self::of(target))
        } else if target == "*" {
            // Section 3.2.4: the server as a whole, about which there is nothing else to ask.
            (method == "OPTIONS").then_some(Self::of(target))
        } else {
            Self::from_absolute(method, target)
        };
        reduced
            .filter(|reduced| is_encoded(reduced.path()))
            .ok_or(ProtocolError::BadTarget)
    }

    const fn of(target: &'a str) -> Self {
        Self {
            target,
            authority: None,
        }
    }

    fn from_absolute(method: &str, target: &'a str) -> Option<Self> {
        let (scheme, rest) = target.split_once("://")?;
        let is = |name| scheme.eq_ignore_ascii_case(name);
        if !is("http") && !is("https") {
            return None;
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // RFC 9110 section 4.2.1: without a host it is no http URI.
        if authority.is_empty() || authority.starts_with(':') || !is_authority(authority.as_bytes())
        {
            return None;
        }
        let target = match path {
            "" if method == "OPTIONS" => "*",
            "" => "/",
            path => path,
        };
        Some(Self {
            target,
            authority: Some(authority),
        })
    }

    fn path(&self) -> &'a str {
        split_target(self.target).0
    }
}

/// Whether each `%` stands in front of two hexadecimal digits (RFC 3986 section 2.1), and none of
/// them encodes NUL, at which a path would end for a C library.
fn is_encoded(path: &str) -> bool {
    let path = path.as_bytes();
    path.iter().enumerate().all(|(at, &byte)| {
        let digits = || path.get(at + 1..at + 3).unwrap_or_default();
        byte != b'%'
            || (digits().len() == 2
                && digits().iter().all(u8::is_ascii_hexdigit)
                && digits() != b"00")
    })
}

/// Whether the bytes are `host [ ":" port ]` (RFC 9110 section 7.2); the host may be empty.
///
/// User information is refused (RFC 9110 section 4.2.4), and so is the comma that RFC 3986 allows
/// in names: it is what two Host fields look like that somebody has joined.
pub(super) fn is_authority(bytes: &[u8]) -> bool {
    let (host_is_good, rest) = if let Some(literal) = bytes.strip_prefix(b"[") {
        let end = memchr::memchr(b']', literal).unwrap_or(literal.len());
        let (host, rest) = literal.split_at(end);
        let in_literal = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
        let good = !host.is_empty() && host.iter().all(in_literal) && rest.starts_with(b"]");
        (good, rest.get(1..).unwrap_or_default())
    } else {
        let end = memchr::memchr(b':', bytes).unwrap_or(bytes.len());
        let (host, rest) = bytes.split_at(end);
        let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%".contains(byte);
        (host.iter().all(in_name), rest)
    };
    let port_is_good = match rest {
        [] => true,
        [b':', port @ ..] => port.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    host_is_good && port_is_good
}
