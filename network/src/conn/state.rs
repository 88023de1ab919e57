//! The life of a connection.
//!
//! ```text
//!   Connecting ─▶ (Greeting) ─▶ Opening ──first frame or upgrade──▶ Open
//!       │                        │                                 │
//!       │                        └──────────────┬──────────────────┘
//!       │                          close frame  │  peer's close, error, last answer
//!       │                          of ours      ▼
//!       │                  AwaitClose ──────▶ Flushing ──outbox empty──▶ Draining
//!       │                      │                 │                          │
//!       └──────────────────────┴────── failed, deadline, end of stream ─────┤
//!                                                                           ▼
//!                                                                         Closed
//! ```
//!
//! Greeting is passed through only by connections whose transport is set up first: a proxy says for
//! whom it speaks, a TLS handshake is made. The handler does not know of them yet.
//!
//! Draining has sent our end of the stream and discards what still comes until the peer's end does:
//! a socket closed with unread bytes is reset, and the reset can overtake the close frame that says
//! why (as nginx does in its lingering close).

use common::CloseReason;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Outgoing, and the TCP handshake is not done.
    Connecting,
    /// The transport is being set up, and no codec is concerned.
    Greeting,
    /// Nothing complete was heard yet.
    Opening,
    /// Frames go both ways.
    Open,
    /// Our close frame is sent or queued; the peer's is awaited, its data is dropped.
    AwaitClose(CloseReason),
    /// Nothing more is read; what is queued is still to be written.
    Flushing(CloseReason),
    /// Our side has ended; input is discarded until the peer's end.
    Draining(CloseReason),
    /// To be freed at the end of the turn.
    Closed(CloseReason),
}

/// What connections are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Opening,
    Open,
    Closing,
}

impl State {
    /// Where in its life a connection in this state is counted.
    pub(crate) const fn phase(self) -> Phase {
        match self {
            Self::Connecting | Self::Greeting | Self::Opening => Phase::Opening,
            Self::Open => Phase::Open,
            Self::AwaitClose(_) | Self::Flushing(_) | Self::Draining(_) | Self::Closed(_) => {
                Phase::Closing
            }
        }
    }

    /// Whether frames go both ways. Asked for every message, and so not by a comparison, which
    /// looks at the reasons of the other states too.
    #[inline]
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Open)
    }

    /// Whether frames are handed to the handler.
    pub(crate) const fn hears(self) -> bool {
        matches!(self, Self::Opening | Self::Open)
    }

    /// Whether new output may be queued.
    pub(crate) const fn speaks(self) -> bool {
        matches!(self, Self::Opening | Self::Open)
    }

    /// Whether the socket is still read.
    pub(crate) const fn reads(self) -> bool {
        matches!(
            self,
            Self::Greeting | Self::Opening | Self::Open | Self::AwaitClose(_) | Self::Draining(_)
        )
    }

    /// Why the connection is about to end, or has ended.
    pub(crate) const fn reason(self) -> Option<CloseReason> {
        match self {
            Self::Connecting | Self::Greeting | Self::Opening | Self::Open => None,
            Self::AwaitClose(reason)
            | Self::Flushing(reason)
            | Self::Draining(reason)
            | Self::Closed(reason) => Some(reason),
        }
    }
}
