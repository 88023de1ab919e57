//! What a peer can break.

use common::CloseReason;

/// How the peer broke the framing. `Copy`, without strings; numbers stay numbers until `Display`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    // WebSocket, RFC 6455.
    /// A reserved bit was set without an extension that gives it a meaning (section 5.2).
    #[error("reserved bits set: {0:#05b}")]
    ReservedBits(u8),
    /// Opcode 3-7 or 11-15 (section 5.2).
    #[error("reserved opcode {0:#x}")]
    ReservedOpcode(u8),
    /// A control frame without FIN (section 5.5).
    #[error("fragmented control frame")]
    FragmentedControl,
    /// A control frame with more than 125 bytes (section 5.5).
    #[error("control frame longer than 125 bytes")]
    ControlTooLong,
    /// A client's frame without a mask (section 5.1).
    #[error("client frame is not masked")]
    Unmasked,
    /// A server's frame with a mask (section 5.1).
    #[error("server frame is masked")]
    Masked,
    /// A length not in its shortest form, or with the highest bit set (section 5.2).
    #[error("payload length is not in its shortest form")]
    BadLength,
    /// A continuation without a message to continue (section 5.4).
    #[error("continuation without a message to continue")]
    UnexpectedContinuation,
    /// A new message before the last one ended (section 5.4).
    #[error("new message inside a fragmented one")]
    ExpectedContinuation,
    /// Text that is not UTF-8 (section 8.1), or a close reason that is not (5.5.1).
    #[error("text is not UTF-8")]
    InvalidUtf8,
    /// A compressed message that does not inflate (RFC 7692 section 7.2.2).
    #[error("compressed message does not inflate")]
    BadDeflate,
    /// A close payload of one byte (section 5.5.1).
    #[error("close payload of one byte")]
    BadClosePayload,
    /// A close code that may not stand on the wire (section 7.4).
    #[error("close code {0} may not be sent")]
    BadCloseCode(u16),
    /// A frame or message over the limit, in bytes.
    #[error("frame of {0} bytes is over the limit")]
    FrameTooLarge(u64),
    /// A message in more fragments than the limit.
    #[error("message in too many fragments")]
    TooManyFragments,
    /// The server's answer to an upgrade is not an acceptance (section 4.1).
    #[error("upgrade refused or answered wrongly (status {0})")]
    BadUpgradeAnswer(u16),

    // TCP framings.
    /// A length below the listener's minimum, in bytes.
    #[error("frame of {0} bytes is under the minimum")]
    FrameTooSmall(u32),
    /// A framing header with an impossible field.
    #[error("bad frame header")]
    BadHeader,
    /// A line without an end within the limit.
    #[error("line is longer than the limit")]
    LineTooLong,

    // HTTP/1.1, RFC 9112.
    /// Request line or header fields that do not parse.
    #[error("malformed request head")]
    BadHead,
    /// A request target that is none of the forms of section 3.2, or not in their characters.
    #[error("malformed request target")]
    BadTarget,
    /// CONNECT, for which there is nothing to connect to here (RFC 9110 section 9.3.6).
    #[error("CONNECT is not supported")]
    NoTunnel,
    /// Request target over the limit.
    #[error("request target too long")]
    TargetTooLong,
    /// More header bytes or fields than the limit.
    #[error("request head too large")]
    HeadTooLarge,
    /// A body over the limit.
    #[error("request body too large")]
    BodyTooLarge,
    /// Content-Length that is not a number, repeated, or beside Transfer-Encoding (section 6.3).
    #[error("conflicting or malformed Content-Length")]
    BadContentLength,
    /// Transfer codings of which chunked is not the last, and the only one that is chunked; or the
    /// field twice, or in HTTP/1.0 (sections 6.1 and 6.3).
    #[error("malformed Transfer-Encoding")]
    BadTransferEncoding,
    /// A transfer coding beside chunked, none of which is known here (section 6.1).
    #[error("unsupported Transfer-Encoding")]
    UnknownTransferCoding,
    /// An expectation other than 100-continue (RFC 9110 section 10.1.1).
    #[error("unknown expectation")]
    BadExpectation,
    /// A chunk size or chunk end that does not parse (section 7.1).
    #[error("malformed chunk")]
    BadChunk,
    /// Not HTTP/1.0 or HTTP/1.1.
    #[error("HTTP version not supported")]
    BadVersion,
    /// An HTTP/1.1 request without exactly one Host field, or one that is no host (section 3.2).
    #[error("missing, repeated or malformed Host")]
    BadHost,
}

const _: () = assert!(size_of::<ProtocolError>() <= 16);

impl ProtocolError {
    /// The HTTP status that answers this error while the connection still speaks HTTP.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::HeadTooLarge => 431,
            Self::BodyTooLarge => 413,
            Self::BadExpectation => 417,
            Self::UnknownTransferCoding | Self::NoTunnel => 501,
            Self::BadVersion => 505,
            _ => 400,
        }
    }

    /// The end of the connection that this error means.
    #[must_use]
    pub const fn close_reason(self) -> CloseReason {
        match self {
            Self::InvalidUtf8 => CloseReason::BadText,
            Self::FrameTooLarge(_)
            | Self::TooManyFragments
            | Self::LineTooLong
            | Self::TargetTooLong
            | Self::HeadTooLarge
            | Self::BodyTooLarge => CloseReason::TooLarge,
            _ => CloseReason::BadProtocol,
        }
    }
}
