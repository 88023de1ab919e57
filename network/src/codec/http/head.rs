//! The head of a request: request line and header fields (RFC 9112 sections 3 and 5).

use std::mem::MaybeUninit;

use common::limits;

use super::body::Body;
use super::request::Headers;
use super::stream::BodyStream;
use super::target::{Target, is_authority};
use super::{HttpConfig, is_token};
use crate::codec::ProtocolError;

/// A head that has been checked, and what it says about the body behind it.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) host: Option<&'a str>,
    pub(super) minor_version: u8,
    pub(super) keep_alive: bool,
    pub(super) headers: Headers<'a>,
    /// The body, of which nothing has been looked at.
    pub(super) body: Announced,
}

/// What a head says of the length of its body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Length {
    /// So many bytes.
    Sized(u64),
    /// The last chunk tells.
    Chunked,
}

/// The body that a head announces.
#[derive(Debug)]
pub(super) enum Announced {
    /// Handed up with its head, once it is whole.
    Whole(Body),
    /// Handed up behind its head, in pieces.
    InPieces(BodyStream),
}

impl<'a> Head<'a> {
    /// Finds the end of the head at the front of `input`, of which the first `searched` bytes have
    /// been looked at before.
    ///
    /// # Errors
    /// `BadHead`, `HeadTooLarge`, and `TargetTooLong` if not even the request line has an end.
    pub(super) fn find_end(
        config: &HttpConfig,
        input: &[u8],
        searched: usize,
    ) -> Result<Option<usize>, ProtocolError> {
        find_empty_line(input, searched, config.head_bytes_max).map_err(|error| {
            let window = &input[..input.len().min(config.head_bytes_max)];
            if memchr::memchr(b'\n', window).is_none() {
                return ProtocolError::TargetTooLong;
            }
            error
        })
    }

    /// Parses a complete head, its empty line included.
    ///
    /// # Errors
    /// All that is wrong with a head, and `BodyTooLarge` for what it announces.
    pub(super) fn parse(config: &HttpConfig, head: &'a [u8]) -> Result<Self, ProtocolError> {
        let mut table = [const { MaybeUninit::uninit() }; limits::HEADERS_MAX];
        let table = &mut table[..config.headers_max.min(limits::HEADERS_MAX)];
        let mut parsed = httparse::Request::new(&mut []);
        let status = parsed
            .parse_with_uninit_headers(head, table)
            .map_err(|error| refused(error, head))?;
        let (Some(method), Some(target), Some(minor_version)) =
            (parsed.method, parsed.path, parsed.version)
        else {
            return Err(ProtocolError::BadHead);
        };
        if status != httparse::Status::Complete(head.len()) {
            return Err(ProtocolError::BadHead);
        }
        if target.len() > config.target_bytes_max {
            return Err(ProtocolError::TargetTooLong);
        }

        let fields = Fields::gather(parsed.headers)?;
        let host = fields.host(minor_version)?;
        let Target { target, authority } = Target::parse(method, target)?;
        let body = fields.body(config, method, target, minor_version)?;
        fields.check_expectation(minor_version)?;
        Ok(Self {
            method,
            target,
            host: authority.or(host),
            minor_version,
            keep_alive: fields.keep_alive(minor_version),
            headers: Headers::from_checked(field_lines(head)),
            body,
        })
    }
}

/// Finds the empty line that ends a section of field lines; gives the bytes up to and with it.
///
/// A line feed without its carriage return is refused. RFC 9112 section 2.2 would let it pass, and
/// thereby lets a proxy and a server disagree about where a request ends.
///
/// # Errors
/// `BadHead`, and `HeadTooLarge` if the first `bytes_max` bytes hold no empty line.
pub(super) fn find_empty_line(
    input: &[u8],
    searched: usize,
    bytes_max: usize,
) -> Result<Option<usize>, ProtocolError> {
    let window = &input[..input.len().min(bytes_max)];
    let searched = searched.min(window.len());
    for at in memchr::memchr_iter(b'\n', &window[searched..]) {
        let at = searched + at;
        match window[..at] {
            [b'\r'] | [.., b'\n', b'\r'] => return Ok(Some(at + 1)),
            [.., b'\r'] => {}
            _ => return Err(ProtocolError::BadHead),
        }
    }
    if window.len() == bytes_max {
        Err(ProtocolError::HeadTooLarge)
    } else {
        Ok(None)
    }
}

/// The fields that decide how a request is framed, and what follows it.
#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a [u8]>,
    content_length: Option<&'a [u8]>,
    transfer_encoding: Option<&'a [u8]>,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    expects_more: bool,
}

impl<'a> Fields<'a> {
    /// A field that may come once and comes twice is an error even if both say the same, for
    /// whoever read the request before us may have taken the other one.
    fn gather(headers: &[httparse::Header<'a>]) -> Result<Self, ProtocolError> {
        let mut fields = Self::default();
        for header in headers {
            let value = header.value.trim_ascii();
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            let has = |token| list(value).any(|part| part.eq_ignore_ascii_case(token));
            if is("host") {
                if fields.host.replace(value).is_some() {
                    return Err(ProtocolError::BadHost);
                }
            } else if is("content-length") {
                if fields.content_length.replace(value).is_some() {
                    return Err(ProtocolError::BadContentLength);
                }
            } else if is("transfer-encoding") {
                if fields.transfer_encoding.replace(value).is_some() {
                    return Err(ProtocolError::BadTransferEncoding);
                }
            } else if is("connection") {
                fields.close |= has(b"close");
                fields.keep_alive |= has(b"keep-alive");
            } else if is("expect") {
                for expectation in list(value).filter(|expectation| !expectation.is_empty()) {
                    let known = expectation.eq_ignore_ascii_case(b"100-continue");
                    fields.expects_continue |= known;
                    fields.expects_more |= !known;
                }
            }
        }
        Ok(fields)
    }

    /// RFC 9112 section 3.2.
    fn host(&self, minor_version: u8) -> Result<Option<&'a str>, ProtocolError> {
        match self.host {
            Some(host) if is_authority(host) => std::str::from_utf8(host)
                .map(Some)
                .map_err(|_| ProtocolError::BadHost),
            None if minor_version == 0 => Ok(None),
            _ => Err(ProtocolError::BadHost),
        }
    }

    /// RFC 9110 section 10.1.1. An expectation of an HTTP/1.0 client is ignored.
    fn check_expectation(&self, minor_version: u8) -> Result<(), ProtocolError> {
        if self.expects_more && minor_version == 1 {
            return Err(ProtocolError::BadExpectation);
        }
        Ok(())
    }

    /// RFC 9112 section 9.3.
    fn keep_alive(&self, minor_version: u8) -> bool {
        !self.close && (minor_version == 1 || self.keep_alive)
    }

    /// The body, by the limits of where it goes.
    fn body(
        &self,
        config: &HttpConfig,
        method: &str,
        target: &str,
        minor_version: u8,
    ) -> Result<Announced, ProtocolError> {
        let length = self.length(minor_version)?;
        let held_back = self.expects_continue && minor_version == 1;
        if let Some(streamed) = config.streamed(method, target)
            && let Some(stream) = BodyStream::begin(length, held_back, streamed.body_bytes_max)?
        {
            return Ok(Announced::InPieces(stream));
        }
        Body::begin(length, held_back, config).map(Announced::Whole)
    }

    /// RFC 9112 section 6.3. A request with neither field has no body.
    fn length(&self, minor_version: u8) -> Result<Length, ProtocolError> {
        match (self.transfer_encoding, self.content_length) {
            (Some(_), Some(_)) => Err(ProtocolError::BadContentLength),
            (Some(coding), None) => {
                // Section 6.1: HTTP/1.0 does not know the field, so its framing is in doubt.
                if minor_version == 0 {
                    return Err(ProtocolError::BadTransferEncoding);
                }
                check_codings(coding)?;
                Ok(Length::Chunked)
            }
            (None, Some(length)) => content_length(length).map(Length::Sized),
            (None, None) => Ok(Length::Sized(0)),
        }
    }
}

/// Checks that chunked is the only transfer coding. Without it at the end, and only there, nobody
/// can tell where the body ends (RFC 9112 section 6.3); with another one in front of it, we cannot
/// tell what the body is.
fn check_codings(value: &[u8]) -> Result<(), ProtocolError> {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    if is_chunked(value) {
        return Ok(());
    }
    let chunked = list(value).filter(|coding| is_chunked(coding)).count();
    if chunked == 1 && list(value).all(is_token) && list(value).last().is_some_and(is_chunked) {
        return Err(ProtocolError::UnknownTransferCoding);
    }
    Err(ProtocolError::BadTransferEncoding)
}

/// Reads a Content-Length: digits and nothing else (RFC 9110 section 8.6).
fn content_length(value: &[u8]) -> Result<u64, ProtocolError> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(ProtocolError::BadContentLength);
    }
    value
        .iter()
        .try_fold(0_u64, |length, digit| {
            length.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
        .ok_or(ProtocolError::BodyTooLarge)
}

/// The lines between the request line and the empty line.
fn field_lines(head: &[u8]) -> &[u8] {
    let from = memchr::memchr(b'\n', head).map_or(head.len(), |at| at + 1);
    head[from..].strip_suffix(b"\r\n").unwrap_or_default()
}

/// What the parser's error means to the client.
fn refused(error: httparse::Error, head: &[u8]) -> ProtocolError {
    match error {
        httparse::Error::TooManyHeaders => ProtocolError::HeadTooLarge,
        httparse::Error::Version if names_a_version(head) => ProtocolError::BadVersion,
        _ => ProtocolError::BadHead,
    }
}

/// Whether the request line has three words, the last of them an HTTP version: a request that we
/// do not speak, and not just noise.
fn names_a_version(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    matches!(
        (words.next(), words.next(), words.next(), words.next()),
        (
            Some(_),
            Some(_),
            Some([b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9']),
            None
        )
    )
}

fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}
