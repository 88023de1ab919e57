//! The native JSON protocol (docs/protocol.md).

mod client;
mod operation;
mod reply;
mod wire;

use std::sync::Arc;

use common::{CloseReason, ErrorCode, SessionId};
use gate::{Context, Envelope, Handshake, MessageKind, Module};
use rustc_hash::FxHashMap;

use crate::im::{Im, ImError};
use client::Client;

pub(crate) use wire::encode_push;

/// The adapter. Each worker has one, with the sessions that are bound to it.
///
/// For workers only: outcomes reach a session from the store's threads, through the queue of its
/// reactor, and a module that runs in the reactor would overtake them.
#[derive(Debug)]
pub struct Native {
    im: Arc<Im>,
    sessions: FxHashMap<SessionId, Arc<Client>>,
}

impl Native {
    /// An adapter in front of an IM.
    #[must_use]
    pub fn new(im: Arc<Im>) -> Self {
        Self {
            im,
            sessions: FxHashMap::default(),
        }
    }

    fn client(
        &mut self,
        context: &Context<'_>,
        session: SessionId,
        kind: MessageKind,
    ) -> Arc<Client> {
        let client = self.sessions.entry(session).or_insert_with(|| {
            self.im.learn(context);
            Arc::new(Client::new(Arc::clone(&self.im), session, kind))
        });
        Arc::clone(client)
    }
}

impl Module for Native {
    fn on_open(&mut self, context: &mut Context<'_>, session: SessionId, handshake: &Handshake) {
        self.client(context, session, handshake.kind);
    }

    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        let client = self.client(context, envelope.session, envelope.kind);
        client.on_message(context, envelope.payload());
    }

    fn on_limited(&mut self, context: &mut Context<'_>, session: SessionId) {
        let error = ImError::new(ErrorCode::RateLimited, "too many messages; slow down");
        let client = self.client(context, session, MessageKind::Text);
        client.answer(context, None, &Err(error));
    }

    fn on_close(&mut self, context: &mut Context<'_>, session: SessionId, _: CloseReason) {
        if let Some(client) = self.sessions.remove(&session) {
            client.on_close(context);
        }
    }
}
