//! The body of a request: of a known length, or in chunks (RFC 9112 sections 6 and 7.1).
//!
//! ```text
//!   chunked-body = *( size [ ext ] CRLF data CRLF ) 0 [ ext ] CRLF *( trailer CRLF ) CRLF
//! ```

use common::limits;

use super::head::{Length, find_empty_line};
use super::{HttpConfig, to_u32};
use crate::codec::ProtocolError;

/// Longest line in front of a chunk, in bytes. A size needs ten of them; the rest is for
/// extensions, which nobody sends but who looks for holes.
const CHUNK_LINE_BYTES_MAX: usize = 256;

/// Largest trailer section, in bytes. Trailers are dropped, so they get less room than headers.
/// They are searched again for each piece they come in, and this keeps that cheap.
const TRAILERS_BYTES_MAX: usize = 4096;

/// How the body is framed, and how much of it has been looked at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    /// So many bytes.
    Sized {
        bytes: u32,
        /// The client waits for 100 (Continue) and has not been sent it.
        held_back: bool,
    },
    /// Chunks.
    Chunked {
        /// Where the first chunk begins that is not complete, from the front of the body.
        at: u32,
        /// Data in the chunks before it.
        bytes: u32,
        /// As in `Sized`.
        held_back: bool,
    },
}

impl Body {
    /// A body of which nothing has been looked at.
    ///
    /// # Errors
    /// `BodyTooLarge`.
    pub(super) fn begin(
        length: Length,
        held_back: bool,
        config: &HttpConfig,
    ) -> Result<Self, ProtocolError> {
        match length {
            Length::Chunked => Ok(Self::Chunked {
                at: 0,
                bytes: 0,
                held_back,
            }),
            Length::Sized(bytes) if bytes <= config.body_bytes_max as u64 => Ok(Self::Sized {
                bytes: to_u32(bytes as usize, ProtocolError::BodyTooLarge)?,
                held_back,
            }),
            Length::Sized(_) => Err(ProtocolError::BodyTooLarge),
        }
    }

    /// Finds the end of the body at the front of `raw`, and gives the bytes up to it.
    ///
    /// # Errors
    /// `BodyTooLarge`, `BadChunk`, and for trailers `BadHead` and `HeadTooLarge`.
    pub(super) fn find_end(
        &mut self,
        config: &HttpConfig,
        raw: &[u8],
    ) -> Result<Option<usize>, ProtocolError> {
        match self {
            Self::Sized { bytes, held_back } => {
                *held_back &= raw.is_empty();
                Ok(Some(*bytes as usize).filter(|&bytes| bytes <= raw.len()))
            }
            Self::Chunked {
                at,
                bytes,
                held_back,
            } => {
                *held_back &= raw.is_empty();
                find_last_chunk(config, raw, at, bytes)
            }
        }
    }

    /// The data of a complete body, which is all of `raw`; chunks are moved together at its front.
    pub(super) fn join<'a>(&self, raw: &'a mut [u8]) -> &'a mut [u8] {
        match *self {
            Self::Sized { .. } => raw,
            Self::Chunked { .. } => join_chunks(raw),
        }
    }

    /// Whether 100 (Continue) is due; says so once.
    pub(super) fn take_continue(&mut self) -> bool {
        let (Self::Sized { held_back, .. } | Self::Chunked { held_back, .. }) = self;
        std::mem::take(held_back)
    }
}

/// Walks over whole chunks from `at` on until the last, whose end behind the trailers it gives.
fn find_last_chunk(
    config: &HttpConfig,
    raw: &[u8],
    at: &mut u32,
    bytes: &mut u32,
) -> Result<Option<usize>, ProtocolError> {
    // Chunks of one byte are five times as long on the wire as their data. The memory of the caller
    // is what counts, so what the chunks add has a limit too.
    let raw_bytes_max = config.body_bytes_max.saturating_add(config.head_bytes_max);
    loop {
        let begin = *at as usize;
        let Some(line) = ChunkLine::parse(raw.get(begin..).unwrap_or_default())? else {
            return Ok(None);
        };
        let data = begin + line.line_bytes;
        if line.data_bytes == 0 {
            return Ok(trailers_end(config, &raw[data..])?.map(|end| data + end));
        }
        let joined = line.data_bytes.saturating_add(*bytes as usize);
        let end = data.saturating_add(line.data_bytes).saturating_add(2);
        if joined > config.body_bytes_max || end > raw_bytes_max {
            return Err(ProtocolError::BodyTooLarge);
        }
        match raw.get(end - 2..end) {
            Some(b"\r\n") => {
                *at = to_u32(end, ProtocolError::BodyTooLarge)?;
                *bytes = to_u32(joined, ProtocolError::BodyTooLarge)?;
            }
            Some(_) => return Err(ProtocolError::BadChunk),
            None => return Ok(None),
        }
    }
}

/// Finds the end of the trailer section (section 7.1.2), which may be empty.
pub(super) fn trailers_end(
    config: &HttpConfig,
    raw: &[u8],
) -> Result<Option<usize>, ProtocolError> {
    let Some(end) = find_empty_line(raw, 0, TRAILERS_BYTES_MAX)? else {
        return Ok(None);
    };
    let mut table = [httparse::EMPTY_HEADER; limits::HEADERS_MAX];
    let table = &mut table[..config.headers_max.min(limits::HEADERS_MAX)];
    match httparse::parse_headers(&raw[..end], table) {
        Ok(httparse::Status::Complete(_)) => Ok(Some(end)),
        Err(httparse::Error::TooManyHeaders) => Err(ProtocolError::HeadTooLarge),
        _ => Err(ProtocolError::BadHead),
    }
}

/// Moves the data of chunks that [`find_last_chunk`] has accepted to the front.
///
/// ```text
///   3 CRLF a b c CRLF 2 CRLF d e CRLF 0 CRLF CRLF
///   a b c d e ......
/// ```
fn join_chunks(raw: &mut [u8]) -> &mut [u8] {
    let (mut at, mut joined) = (0, 0);
    while let Ok(Some(line)) = ChunkLine::parse(&raw[at..]) {
        if line.data_bytes == 0 {
            break;
        }
        let data = at + line.line_bytes;
        raw.copy_within(data..data + line.data_bytes, joined);
        joined += line.data_bytes;
        at = data + line.data_bytes + 2;
    }
    &mut raw[..joined]
}

/// The line in front of a chunk's data.
pub(super) struct ChunkLine {
    /// Bytes of the line with its end.
    pub(super) line_bytes: usize,
    /// Bytes of data behind it; 0 in the last chunk.
    pub(super) data_bytes: usize,
}

impl ChunkLine {
    /// Parses the line at the front of `raw`; `None` until its end is there.
    ///
    /// # Errors
    /// `BadChunk`. A size that no number holds is `BodyTooLarge`.
    pub(super) fn parse(raw: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let window = &raw[..raw.len().min(CHUNK_LINE_BYTES_MAX)];
        let Some(end) = memchr::memchr(b'\n', window) else {
            let too_long = window.len() == CHUNK_LINE_BYTES_MAX;
            return if too_long {
                Err(ProtocolError::BadChunk)
            } else {
                Ok(None)
            };
        };
        let line = window[..end]
            .strip_suffix(b"\r")
            .ok_or(ProtocolError::BadChunk)?;
        let digits = line
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let (size, extensions) = line.split_at(digits);
        if size.is_empty() || !are_extensions(extensions) {
            return Err(ProtocolError::BadChunk);
        }
        let data_bytes = size
            .iter()
            .filter_map(|&digit| char::from(digit).to_digit(16))
            .try_fold(0_usize, |size, digit| {
                size.checked_mul(16)?.checked_add(digit as usize)
            })
            .ok_or(ProtocolError::BodyTooLarge)?;
        Ok(Some(Self {
            line_bytes: end + 1,
            data_bytes,
        }))
    }
}

/// Whether the bytes between a size and its CRLF may be passed over (section 7.1.1). None of them
/// has a meaning here; but the first must be the semicolon, and none may be a control character,
/// of which a lone CR would end the line for some other parser.
fn are_extensions(bytes: &[u8]) -> bool {
    let opened = bytes.is_empty() || bytes.trim_ascii_start().starts_with(b";");
    opened
        && bytes
            .iter()
            .all(|&byte| byte == b'\t' || !byte.is_ascii_control())
}
