//! A response, and how it is written (RFC 9112 section 4).

use std::borrow::Cow;

use bytes::Bytes;

use super::{Request, is_token};

/// The interim response to a client that holds its body back (RFC 9110 section 15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Fields that follow from the body, the connection and the clock; the encoder alone writes them.
const OWN_FIELDS: [&str; 4] = ["connection", "content-length", "date", "transfer-encoding"];

/// A complete response: status, header fields, body.
///
/// It cannot be made to say more than one response: names are literals, and values are kept free of
/// line ends. What follows from the body, the connection and the clock is added when it is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// `100 <= status <= 999`
    status: u16,
    /// Names are tokens and none of [`OWN_FIELDS`]; values hold no control character.
    headers: Vec<(&'static str, Cow<'static, str>)>,
    body: Bytes,
}

impl Response {
    /// A response without header fields and body.
    ///
    /// # Panics
    /// If the status has not three digits.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        assert!(
            100 <= status && status <= 999,
            "an HTTP status has three digits"
        );
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// A response of plain text.
    ///
    /// # Panics
    /// If the status has not three digits.
    #[must_use]
    pub fn text(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(status).with_body("text/plain; charset=utf-8", body)
    }

    /// A response of JSON that has been serialized before.
    ///
    /// # Panics
    /// If the status has not three digits.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(status).with_body("application/json", body)
    }

    /// A response of HTML.
    ///
    /// # Panics
    /// If the status has not three digits.
    #[must_use]
    pub fn html(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(status).with_body("text/html; charset=utf-8", body)
    }

    /// Sets the body and the field that says what it is.
    #[must_use]
    pub fn with_body(
        mut self,
        content_type: impl Into<Cow<'static, str>>,
        body: impl Into<Bytes>,
    ) -> Self {
        self.body = body.into();
        self.with_header("content-type", content_type)
    }

    /// The same response with what `map` makes of its body: the same bytes, kept in another way.
    #[must_use]
    pub fn map_body(mut self, map: impl FnOnce(Bytes) -> Bytes) -> Self {
        self.body = map(self.body);
        self
    }

    /// Adds a header field. Control characters in the value become blanks (RFC 9110 section 5.5),
    /// so that a value from outside cannot begin a field or a response of its own.
    ///
    /// # Panics
    /// If the name is no token, or is `Connection`, `Content-Length`, `Date` or
    /// `Transfer-Encoding`.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        assert!(is_token(name.as_bytes()), "a header name is a token");
        assert!(
            !OWN_FIELDS
                .iter()
                .any(|field| field.eq_ignore_ascii_case(name)),
            "{name} is the encoder's to write"
        );
        let value = value.into();
        let value = if value.contains(|c: char| c.is_ascii_control()) {
            Cow::Owned(value.replace(|c: char| c.is_ascii_control(), " "))
        } else {
            value
        };
        self.headers.push((name, value));
        self
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The header fields, without those that the encoder adds.
    #[must_use]
    pub fn headers(&self) -> &[(&'static str, Cow<'static, str>)] {
        &self.headers
    }

    /// The body, also if it is one that will not be sent.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The bytes to be sent behind the head, shared and not copied: the body, or nothing in answer
    /// to HEAD and for a status that has none (RFC 9112 section 6.3).
    #[must_use]
    pub fn sent_body(&self, context: ResponseContext) -> Bytes {
        if self.sends_body(context) {
            self.body.clone()
        } else {
            Bytes::new()
        }
    }

    /// Whether a body is sent behind the head in answer to this.
    pub(crate) const fn sends_body(&self, context: ResponseContext) -> bool {
        !context.head_only && self.may_have_body()
    }

    const fn may_have_body(&self) -> bool {
        !matches!(self.status, 100..=199 | 204 | 304)
    }
}

/// What a connection must remember of a request until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseContext {
    /// Whether the connection stays open after the response.
    pub keep_alive: bool,
    /// Whether the request was HEAD, to which the body is left out.
    pub head_only: bool,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor_version: u8,
}

impl ResponseContext {
    /// For the answer to what was no request, after which the connection closes.
    pub const CLOSING: Self = Self {
        keep_alive: false,
        head_only: false,
        minor_version: 1,
    };

    /// For the answer to what is no request, or never will be a whole one, and begins with `front`.
    /// Even then a client that said HEAD expects no body.
    #[must_use]
    pub fn refusing(front: &[u8]) -> Self {
        Self {
            head_only: front.starts_with(b"HEAD "),
            ..Self::CLOSING
        }
    }

    /// For the answer to this request.
    #[must_use]
    pub fn of(request: &Request<'_>) -> Self {
        Self {
            keep_alive: request.keep_alive,
            head_only: request.method == "HEAD",
            minor_version: request.minor_version,
        }
    }
}

/// Appends the head of a response to `out`, empty line included. The body that belongs behind it is
/// [`Response::sent_body`].
///
/// `date` is the time of day as RFC 9110 section 5.6.7 writes it: encoders have no clock.
pub fn encode_response_head(
    response: &Response,
    context: ResponseContext,
    date: &str,
    out: &mut Vec<u8>,
) {
    encode_head_of(response, response.body.len() as u64, context, date, out);
}

/// The same for a response whose body of so many bytes goes out behind it in pieces, and is none of
/// its own.
pub fn encode_head_of(
    response: &Response,
    body_bytes: u64,
    context: ResponseContext,
    date: &str,
    out: &mut Vec<u8>,
) {
    // Always our own version, also to an HTTP/1.0 client (RFC 9110 section 6.2).
    out.extend_from_slice(b"HTTP/1.1 ");
    push_decimal(u64::from(response.status), out);
    out.push(b' ');
    out.extend_from_slice(reason_phrase(response.status).as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in &response.headers {
        push_field(name, value, out);
    }
    // An interim response need not have it (RFC 9110 section 6.6.1).
    if response.status >= 200 {
        push_field("date", date, out);
    }
    push_connection(response, context, out);
    if response.may_have_body() {
        out.extend_from_slice(b"content-length: ");
        push_decimal(body_bytes, out);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Says what becomes of the connection where the version does not say it (RFC 9112 section 9.3),
/// and names `Upgrade` where that field is (RFC 9110 section 7.8).
fn push_connection(response: &Response, context: ResponseContext, out: &mut Vec<u8>) {
    let upgrade = response
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
    let persistence = match (context.keep_alive, context.minor_version) {
        // An interim response, or one that ends HTTP on this connection.
        _ if response.status < 200 => None,
        (false, _) => Some("close"),
        (true, 0) => Some("keep-alive"),
        (true, _) => None,
    };
    match (upgrade, persistence) {
        (true, Some("close")) => push_field("connection", "upgrade, close", out),
        (true, Some(_)) => push_field("connection", "upgrade, keep-alive", out),
        (true, None) => push_field("connection", "upgrade", out),
        (false, Some(option)) => push_field("connection", option, out),
        (false, None) => {}
    }
}

fn push_field(name: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn push_decimal(mut number: u64, out: &mut Vec<u8>) {
    // The 20 digits of the largest 64-bit number.
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The reason phrase of a status (RFC 9110 section 15, RFC 6585); empty for one that has no name
/// here, which the grammar allows.
#[must_use]
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        425 => "Too Early",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}
