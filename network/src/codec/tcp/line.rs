//! One payload a line, as newline-delimited JSON has it.
//!
//! ```text
//!   +-----------------+------+------+
//!   | payload         | (CR) |  LF  |
//!   +-----------------+------+------+
//! ```
//!
//! JSON never needs a raw line feed inside, so nothing is escaped. Blank lines carry nothing; they
//! keep the TCP path alive.

use super::FramingError;
use crate::codec::{Codec, Decoded, Frame, Payload, ProtocolError};

/// Takes lines apart. Between calls it remembers only how much of the front has been searched, so
/// that a long line which comes in small pieces is searched once and not once a piece.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineCodec {
    /// Bytes at the front of the next input that hold no line feed; at most one over the limit.
    searched: u32,
}

const _: () = assert!(size_of::<LineCodec>() <= 4);

impl Codec for LineCodec {
    type Config = LineConfig;

    /// Gives one [`Frame::Text`] for each line that is not blank, without its end. Whether it is
    /// UTF-8 is not checked here: that is an error of the message, after which the stream is still
    /// in step.
    ///
    /// # Errors
    /// `LineTooLong`, as soon as more bytes than the limit are there and none of them ends the
    /// line.
    fn decode<'a>(
        &mut self,
        config: &LineConfig,
        input: &'a mut [u8],
    ) -> Result<Decoded<'a>, ProtocolError> {
        // A line's CR and LF do not count, and bytes behind them cannot change the outcome.
        let window = input
            .len()
            .min((config.line_bytes_max as usize).saturating_add(2));
        let searched = window.min(self.searched as usize);
        let found = memchr::memchr(b'\n', &input[searched..window]);
        let unterminated = found.map_or(window, |at| searched + at);

        let line = match input[..unterminated] {
            [.., b'\r'] => unterminated - 1,
            _ => unterminated,
        };
        if line > config.line_bytes_max as usize {
            return Err(ProtocolError::LineTooLong);
        }
        if found.is_none() {
            self.searched = u32::try_from(window).unwrap_or(u32::MAX);
            return Ok(Decoded::Partial);
        }

        self.searched = 0;
        let consumed = unterminated + 1;
        let line = &mut input[..line];
        if is_blank(line) {
            return Ok(Decoded::Skip(consumed));
        }
        Ok(Decoded::Frame {
            consumed,
            frame: Frame::Text(Payload::Borrowed(line)),
        })
    }

    fn mid_frame(&self) -> bool {
        false
    }
}

/// The limit of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineConfig {
    /// `1 <= line_bytes_max`
    line_bytes_max: u32,
}

impl LineConfig {
    /// The limit is in bytes, without the end of the line, inclusive.
    ///
    /// # Errors
    /// `MinAboveMax` for a limit of 0, which would leave blank lines only.
    pub const fn new(line_bytes_max: u32) -> Result<Self, FramingError> {
        if line_bytes_max == 0 {
            return Err(FramingError::MinAboveMax {
                bytes_min: 1,
                bytes_max: 0,
            });
        }
        Ok(Self { line_bytes_max })
    }

    /// Longest line, in bytes without its end.
    #[must_use]
    pub const fn line_bytes_max(&self) -> u32 {
        self.line_bytes_max
    }
}

impl Default for LineConfig {
    /// Lines of 65,536 bytes.
    fn default() -> Self {
        Self {
            line_bytes_max: 65_536,
        }
    }
}

/// Appends a payload and its line feed to `out`.
///
/// # Errors
/// `NotOneLine` for what would reach the peer as something else: two lines, a blank one, or one
/// without its last byte. `out` is as it was then.
pub fn encode_line(payload: &[u8], out: &mut Vec<u8>) -> Result<(), FramingError> {
    let ends_with_cr = payload.last() == Some(&b'\r');
    if ends_with_cr || is_blank(payload) || memchr::memchr(b'\n', payload).is_some() {
        return Err(FramingError::NotOneLine);
    }
    out.reserve(payload.len() + 1);
    out.extend_from_slice(payload);
    out.push(b'\n');
    Ok(())
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}
