//! HTTP/1.1 requests in, responses out (RFC 9112).
//!
//! ```text
//!   Head ──empty line──▶ Body ──complete──▶ Frame::Request, and Head again
//!     └───────────────▶ Frame::RequestHead, Frame::RequestBody …, and Head again
//! ```
//!
//! A request is handed up once all of it is in the caller's buffer, and borrows it: the body is a
//! slice, chunks joined in place. Until then the codec only remembers how far it has looked, so
//! that a request which comes byte by byte is neither parsed nor searched again for each byte.
//!
//! Where [`HttpConfig::streamed`] says so, the head is handed up at once and the body behind it in
//! pieces, none of which is kept: such a body can be of any length.
//!
//! Parsing is strict. Whatever two parsers in a row could read differently is refused, since that
//! is what request smuggling lives on (section 11.2).

mod body;
mod head;
mod request;
mod response;
mod stream;
mod target;

#[cfg(test)]
mod tests;

use common::limits;

use body::Body;
use head::{Announced, Head};
use stream::BodyStream;

use super::{Codec, Decoded, Frame, Payload, ProtocolError};

pub use request::{Headers, Request};
pub(crate) use request::{is_same, value_of};
pub use response::{
    CONTINUE, Response, ResponseContext, encode_head_of, encode_response_head, reason_phrase,
};
pub use stream::{BodyPart, StreamedRequests};

/// Empty lines in front of a request that are passed over (RFC 9112 section 2.2 asks for one, which
/// old clients send behind a body).
const BLANK_LINES_MAX: u8 = 4;

/// Takes requests apart, one at a time. It owns no heap but while a body is handed up in pieces;
/// the bytes of an unfinished request stay with the caller. These are at most `head_bytes_max +
/// body_bytes_max` for a body of a known length; what chunks add to their data is limited to
/// `head_bytes_max` and a few KiB more.
#[derive(Debug)]
pub struct HttpCodec {
    state: State,
}

const _: () = assert!(size_of::<HttpCodec>() <= 16);

/// Where the unfinished request at the front of the input stands.
#[derive(Debug)]
enum State {
    /// Before the empty line that ends the head.
    Head {
        /// Bytes at the front that do not hold that line.
        searched: u32,
        /// Empty lines passed over.
        blank_lines: u8,
    },
    /// The head has been accepted, and the body is not complete.
    Body {
        /// Bytes of the head; the body begins behind them.
        head_bytes: u32,
        body: Body,
    },
    /// The head was handed up, and the body is on its way.
    Streaming(Box<BodyStream>),
    /// The answer goes out in pieces, of which so many bytes are not there yet. The next request is
    /// not decoded before.
    Answering(u64),
}

impl State {
    const START: Self = Self::Head {
        searched: 0,
        blank_lines: 0,
    };
}

impl HttpCodec {
    /// A codec at the start of a request.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::START,
        }
    }

    /// Whether the client holds its body back until it has seen [`CONTINUE`] (RFC 9110 section
    /// 10.1.1). To be asked after [`Decoded::Partial`]; says so once a request.
    pub fn take_continue(&mut self) -> bool {
        match &mut self.state {
            State::Head { .. } | State::Answering(_) => false,
            State::Body { body, .. } => body.take_continue(),
            State::Streaming(stream) => stream.take_continue(),
        }
    }

    /// Whether a body is handed up in pieces and has not ended.
    #[must_use]
    pub const fn is_streaming(&self) -> bool {
        matches!(self.state, State::Streaming(_))
    }

    /// Bytes of such a body that have come since this was last asked.
    pub fn take_progress(&mut self) -> u64 {
        match &mut self.state {
            State::Streaming(stream) => stream.take_progress(),
            _ => 0,
        }
    }

    /// The answer goes out in pieces, `bytes` of body in all. Whatever has not come of the request
    /// is given up.
    pub fn begin_answer(&mut self, bytes: u64) {
        self.state = State::Answering(bytes);
    }

    /// Bytes that are missing of an answer in pieces; `None` if none is on its way.
    #[must_use]
    pub const fn answer_left(&self) -> Option<u64> {
        match self.state {
            State::Answering(left) => Some(left),
            _ => None,
        }
    }

    /// So many more bytes of the answer are there; true if it is whole, and the next request may
    /// come.
    pub fn advance_answer(&mut self, bytes: u64) -> bool {
        let State::Answering(left) = &mut self.state else {
            return false;
        };
        *left = left.saturating_sub(bytes);
        let whole = *left == 0;
        if whole {
            self.state = State::START;
        }
        whole
    }

    /// Looks for the end of the head, and then for the end of the body, which is the usual case.
    fn on_head<'a>(
        &mut self,
        config: &HttpConfig,
        input: &'a mut [u8],
        searched: u32,
        blank_lines: u8,
    ) -> Result<Decoded<'a>, ProtocolError> {
        if input.starts_with(b"\r\n") {
            if blank_lines == BLANK_LINES_MAX {
                return Err(ProtocolError::BadHead);
            }
            self.state = State::Head {
                searched: 0,
                blank_lines: blank_lines + 1,
            };
            return Ok(Decoded::Skip(2));
        }
        let Some(head_bytes) = Head::find_end(config, input, searched as usize)? else {
            let searched = to_u32(input.len(), ProtocolError::HeadTooLarge)?;
            self.state = State::Head {
                searched,
                blank_lines,
            };
            return Ok(Decoded::Partial);
        };
        let (head, rest) = input.split_at_mut(head_bytes);
        let head = Head::parse(config, head)?;
        let (request, body) = request(head);
        let mut body = match body {
            Announced::Whole(body) => body,
            Announced::InPieces(mut stream) => {
                if !rest.is_empty() {
                    stream.not_held_back();
                }
                self.state = State::Streaming(Box::new(stream));
                return Ok(Decoded::Frame {
                    consumed: head_bytes,
                    frame: Frame::RequestHead(request),
                });
            }
        };
        match body.find_end(config, rest)? {
            Some(bytes) => Ok(self.finish(request, head_bytes, &body, &mut rest[..bytes])),
            None => {
                let head_bytes = to_u32(head_bytes, ProtocolError::HeadTooLarge)?;
                self.state = State::Body { head_bytes, body };
                Ok(Decoded::Partial)
            }
        }
    }

    /// Looks on for the end of the body. Only behind it the head is parsed again, to lend it out.
    fn on_body<'a>(
        &mut self,
        config: &HttpConfig,
        input: &'a mut [u8],
        head_bytes: u32,
        mut body: Body,
    ) -> Result<Decoded<'a>, ProtocolError> {
        let Some((head, rest)) = input.split_at_mut_checked(head_bytes as usize) else {
            return Ok(Decoded::Partial);
        };
        match body.find_end(config, rest)? {
            Some(bytes) => {
                let (request, _) = request(Head::parse(config, head)?);
                Ok(self.finish(request, head_bytes as usize, &body, &mut rest[..bytes]))
            }
            None => {
                self.state = State::Body { head_bytes, body };
                Ok(Decoded::Partial)
            }
        }
    }

    /// Hands up the next piece of a body.
    fn on_stream<'a>(
        &mut self,
        config: &HttpConfig,
        input: &'a mut [u8],
    ) -> Result<Decoded<'a>, ProtocolError> {
        let State::Streaming(stream) = &mut self.state else {
            return Ok(Decoded::Partial);
        };
        let step = stream.step(config, input)?;
        if step.last {
            self.state = State::START;
        }
        if step.consumed == 0 {
            return Ok(Decoded::Partial);
        }
        if step.data == 0 && !step.last {
            return Ok(Decoded::Skip(step.consumed));
        }
        Ok(Decoded::Frame {
            consumed: step.consumed,
            frame: Frame::RequestBody(BodyPart {
                bytes: &input[..step.data],
                last: step.last,
            }),
        })
    }

    /// Hands a request up and begins the next. `raw_body` is as it came, chunks and all.
    fn finish<'a>(
        &mut self,
        request: Request<'a>,
        head_bytes: usize,
        body: &Body,
        raw_body: &'a mut [u8],
    ) -> Decoded<'a> {
        self.state = State::START;
        Decoded::Frame {
            consumed: head_bytes + raw_body.len(),
            frame: Frame::Request(Request {
                body: Payload::Borrowed(body.join(raw_body)),
                ..request
            }),
        }
    }
}

/// A request without its body, and what the head says of that.
fn request(head: Head<'_>) -> (Request<'_>, Announced) {
    let request = Request {
        method: head.method,
        target: head.target,
        host: head.host,
        minor_version: head.minor_version,
        keep_alive: head.keep_alive,
        headers: head.headers,
        body: Payload::Borrowed(&mut []),
    };
    (request, head.body)
}

impl Default for HttpCodec {
    fn default() -> Self {
        Self::new()
    }
}

impl Codec for HttpCodec {
    type Config = HttpConfig;

    /// Gives one [`Frame::Request`] for each request, or its head and the pieces of its body, and
    /// `Skip` for an empty line before one.
    ///
    /// # Errors
    /// Everything that [`ProtocolError`] lists under HTTP, as soon as the bytes that show it are
    /// there: a body over the limit at its `Content-Length`, not at its last byte. The caller
    /// answers with [`ProtocolError::http_status`] and closes.
    fn decode<'a>(
        &mut self,
        config: &HttpConfig,
        input: &'a mut [u8],
    ) -> Result<Decoded<'a>, ProtocolError> {
        match self.state {
            State::Head {
                searched,
                blank_lines,
            } => self.on_head(config, input, searched, blank_lines),
            State::Body { head_bytes, body } => self.on_body(config, input, head_bytes, body),
            State::Streaming(_) => self.on_stream(config, input),
            State::Answering(_) => Ok(Decoded::Partial),
        }
    }

    /// Only inside of a body that is handed up in pieces: otherwise the bytes of an unfinished
    /// request are all with the caller.
    fn mid_frame(&self) -> bool {
        self.is_streaming()
    }
}

/// Limits of a request, all inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Request line and header fields with the empty line behind them, in bytes; 16 KiB by default.
    pub head_bytes_max: usize,
    /// Header fields; 64 by default, which is also the most: their table is on the stack.
    pub headers_max: usize,
    /// Request target, in bytes; 8 KiB by default.
    pub target_bytes_max: usize,
    /// Body without its chunk lines, in bytes; 1 MiB by default. It costs memory for each
    /// connection that is in the middle of sending one, as far as it has been sent.
    pub body_bytes_max: usize,
    /// Requests whose bodies are handed up in pieces, each with a limit of its own; none by
    /// default. One without a body is handed up as a [`Frame::Request`] all the same.
    pub streamed: Vec<StreamedRequests>,
}

impl HttpConfig {
    /// What says that the body of such a request is handed up in pieces.
    fn streamed(&self, method: &str, target: &str) -> Option<&StreamedRequests> {
        let path = target.split('?').next().unwrap_or_default();
        self.streamed
            .iter()
            .find(|streamed| streamed.method == method && streamed.path == path)
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            head_bytes_max: limits::HEAD_BYTES_MAX,
            headers_max: limits::HEADERS_MAX,
            target_bytes_max: limits::TARGET_BYTES_MAX,
            body_bytes_max: limits::BODY_BYTES_MAX,
            streamed: Vec::new(),
        }
    }
}

/// Positions are kept in 32 bits; a limit that allows more than that is cut to it.
fn to_u32(bytes: usize, error: ProtocolError) -> Result<u32, ProtocolError> {
    u32::try_from(bytes).map_err(|_| error)
}

/// RFC 9110 section 5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    let in_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(in_token)
}
