//! The parts that fuzz targets reach although nobody outside may use them. No part of the
//! interface.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use common::{CloseReason, SessionId};
use network::MemoryBudget;
use network::codec::MessageKind;
use network::codec::http::{Headers, Request, Response};

use crate::command::Command;
use crate::context::Context;
use crate::envelope::{Envelope, EnvelopePayload};
use crate::files::{Entry, Files, Site, redirect};
use crate::handle::{GateHandle, Outgoing};
use crate::proxy::TrustedProxies;
use crate::topic::{Message, TopicPresence};

/// The client for whom `peer`, a trusted proxy, speaks in these header lines.
#[must_use]
pub fn forwarded_client(lines: &[u8], peer: SocketAddr, trusted: &TrustedProxies) -> SocketAddr {
    crate::forwarded::client(Headers::from_checked(lines), peer, trusted)
}

/// Static files, without a gate around them.
#[derive(Debug)]
pub struct Folder(Site);

impl Folder {
    /// These files.
    #[must_use]
    pub fn new(files: Files) -> Self {
        Self(Site::new(files))
    }

    /// What a request below `/` is answered; `None` if no file is there.
    #[must_use]
    pub fn answer(&self, request: &Request<'_>) -> Option<Response> {
        let path = request.path().strip_prefix('/')?;
        Some(match self.0.find(path) {
            Ok(Some(Entry::File(file))) => file.answer(request).into_owned(),
            Ok(Some(Entry::Folder)) => redirect(request),
            Ok(None) => return None,
            Err(_) => Response::new(400),
        })
    }
}

/// A message as a worker hands it to a module.
#[must_use]
pub fn envelope(session: SessionId, kind: MessageKind, payload: &[u8]) -> Envelope<'static> {
    Envelope {
        session,
        kind,
        payload: EnvelopePayload::Owned(Bytes::copy_from_slice(payload)),
    }
}

/// What a module has asked for.
#[derive(Debug)]
pub enum Said {
    /// A message to one session.
    Sent(SessionId, Message),
    /// A message to a topic.
    Published(Message),
    /// The end of a session.
    Closed(SessionId, CloseReason),
    /// Something else.
    Other,
}

/// Where a module can be called with neither threads nor sockets.
#[derive(Debug)]
pub struct Stage {
    handle: GateHandle,
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

impl Stage {
    /// A stage for the sessions of reactor 0.
    #[must_use]
    pub fn new() -> Self {
        Self {
            handle: GateHandle {
                reactors: Arc::new([]),
                presence: Arc::new(TopicPresence::new(1)),
                memory: Arc::new(MemoryBudget::unlimited()),
                health: crate::health::Health::default(),
            },
        }
    }

    /// Lets a module act, and gives what it asked for, in order.
    pub fn perform(&mut self, act: impl FnOnce(&mut Context<'_>)) -> Vec<Said> {
        let mut outgoing = Outgoing::new(1);
        act(&mut Context {
            handle: &self.handle,
            outgoing: &mut outgoing,
            near: None,
            now_ms: 0,
        });
        outgoing.take().into_iter().map(said).collect()
    }
}

fn said(command: Command) -> Said {
    match command {
        Command::Send { session, message } => Said::Sent(session, message),
        Command::SendPrepared { prepared, .. } | Command::Publish { prepared, .. } => {
            Said::Published(prepared.message().clone())
        }
        Command::Close {
            session, reason, ..
        } => Said::Closed(session, reason),
        _ => Said::Other,
    }
}
