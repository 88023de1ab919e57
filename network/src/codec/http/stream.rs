//! The body of a request that is handed up in pieces, as it comes (RFC 9112 sections 6 and 7.1).
//!
//! ```text
//!             ┌────────── data ──────────┐
//!   Sized ────┤                          ├──▶ last piece
//!             └──▶ Line ─▶ Data ─▶ End ──┘
//!                   ▲ └ size 0 ─▶ Trailers ─▶ last piece
//!                   └─────── CRLF ┘
//! ```

use super::HttpConfig;
use super::body::{ChunkLine, trailers_end};
use super::head::Length;
use crate::codec::ProtocolError;

/// Requests of one method and path whose bodies are handed up in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamedRequests {
    /// Method, upper case.
    pub method: &'static str,
    /// Path, as it stands in the target.
    pub path: String,
    /// Bytes of a body without its chunk lines, at most. No more than a piece is ever in memory.
    pub body_bytes_max: u64,
}

/// A piece of a body.
#[derive(Debug)]
pub struct BodyPart<'a> {
    /// Data, chunk lines taken out. Only the last piece may be empty.
    pub bytes: &'a [u8],
    /// Whether the body ends with it.
    pub last: bool,
}

/// Where in its body a connection is. It is made when a head announces a body, and gone with its
/// last piece.
#[derive(Debug)]
pub(super) struct BodyStream {
    phase: Phase,
    /// Bytes of data that may still come: those that are left of a known length, or, in chunks,
    /// what the limit leaves.
    room: u64,
    /// `room` when the progress was last asked for; `room <= mark`.
    mark: u64,
    /// The client waits for 100 (Continue) and has not been sent it.
    held_back: bool,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// In a body of known length.
    Sized,
    /// In front of the line of a chunk.
    Line,
    /// In a chunk, so many bytes before the end of its data.
    Data(u64),
    /// Behind the data of a chunk, in front of its CRLF.
    End,
    /// Behind the line of the last chunk.
    Trailers,
}

/// What a step has taken from the front of the input.
#[derive(Debug)]
pub(super) struct Step {
    /// Bytes taken.
    pub(super) consumed: usize,
    /// Bytes of data, now at the front.
    pub(super) data: usize,
    /// Whether the body is whole.
    pub(super) last: bool,
}

impl BodyStream {
    /// The body that a head announces; `None` if there is none.
    ///
    /// # Errors
    /// `BodyTooLarge`.
    pub(super) fn begin(
        length: Length,
        held_back: bool,
        bytes_max: u64,
    ) -> Result<Option<Self>, ProtocolError> {
        let (phase, room) = match length {
            Length::Sized(0) => return Ok(None),
            Length::Sized(bytes) if bytes > bytes_max => return Err(ProtocolError::BodyTooLarge),
            Length::Sized(bytes) => (Phase::Sized, bytes),
            Length::Chunked => (Phase::Line, bytes_max),
        };
        Ok(Some(Self {
            phase,
            room,
            mark: room,
            held_back,
        }))
    }

    /// Some of the body has come without having been asked for.
    pub(super) const fn not_held_back(&mut self) {
        self.held_back = false;
    }

    /// Whether 100 (Continue) is due; says so once.
    pub(super) const fn take_continue(&mut self) -> bool {
        std::mem::replace(&mut self.held_back, false)
    }

    /// Bytes of data that have come since this was last asked.
    pub(super) const fn take_progress(&mut self) -> u64 {
        let progress = self.mark - self.room;
        self.mark = self.room;
        progress
    }

    /// Takes what there is of the body, and moves its data to the front.
    ///
    /// # Errors
    /// `BodyTooLarge`, `BadChunk`, and for trailers `BadHead` and `HeadTooLarge`.
    pub(super) fn step(
        &mut self,
        config: &HttpConfig,
        input: &mut [u8],
    ) -> Result<Step, ProtocolError> {
        if let Phase::Sized = self.phase {
            let data = shorter(self.room, input.len());
            self.room -= data as u64;
            return Ok(Step {
                consumed: data,
                data,
                last: self.room == 0,
            });
        }
        let (mut at, mut joined) = (0, 0);
        let last = loop {
            let rest = &input[at..];
            match self.phase {
                Phase::Sized | Phase::Line => match ChunkLine::parse(rest)? {
                    None => break false,
                    Some(line) if line.data_bytes as u64 > self.room => {
                        return Err(ProtocolError::BodyTooLarge);
                    }
                    Some(line) => {
                        at += line.line_bytes;
                        self.phase = match line.data_bytes {
                            0 => Phase::Trailers,
                            data => Phase::Data(data as u64),
                        };
                    }
                },
                Phase::Data(left) => {
                    let data = shorter(left, rest.len());
                    if data == 0 {
                        break false;
                    }
                    input.copy_within(at..at + data, joined);
                    joined += data;
                    at += data;
                    self.room -= data as u64;
                    self.phase = match left - data as u64 {
                        0 => Phase::End,
                        left => Phase::Data(left),
                    };
                }
                Phase::End => match rest {
                    [b'\r', b'\n', ..] => {
                        at += 2;
                        self.phase = Phase::Line;
                    }
                    [] | [b'\r'] => break false,
                    _ => return Err(ProtocolError::BadChunk),
                },
                Phase::Trailers => match trailers_end(config, rest)? {
                    Some(end) => {
                        at += end;
                        break true;
                    }
                    None => break false,
                },
            }
        };
        Ok(Step {
            consumed: at,
            data: joined,
            last,
        })
    }
}

/// The lesser of the two, which is a length of something in memory.
fn shorter(bytes: u64, length: usize) -> usize {
    usize::try_from(bytes).map_or(length, |bytes| bytes.min(length))
}

#[cfg(test)]
mod tests {
    use super::super::HttpCodec;
    use super::*;
    use crate::codec::{Codec, Decoded, Frame};

    const LIMIT: u64 = 20;

    fn config() -> HttpConfig {
        HttpConfig {
            streamed: vec![StreamedRequests {
                method: "POST",
                path: "/up".to_owned(),
                body_bytes_max: LIMIT,
            }],
            body_bytes_max: 5,
            ..HttpConfig::default()
        }
    }

    /// What comes of a stream that is read in these pieces: `Head`, the data, `Last`, and
    /// `Request` for one that came whole.
    fn read(pieces: &[&[u8]]) -> Result<String, ProtocolError> {
        let (config, mut codec) = (config(), HttpCodec::new());
        let (mut input, mut seen) = (Vec::new(), String::new());
        for piece in pieces {
            input.extend_from_slice(piece);
            loop {
                let consumed = match codec.decode(&config, &mut input)? {
                    Decoded::Partial => break,
                    Decoded::Skip(consumed) => consumed,
                    Decoded::Frame { consumed, frame } => {
                        match frame {
                            Frame::RequestHead(_) => seen += "Head ",
                            Frame::RequestBody(part) => {
                                assert!(part.last || !part.bytes.is_empty());
                                seen += std::str::from_utf8(part.bytes).expect("ASCII");
                                seen += if part.last { " Last " } else { "" };
                            }
                            Frame::Request(_) => seen += "Request ",
                            other => panic!("{other:?}"),
                        }
                        consumed
                    }
                };
                input.drain(..consumed);
            }
        }
        Ok(seen)
    }

    fn post(fields: &str, body: &str) -> Vec<u8> {
        format!("POST /up?x HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n{body}").into_bytes()
    }

    #[test]
    fn a_body_is_the_same_wherever_it_is_cut() {
        let next = "GET /up HTTP/1.1\r\nhost: a\r\n\r\n";
        let sized = post("content-length: 11", &format!("hello world{next}"));
        let chunks = format!("6;x=y\r\nhello \r\n05\r\nworld\r\n0\r\nend: 1\r\n\r\n{next}");
        let chunked = post("transfer-encoding: chunked", &chunks);
        for wire in [sized, chunked] {
            let whole = Ok("Head hello world Last Request ".to_owned());
            for at in 0..=wire.len() {
                let (front, back) = wire.split_at(at);
                assert_eq!(read(&[front, back]), whole, "cut at {at}");
            }
            let bytes: Vec<&[u8]> = wire.chunks(1).collect();
            assert_eq!(read(&bytes), whole);
        }
    }

    #[test]
    fn a_request_without_a_body_comes_whole() {
        let chunked = post("transfer-encoding: chunked", "0\r\n\r\n");
        for (wire, seen) in [
            (post("content-length: 0", ""), "Request "),
            (post("accept: x", ""), "Request "),
            (chunked, "Head  Last "),
        ] {
            assert_eq!(read(&[&wire]).as_deref(), Ok(seen));
        }
        // Other paths have the limit that they always had.
        let other = b"POST /upp HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\n";
        assert_eq!(read(&[other]), Err(ProtocolError::BodyTooLarge));
    }

    #[test]
    fn a_body_over_its_limit_ends_where_that_shows() {
        let bytes = |n: usize| "x".repeat(n);
        let exact = format!("{:x}\r\n{}\r\n0\r\n\r\n", LIMIT, bytes(LIMIT as usize));
        assert!(read(&[&post("transfer-encoding: chunked", &exact)]).is_ok());
        for wire in [
            post("content-length: 21", ""),
            post("content-length: 99999999999999999999", ""),
            post("transfer-encoding: chunked", "15\r\n"),
            post("transfer-encoding: chunked", "ffffffffffffffff\r\n"),
            post(
                "transfer-encoding: chunked",
                &format!("14\r\n{}\r\n1\r\n", bytes(20)),
            ),
        ] {
            assert_eq!(read(&[&wire]), Err(ProtocolError::BodyTooLarge));
        }
        for chunks in ["x\r\n", "1\nx", "1\r\nxy", "1\r\nx\r\r", "1 x\r\n"] {
            let wire = post("transfer-encoding: chunked", chunks);
            assert_eq!(read(&[&wire]), Err(ProtocolError::BadChunk), "{chunks:?}");
        }
    }

    #[test]
    fn only_data_counts_as_progress() {
        let (config, mut codec) = (config(), HttpCodec::new());
        let mut head = post("transfer-encoding: chunked\r\nexpect: 100-continue", "");
        codec.decode(&config, &mut head).expect("a head");
        assert!(codec.take_continue() && !codec.take_continue());
        for (input, progress) in [("3;long=extension\r\n", 0), ("ab", 2), ("c\r\n", 1)] {
            let mut input = input.as_bytes().to_vec();
            codec.decode(&config, &mut input).expect("a part of a body");
            assert_eq!(codec.take_progress(), progress);
        }
    }
}
