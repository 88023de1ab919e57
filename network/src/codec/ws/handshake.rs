//! The upgrade from HTTP/1.1, both roles (RFC 6455 section 4).
//!
//! No subprotocol is chosen here. Of extensions only permessage-deflate (RFC 7692) is known.

use std::mem::MaybeUninit;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::limits;
use sha1::{Digest, Sha1};

use super::extension::DeflateParams;
use crate::codec::ProtocolError;
use crate::codec::http::{Headers, Request, is_same, value_of};

/// What the server appends to the key before it hashes (section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The one version of the protocol that was ever finished (section 4.1).
const VERSION: &[u8] = b"13";
/// A client's nonce in bytes, and as Base64.
const NONCE_BYTES: usize = 16;
const KEY_BYTES: usize = 24;
/// A SHA-1 hash as Base64.
const ANSWER_BYTES: usize = 28;

/// Whether a request asks for a WebSocket upgrade at all, rightly or not; [`accept`] tells which.
#[must_use]
pub fn is_upgrade(request: &Request<'_>) -> bool {
    UpgradeFields::of(request.headers).asks()
}

/// Checks a client's opening handshake (section 4.2.1). `Host` has been checked with the head.
///
/// # Errors
/// What is wrong with the request, and so which status and fields answer it.
pub fn accept(request: &Request<'_>) -> Result<Accept, HandshakeError> {
    UpgradeFields::of(request.headers).accept(request)
}

/// The header fields of a request that its upgrade depends on, all of them found at one go.
#[derive(Clone, Copy, Debug)]
pub struct UpgradeFields<'a> {
    upgrade: bool,
    connection: bool,
    version: Field<'a>,
    key: Field<'a>,
    deflate: Option<DeflateParams>,
    origin: Field<'a>,
}

impl<'a> UpgradeFields<'a> {
    /// Looks for them.
    #[must_use]
    pub fn of(headers: Headers<'a>) -> Self {
        let mut found = Self {
            upgrade: false,
            connection: false,
            version: Field::Absent,
            key: Field::Absent,
            deflate: None,
            origin: Field::Absent,
        };
        for line in headers.lines() {
            if let Some(value) = value_of(line, "Upgrade") {
                found.upgrade |= has_token(value, "websocket");
            } else if let Some(value) = value_of(line, "Connection") {
                found.connection |= has_token(value, "Upgrade");
            } else if let Some(value) = value_of(line, "Sec-WebSocket-Version") {
                found.version = found.version.and(value);
            } else if let Some(value) = value_of(line, "Sec-WebSocket-Key") {
                found.key = found.key.and(value);
            } else if let Some(value) = value_of(line, "Sec-WebSocket-Extensions") {
                let offer = || DeflateParams::first_offer(value);
                found.deflate = found.deflate.or_else(offer);
            } else if let Some(value) = value_of(line, "Origin") {
                found.origin = found.origin.and(value);
            }
        }
        found
    }

    /// Whether they ask for an upgrade to WebSocket at all, rightly or not.
    #[must_use]
    pub const fn asks(&self) -> bool {
        self.upgrade
    }

    /// The page that asks (section 10.2).
    #[must_use]
    pub const fn origin(&self) -> Field<'a> {
        self.origin
    }

    /// Checks the opening handshake of the request that has these fields.
    ///
    /// # Errors
    /// As [`accept`].
    pub fn accept(&self, request: &Request<'_>) -> Result<Accept, HandshakeError> {
        if request.method != "GET" {
            return Err(HandshakeError::Method);
        }
        if request.minor_version < 1 {
            return Err(HandshakeError::HttpVersion);
        }
        if !self.upgrade {
            return Err(HandshakeError::Upgrade);
        }
        if !self.connection {
            return Err(HandshakeError::Connection);
        }
        if !self.version.is(VERSION) {
            return Err(HandshakeError::Version);
        }
        match self.key {
            Field::Once(key) if is_key(key) => Ok(Accept {
                answer: answer_to(key),
                deflate: self.deflate,
            }),
            _ => Err(HandshakeError::Key),
        }
    }
}

/// An opening handshake that may be accepted, and the answer to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept {
    answer: [u8; ANSWER_BYTES],
    deflate: Option<DeflateParams>,
}

impl Accept {
    /// The first offer of permessage-deflate that may be accepted.
    #[must_use]
    pub const fn deflate(&self) -> Option<DeflateParams> {
        self.deflate
    }

    /// Appends the 101 response (section 4.2.2). `protocol` is the subprotocol chosen among those
    /// that the client offered, a token of RFC 9110; `deflate` answers its offer.
    pub fn write_response(
        &self,
        protocol: Option<&str>,
        deflate: Option<DeflateParams>,
        out: &mut Vec<u8>,
    ) {
        const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
            Upgrade: websocket\r\n\
            Connection: Upgrade\r\n\
            Sec-WebSocket-Accept: ";
        const PROTOCOL: &[u8] = b"\r\nSec-WebSocket-Protocol: ";
        const END: &[u8] = b"\r\n";

        let protocol_bytes = protocol.map_or(0, |name| PROTOCOL.len() + name.len());
        out.reserve(HEAD.len() + ANSWER_BYTES + protocol_bytes + 2 * END.len());
        out.extend_from_slice(HEAD);
        out.extend_from_slice(&self.answer);
        if let Some(name) = protocol {
            out.extend_from_slice(PROTOCOL);
            out.extend_from_slice(name.as_bytes());
        }
        out.extend_from_slice(END);
        if let Some(deflate) = deflate {
            deflate.write_answer(out);
        }
        out.extend_from_slice(END);
    }
}

/// What is wrong with a client's opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// Another method than GET.
    #[error("upgrade by another method than GET")]
    Method,
    /// HTTP/1.0, which knows no upgrade.
    #[error("upgrade needs HTTP/1.1")]
    HttpVersion,
    /// No `Upgrade: websocket`.
    #[error("no upgrade to websocket asked for")]
    Upgrade,
    /// No `Connection: upgrade`.
    #[error("Connection lacks the token upgrade")]
    Connection,
    /// Not exactly one `Sec-WebSocket-Version: 13`.
    #[error("WebSocket version is not 13")]
    Version,
    /// Not exactly one `Sec-WebSocket-Key`, or one that is not 16 bytes of Base64.
    #[error("missing, repeated or malformed Sec-WebSocket-Key")]
    Key,
}

impl HandshakeError {
    /// The HTTP status that answers it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            Self::Version => 426,
            Self::HttpVersion | Self::Upgrade | Self::Connection | Self::Key => 400,
        }
    }

    /// The fields that have to stand in that answer (RFC 6455 section 4.4, RFC 9110 sections
    /// 15.5.6 and 15.5.22).
    #[must_use]
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Method => &[("Allow", "GET")],
            Self::Version => &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")],
            _ => &[],
        }
    }
}

/// The client's side of an upgrade: asks, and checks what the server answers (section 4.1).
#[derive(Clone, Copy, Debug)]
pub struct ClientHandshake {
    nonce: [u8; NONCE_BYTES],
    offer: Option<DeflateParams>,
}

/// A server's acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Bytes of its head. What follows are frames already.
    pub bytes: usize,
    /// Its answer to the offer of permessage-deflate, if it accepts that too.
    pub deflate: Option<DeflateParams>,
}

impl ClientHandshake {
    /// A handshake with this nonce, which must be random and used once.
    #[must_use]
    pub const fn new(nonce: [u8; NONCE_BYTES]) -> Self {
        Self { nonce, offer: None }
    }

    /// Offers permessage-deflate with these parameters.
    #[must_use]
    pub const fn offering(mut self, deflate: DeflateParams) -> Self {
        self.offer = Some(deflate);
        self
    }

    /// Appends the request. `host` is the authority, with the port if it is not the scheme's own;
    /// `target` begins with `/`.
    ///
    /// `extra_headers` are written as they are and may offer neither subprotocols nor extensions,
    /// since [`decode`](Self::decode) refuses an answer that chooses one.
    pub fn write_request(
        &self,
        host: &str,
        target: &str,
        extra_headers: &[(&str, &str)],
        out: &mut Vec<u8>,
    ) {
        for part in ["GET ", target, " HTTP/1.1\r\nHost: ", host] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(
            b"\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: ",
        );
        out.extend_from_slice(&self.key());
        out.extend_from_slice(b"\r\n");
        if let Some(offer) = self.offer {
            offer.write_offer(out);
        }
        for (name, value) in extra_headers {
            for part in [name, ": ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Checks the answer at the front of `input`; `None` while its head is not complete.
    ///
    /// # Errors
    /// `BadHead` and `HeadTooLarge` (more than 16 KiB or 64 fields); `BadUpgradeAnswer` if the
    /// status is not 101, a field is missing or wrong, or the server chose what was not offered.
    pub fn decode(&self, input: &[u8]) -> Result<Option<Answer>, ProtocolError> {
        let head = &input[..input.len().min(limits::HEAD_BYTES_MAX)];
        let mut fields = [const { MaybeUninit::uninit() }; limits::HEADERS_MAX];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            head,
            &mut fields,
        );
        match parsed {
            Ok(httparse::Status::Complete(bytes)) => {
                let deflate = self.check(&response)?;
                Ok(Some(Answer { bytes, deflate }))
            }
            Ok(httparse::Status::Partial) if input.len() < limits::HEAD_BYTES_MAX => Ok(None),
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                Err(ProtocolError::HeadTooLarge)
            }
            Err(_) => Err(ProtocolError::BadHead),
        }
    }

    /// What the server has accepted beside the upgrade.
    fn check(
        &self,
        response: &httparse::Response<'_, '_>,
    ) -> Result<Option<DeflateParams>, ProtocolError> {
        let status = response.code.unwrap_or(0);
        let refused = ProtocolError::BadUpgradeAnswer(status);
        if status != 101 || response.version != Some(1) {
            return Err(refused);
        }

        let (mut upgrade, mut connection, mut answer) = (false, false, Field::Absent);
        for &httparse::Header { name, value } in response.headers.iter() {
            if name.eq_ignore_ascii_case("Upgrade") {
                upgrade |= has_token(value, "websocket");
            } else if name.eq_ignore_ascii_case("Connection") {
                connection |= has_token(value, "upgrade");
            } else if name.eq_ignore_ascii_case("Sec-WebSocket-Accept") {
                answer = answer.and(value.trim_ascii());
            } else if name.eq_ignore_ascii_case("Sec-WebSocket-Protocol") {
                return Err(refused);
            }
        }
        if !upgrade || !connection || !answer.is(&answer_to(&self.key())) {
            return Err(refused);
        }

        let mut extensions = response
            .headers
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case("Sec-WebSocket-Extensions"))
            .map(|field| field.value)
            .peekable();
        match self.offer {
            Some(offer) => offer.check_answer(extensions).map_err(|_| refused),
            None if extensions.peek().is_some() => Err(refused),
            None => Ok(None),
        }
    }

    fn key(&self) -> [u8; KEY_BYTES] {
        encode_base64(&self.nonce)
    }
}

/// A header field that may stand in a head once at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// It is not there.
    Absent,
    /// It is, with this value.
    Once(&'a [u8]),
    /// It is there more than once.
    Repeated,
}

impl<'a> Field<'a> {
    const fn and(self, value: &'a [u8]) -> Self {
        match self {
            Self::Absent => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        }
    }

    fn is(self, expected: &[u8]) -> bool {
        matches!(self, Self::Once(value) if value == expected)
    }
}

/// Whether a comma-separated list holds `token`, letter case aside (RFC 9110 section 5.6.1).
fn has_token(list: &[u8], token: &str) -> bool {
    is_same(list, token)
        || list
            .split(|&byte| byte == b',')
            .any(|part| is_same(part.trim_ascii(), token))
}

/// Whether this is Base64 of a nonce. Nothing depends on what it stands for, nor on the four bits
/// left over in the last character, which keys typed by hand tend to have set.
fn is_key(key: &[u8]) -> bool {
    let in_alphabet =
        |byte: &u8| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/');
    key.len() == KEY_BYTES
        && key
            .strip_suffix(b"==")
            .is_some_and(|characters| characters.iter().all(in_alphabet))
}

/// What a server that understood the handshake answers to its key (section 4.2.2).
fn answer_to(key: &[u8]) -> [u8; ANSWER_BYTES] {
    encode_base64(&Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// Base64 of `bytes`, which must be just so many that it has `N` characters.
fn encode_base64<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut encoded = [0; N];
    let written = STANDARD.encode_slice(bytes, &mut encoded);
    assert_eq!(written, Ok(N), "key and answer have a fixed length");
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Payload;
    use crate::codec::http::Headers;

    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const ANSWER: &[u8; ANSWER_BYTES] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    const NONCE: [u8; 16] = *b"the sample nonce";
    const UPGRADE: &str = "Upgrade: websocket\r\n";
    const CONNECTION: &str = "Connection: Upgrade\r\n";
    const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";

    fn request(lines: &str) -> Request<'_> {
        Request {
            method: "GET",
            target: "/chat",
            host: None,
            minor_version: 1,
            keep_alive: true,
            headers: Headers::from_checked(lines.as_bytes()),
            body: Payload::Borrowed(&mut []),
        }
    }

    #[test]
    fn handshake_of_section_1_3() {
        let lines = "Host: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
            Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n";
        assert!(is_upgrade(&request(lines)));
        let accept = accept(&request(lines)).expect("the RFC's own example");

        let mut out = b"before".to_vec();
        accept.write_response(Some("chat"), None, &mut out);
        assert_eq!(
            out.escape_ascii().to_string(),
            b"beforeHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
            Sec-WebSocket-Protocol: chat\r\n\r\n"
                .escape_ascii()
                .to_string()
        );
    }

    #[test]
    fn a_page_is_told_by_one_field() {
        let origin = |lines: &'static str| UpgradeFields::of(request(lines).headers).origin();
        assert_eq!(origin("Host: a\r\n"), Field::Absent);
        assert_eq!(origin("ORIGIN:  http://a \r\n"), Field::Once(b"http://a"));
        let twice = "Origin: http://a\r\norigin: http://a\r\n";
        assert_eq!(origin(twice), Field::Repeated);
    }

    #[test]
    fn names_and_tokens_are_compared_without_case_and_in_lists() {
        for lines in [
            format!("UPGRADE: h2c, WebSocket\r\nconnection: keep-alive, Upgrade\r\n{VERSION}{KEY}"),
            format!("{VERSION}{KEY}{CONNECTION}Upgrade: h2c\r\nupgrade:websocket\r\n"),
            format!("{UPGRADE}Connection: close\r\n{CONNECTION}{KEY}{VERSION}"),
            format!(
                "{UPGRADE}{CONNECTION}{VERSION}Sec-WebSocket-Key: 1234567890123456789012==\r\n"
            ),
        ] {
            assert!(is_upgrade(&request(&lines)), "{lines}");
            assert!(accept(&request(&lines)).is_ok(), "{lines}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_request() {
        use HandshakeError as E;
        let key =
            |value: &str| format!("{UPGRADE}{CONNECTION}{VERSION}Sec-WebSocket-Key: {value}\r\n");
        let version =
            |value: &str| format!("{UPGRADE}{CONNECTION}{KEY}Sec-WebSocket-Version: {value}\r\n");
        for (lines, error, status) in [
            (String::new(), E::Upgrade, 400),
            (format!("{CONNECTION}{VERSION}{KEY}"), E::Upgrade, 400),
            (
                format!("Upgrade: websockets\r\n{CONNECTION}{VERSION}{KEY}"),
                E::Upgrade,
                400,
            ),
            (format!("{UPGRADE}{VERSION}{KEY}"), E::Connection, 400),
            (
                format!("{UPGRADE}Connection: keep-alive\r\n{VERSION}{KEY}"),
                E::Connection,
                400,
            ),
            (format!("{UPGRADE}{CONNECTION}{KEY}"), E::Version, 426),
            (version("8"), E::Version, 426),
            (version("13, 8"), E::Version, 426),
            (version("13") + VERSION, E::Version, 426),
            (format!("{UPGRADE}{CONNECTION}{VERSION}"), E::Key, 400),
            (key("dGhlIHNhbXBsZSBub25jZQ==") + KEY, E::Key, 400),
            (key(""), E::Key, 400),
            (key("dGhlIHNhbXBsZSBub25j"), E::Key, 400),
            (key("dGhlIHNhbXBsZSBub25jZQ"), E::Key, 400),
            (key("dGhlIHNhbXBsZSBub25jZWU="), E::Key, 400),
            (key("dGhlIHNhbXBsZSBub25jZWVl"), E::Key, 400),
            (key("dGhlIHNhbXBsZSBub25j*Q=="), E::Key, 400),
        ] {
            let refused = accept(&request(&lines)).expect_err(&lines);
            assert_eq!((refused, refused.status()), (error, status), "{lines}");
        }

        let lines = format!("{UPGRADE}{CONNECTION}{VERSION}{KEY}");
        let post = Request {
            method: "POST",
            ..request(&lines)
        };
        assert_eq!(accept(&post), Err(E::Method));
        assert_eq!(
            (E::Method.status(), E::Method.headers()),
            (405, &[("Allow", "GET")][..])
        );
        let old = Request {
            minor_version: 0,
            ..request(&lines)
        };
        assert_eq!(accept(&old), Err(E::HttpVersion));
        assert!(
            E::Version
                .headers()
                .contains(&("Sec-WebSocket-Version", "13"))
        );
        assert!(!is_upgrade(&request("Upgrade: h2c\r\n")));
    }

    #[test]
    fn client_asks_as_the_server_expects() {
        let handshake = ClientHandshake::new(NONCE);
        let mut out = Vec::new();
        handshake.write_request("example.com:8080", "/chat?a=b", &[("X-A", "1")], &mut out);
        let text = String::from_utf8(out).expect("a head is text");
        let (line, lines) = text.split_once("\r\n").expect("a request line");
        assert_eq!(line, "GET /chat?a=b HTTP/1.1");
        let lines = lines
            .strip_suffix("\r\n")
            .expect("an empty line at the end");
        assert!(lines.starts_with("Host: example.com:8080\r\n") && lines.ends_with("X-A: 1\r\n"));

        let accept = accept(&request(lines)).expect("our own request");
        assert_eq!(&accept.answer, ANSWER);
        let mut answer = Vec::new();
        accept.write_response(None, None, &mut answer);
        let head_bytes = answer.len();
        answer.extend_from_slice(b"\x89\x00");
        for cut in 0..=answer.len() {
            let expected = (cut >= head_bytes).then_some(Answer {
                bytes: head_bytes,
                deflate: None,
            });
            assert_eq!(
                handshake.decode(&answer[..cut]),
                Ok(expected),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn what_is_wrong_with_an_answer() {
        use ProtocolError::{BadHead, BadUpgradeAnswer, HeadTooLarge};
        const OK: &str = "HTTP/1.1 101 Switching Protocols\r\n";
        let answer = format!("Sec-WebSocket-Accept: {}\r\n", ANSWER.escape_ascii());
        let good = format!("{OK}{UPGRADE}{CONNECTION}{answer}");
        let handshake = ClientHandshake::new(NONCE);
        let decode = |head: &str| handshake.decode(format!("{head}\r\n").as_bytes());
        let whole = Answer {
            bytes: good.len() + 2,
            deflate: None,
        };
        assert_eq!(decode(&good), Ok(Some(whole)));

        for (head, error) in [
            ("HTTP/1.1 200 OK\r\n".to_owned(), BadUpgradeAnswer(200)),
            (good.replace("101", "403"), BadUpgradeAnswer(403)),
            (good.replace("HTTP/1.1", "HTTP/1.0"), BadUpgradeAnswer(101)),
            (format!("{OK}{CONNECTION}{answer}"), BadUpgradeAnswer(101)),
            (format!("{OK}{UPGRADE}{answer}"), BadUpgradeAnswer(101)),
            (format!("{OK}{UPGRADE}{CONNECTION}"), BadUpgradeAnswer(101)),
            (good.replace("s3p", "s3q"), BadUpgradeAnswer(101)),
            (format!("{good}{answer}"), BadUpgradeAnswer(101)),
            (
                format!("{good}Sec-WebSocket-Protocol: chat\r\n"),
                BadUpgradeAnswer(101),
            ),
            (
                format!("{good}Sec-WebSocket-Extensions: x\r\n"),
                BadUpgradeAnswer(101),
            ),
            ("SSH-2.0-OpenSSH\r\n".to_owned(), BadHead),
            (
                format!("{good}{}", "A: b\r\n".repeat(limits::HEADERS_MAX)),
                HeadTooLarge,
            ),
            (
                format!("{good}A: {}\r\n", "b".repeat(limits::HEAD_BYTES_MAX)),
                HeadTooLarge,
            ),
        ] {
            assert_eq!(decode(&head), Err(error), "{head}");
        }
    }
}
