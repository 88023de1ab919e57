//! Framings for a bare TCP or TLS stream: a length in front of each payload, or a line each.
//!
//! The framing is a property of the listener, and a client selects it by the port it dials. It is
//! never guessed from the first bytes: a small big-endian length opens more than one of them.

mod length;
mod line;

#[cfg(test)]
mod tests;

pub use length::{ByteOrder, LengthCodec, LengthConfig, Prefix, PrefixBytes, encode_prefix};
pub use line::{LineCodec, LineConfig, encode_line};

/// The framing that a listener speaks, with its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpFraming {
    /// Each payload behind its length: `len1`, `len2be`, `len2le`, `len4be`, `len4le`.
    Length(LengthConfig),
    /// One payload a line: `ndjson`.
    Line(LineConfig),
}

impl TcpFraming {
    /// The framing of this name, with its default limits; `None` if no framing is called so.
    ///
    /// Payloads are 1 to 255 bytes for `len1`, to 4096 for the 2-byte lengths (what clients of such
    /// servers expect), to 65,536 for the rest.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (prefix, order) = match name {
            "len1" => (Prefix::One, ByteOrder::Big),
            "len2be" => (Prefix::Two, ByteOrder::Big),
            "len2le" => (Prefix::Two, ByteOrder::Little),
            "len4be" => (Prefix::Four, ByteOrder::Big),
            "len4le" => (Prefix::Four, ByteOrder::Little),
            "ndjson" => return Some(Self::Line(LineConfig::default())),
            _ => return None,
        };
        Some(Self::Length(LengthConfig::with_default_limits(
            prefix, order,
        )))
    }

    /// The name that [`named`](Self::named) knows this framing by, whatever its limits.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        let Self::Length(config) = self else {
            return "ndjson";
        };
        match (config.prefix(), config.order()) {
            (Prefix::One, _) => "len1",
            (Prefix::Two, ByteOrder::Big) => "len2be",
            (Prefix::Two, ByteOrder::Little) => "len2le",
            (Prefix::Four, ByteOrder::Big) => "len4be",
            (Prefix::Four, ByteOrder::Little) => "len4le",
        }
    }

    /// The same framing with other limits, in payload bytes, both inclusive.
    ///
    /// A line framing has no minimum of its own: a blank line is no payload, so 1 is what it has.
    ///
    /// # Errors
    /// Limits that the framing cannot keep. They are refused and not corrected, so that a wrong
    /// value does not pass unnoticed.
    pub fn with_frame_bytes(self, bytes_min: u32, bytes_max: u32) -> Result<Self, FramingError> {
        match self {
            Self::Length(config) => {
                LengthConfig::new(config.prefix(), config.order(), bytes_min, bytes_max)
                    .map(Self::Length)
            }
            Self::Line(_) if bytes_min > bytes_max => Err(FramingError::MinAboveMax {
                bytes_min,
                bytes_max,
            }),
            Self::Line(_) if bytes_min != 1 => Err(FramingError::MinOfLines(bytes_min)),
            Self::Line(_) => LineConfig::new(bytes_max).map(Self::Line),
        }
    }

    /// Smallest payload, in bytes.
    #[must_use]
    pub const fn frame_bytes_min(&self) -> u32 {
        match self {
            Self::Length(config) => config.payload_bytes_min(),
            Self::Line(_) => 1,
        }
    }

    /// Largest payload, in bytes.
    #[must_use]
    pub const fn frame_bytes_max(&self) -> u32 {
        match self {
            Self::Length(config) => config.payload_bytes_max(),
            Self::Line(config) => config.line_bytes_max(),
        }
    }
}

/// What a framing cannot do: limits that it cannot keep, or a payload that it cannot carry. Our
/// side's doing, where [`ProtocolError`](crate::codec::ProtocolError) is the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// A minimum of 0. An empty frame carries nothing, and a flood of them costs its sender little.
    #[error("minimum of 0 bytes: empty frames are not allowed")]
    MinZero,
    /// A minimum above the maximum.
    #[error("minimum of {bytes_min} bytes is above the maximum of {bytes_max}")]
    MinAboveMax {
        /// The minimum asked for.
        bytes_min: u32,
        /// The maximum asked for.
        bytes_max: u32,
    },
    /// A maximum that does not fit into the length.
    #[error("maximum of {bytes_max} bytes does not fit into a length of {prefix_bytes} bytes")]
    MaxBeyondPrefix {
        /// The maximum asked for.
        bytes_max: u32,
        /// Bytes of the length.
        prefix_bytes: usize,
    },
    /// A minimum other than 1 for a line framing.
    #[error("minimum of {0} bytes: a line framing has none but 1")]
    MinOfLines(u32),
    /// A payload under the minimum, in bytes.
    #[error("payload of {0} bytes is under the minimum")]
    PayloadTooSmall(usize),
    /// A payload over the maximum, in bytes.
    #[error("payload of {0} bytes is over the maximum")]
    PayloadTooLarge(usize),
    /// A payload that would not arrive as the one line it was sent as.
    #[error("payload is blank, holds a line feed or ends with a carriage return")]
    NotOneLine,
}
