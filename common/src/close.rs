//! Why a connection ended. Every end is one [`CloseReason`], and only this file decides which
//! WebSocket close code and which metric label follow from it.

use std::fmt;
use std::io;

/// Why a connection ended, or is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed in order, with this WebSocket close code (1005 if it gave none).
    Peer(u16),
    /// The peer ended the stream without a close handshake.
    PeerEof,
    /// The peer ended the stream inside a frame.
    Truncated,
    /// Reading or writing the socket failed (reset, unreachable, timed out).
    Io,
    /// The peer broke the framing.
    BadProtocol,
    /// Text was not UTF-8.
    BadText,
    /// A frame, message, head or body was over its limit.
    TooLarge,
    /// The upgrade or the first frame did not come in time.
    HandshakeTimeout,
    /// A frame was begun and not finished in time.
    FrameTimeout,
    /// Nothing was heard for the idle time.
    Idle,
    /// The peer did not answer a close in time.
    CloseTimeout,
    /// No login in time.
    AuthTimeout,
    /// Messages came faster than the session's rate for too long.
    RateExceeded,
    /// The outbox was over its limit: the peer reads too slowly.
    SlowConsumer,
    /// A cap on connections was reached.
    TooManyConnections,
    /// The node's memory was nearly used up, and this connection held much of it, or asked to come
    /// in.
    MemoryShort,
    /// There was no descriptor left for the connection.
    NoDescriptors,
    /// An HTTP exchange ended and the connection is not kept alive.
    HttpDone,
    /// The upgrade or the request was refused.
    Refused,
    /// An outgoing connection could not be made: refused, unreachable, timed out, or what else the
    /// host has answered.
    ConnectFailed(io::ErrorKind),
    /// A module asked for the end, with this WebSocket close code.
    Module(u16),
    /// A later login of the same user took this one's place.
    Kicked,
    /// The node stops.
    Shutdown,
    /// The node stops, and clients find the service elsewhere or soon again.
    Restart,
    /// The TLS handshake failed, or a record was not what its keys say.
    TlsFailed,
}

/// Whose doing an end was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// An ordinary end.
    Nobody,
    /// The far end broke a rule or a limit.
    Peer,
    /// The network or the host.
    Machine,
    /// A decision of ours.
    Node,
}

impl CloseReason {
    /// Close code to put in a WebSocket close frame (RFC 6455 section 7.4.1), or `None` if the
    /// transport is gone or no frame may be sent.
    #[must_use]
    pub const fn ws_code(self) -> Option<u16> {
        match self {
            Self::Peer(code) => match code {
                1005 => Some(1000),
                code => Some(code),
            },
            Self::PeerEof
            | Self::Truncated
            | Self::Io
            | Self::CloseTimeout
            | Self::ConnectFailed(_)
            | Self::HttpDone
            | Self::Refused
            | Self::TlsFailed => None,
            Self::BadProtocol => Some(1002),
            Self::BadText => Some(1007),
            Self::TooLarge => Some(1009),
            Self::HandshakeTimeout | Self::FrameTimeout | Self::Idle => Some(1001),
            Self::AuthTimeout | Self::RateExceeded | Self::SlowConsumer => Some(1008),
            Self::TooManyConnections | Self::MemoryShort | Self::NoDescriptors => Some(1013),
            Self::Module(code) => Some(code),
            Self::Kicked => Some(4001),
            Self::Shutdown => Some(1001),
            Self::Restart => Some(1012),
        }
    }

    /// Label of this end in metrics and logs: lower case, stable across releases.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Peer(_) => "peer",
            Self::PeerEof => "peer_eof",
            Self::Truncated => "truncated",
            Self::Io => "io",
            Self::BadProtocol => "bad_protocol",
            Self::BadText => "bad_text",
            Self::TooLarge => "too_large",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::FrameTimeout => "frame_timeout",
            Self::Idle => "idle",
            Self::CloseTimeout => "close_timeout",
            Self::AuthTimeout => "auth_timeout",
            Self::RateExceeded => "rate_exceeded",
            Self::SlowConsumer => "slow_consumer",
            Self::TooManyConnections => "too_many_connections",
            Self::MemoryShort => "memory_short",
            Self::NoDescriptors => "no_descriptors",
            Self::HttpDone => "http_done",
            Self::Refused => "refused",
            Self::ConnectFailed(_) => "connect_failed",
            Self::Module(_) => "module",
            Self::Kicked => "kicked",
            Self::Shutdown => "shutdown",
            Self::Restart => "restart",
            Self::TlsFailed => "tls_failed",
        }
    }

    /// Position of this reason in a table of counters; below [`CloseReason::KINDS`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Peer(_) => 0,
            Self::PeerEof => 1,
            Self::Truncated => 2,
            Self::Io => 3,
            Self::BadProtocol => 4,
            Self::BadText => 5,
            Self::TooLarge => 6,
            Self::HandshakeTimeout => 7,
            Self::FrameTimeout => 8,
            Self::Idle => 9,
            Self::CloseTimeout => 10,
            Self::AuthTimeout => 11,
            Self::RateExceeded => 12,
            Self::SlowConsumer => 13,
            Self::TooManyConnections => 14,
            Self::HttpDone => 15,
            Self::Refused => 16,
            Self::ConnectFailed(_) => 17,
            Self::Module(_) => 18,
            Self::Kicked => 19,
            Self::Shutdown => 20,
            Self::MemoryShort => 21,
            Self::NoDescriptors => 22,
            Self::Restart => 23,
            Self::TlsFailed => 24,
        }
    }

    /// Number of kinds of end.
    pub const KINDS: usize = 25;

    /// Every kind once, with 0 where a code would stand and `Other` for
    /// the kind of an error; in the order of [`CloseReason::index`].
    pub const ALL: [Self; Self::KINDS] = [
        Self::Peer(0),
        Self::PeerEof,
        Self::Truncated,
        Self::Io,
        Self::BadProtocol,
        Self::BadText,
        Self::TooLarge,
        Self::HandshakeTimeout,
        Self::FrameTimeout,
        Self::Idle,
        Self::CloseTimeout,
        Self::AuthTimeout,
        Self::RateExceeded,
        Self::SlowConsumer,
        Self::TooManyConnections,
        Self::HttpDone,
        Self::Refused,
        Self::ConnectFailed(io::ErrorKind::Other),
        Self::Module(0),
        Self::Kicked,
        Self::Shutdown,
        Self::MemoryShort,
        Self::NoDescriptors,
        Self::Restart,
        Self::TlsFailed,
    ];

    /// Whose doing this end was.
    #[must_use]
    pub const fn blame(self) -> Blame {
        match self {
            Self::Peer(_) | Self::PeerEof | Self::HttpDone | Self::Idle => Blame::Nobody,
            Self::Truncated
            | Self::BadProtocol
            | Self::BadText
            | Self::TooLarge
            | Self::HandshakeTimeout
            | Self::FrameTimeout
            | Self::CloseTimeout
            | Self::AuthTimeout
            | Self::RateExceeded
            | Self::SlowConsumer
            | Self::Refused
            | Self::TlsFailed => Blame::Peer,
            Self::Io | Self::ConnectFailed(_) | Self::MemoryShort | Self::NoDescriptors => {
                Blame::Machine
            }
            Self::TooManyConnections
            | Self::Module(_)
            | Self::Kicked
            | Self::Shutdown
            | Self::Restart => Blame::Node,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(code) => write!(f, "peer ({code})"),
            Self::Module(code) => write!(f, "module ({code})"),
            Self::ConnectFailed(kind) => write!(f, "connect_failed ({kind})"),
            other => f.write_str(other.label()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_index_and_label() {
        let mut labels = std::collections::HashSet::new();
        for (position, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), position);
            assert!(labels.insert(reason.label()), "{} twice", reason.label());
        }
    }

    #[test]
    fn codes_that_go_on_the_wire_are_ones_that_may() {
        for reason in CloseReason::ALL {
            if let Some(code) = reason.ws_code()
                && code != 0
            {
                assert!(
                    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999),
                    "{reason}"
                );
            }
        }
    }
}
