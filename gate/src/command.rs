//! What other threads ask of a gate.

use std::sync::Arc;

use bytes::Bytes;
use common::{CloseReason, SessionId, TopicId};
use network::codec::http::Response;

use crate::body::BodySource;
use crate::drain::Drain;
use crate::envelope::Fence;
use crate::topic::{Message, Prepared};

/// One request to the gate of one reactor.
#[derive(Debug)]
pub(crate) enum Command {
    Send {
        session: SessionId,
        message: Message,
    },
    SendPrepared {
        sessions: Vec<SessionId>,
        prepared: Arc<Prepared>,
    },
    Publish {
        topic: TopicId,
        prepared: Arc<Prepared>,
        except: Option<SessionId>,
    },
    /// Counted in the presence of topics when it was asked for.
    Subscribe {
        session: SessionId,
        topic: TopicId,
    },
    Unsubscribe {
        session: SessionId,
        topic: TopicId,
    },
    /// Tell the module when the outbox is empty.
    Watch {
        session: SessionId,
    },
    Bind {
        session: SessionId,
    },
    Unbind {
        session: SessionId,
    },
    Respond {
        session: SessionId,
        response: Box<Response>,
    },
    /// The body follows in pieces, so many bytes in all.
    RespondInPieces {
        session: SessionId,
        head: Box<Response>,
        body_bytes: u64,
        source: Box<dyn BodySource>,
    },
    SendBody {
        session: SessionId,
        piece: Bytes,
    },
    /// Hand up the next piece of a request's body.
    ReadBody {
        session: SessionId,
    },
    Close {
        session: SessionId,
        reason: CloseReason,
        text: String,
    },
    /// The worker has come to the fence: all replies before it are queued.
    Fence {
        session: SessionId,
        fence: Fence,
    },
    /// Stop accepting, close everything, and end the reactor. The rate is this reactor's share.
    Drain(Drain),
}

impl Command {
    /// Bytes of memory that it takes while it waits.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        let heap = match self {
            Self::Send { message, .. } => message.payload.len(),
            Self::SendPrepared { sessions, prepared } => {
                size_of_val(sessions.as_slice()) + prepared.payload_bytes()
            }
            Self::Publish { prepared, .. } => prepared.payload_bytes(),
            // Bodies, whole or in pieces, are accounted for by themselves.
            Self::Respond { .. } | Self::RespondInPieces { .. } => size_of::<Response>(),
            Self::Close { text, .. } => text.len(),
            _ => 0,
        };
        size_of::<Self>() + heap
    }
}
