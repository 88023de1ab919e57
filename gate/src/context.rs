//! What a module may ask, in whatever thread it runs.

use std::sync::Arc;

use bytes::Bytes;
use common::{CloseReason, SessionId, TopicId};
use network::codec::MessageKind;
use network::codec::http::Response;
use network::{Ctx, Messages};

use crate::body::BodySource;
use crate::command::Command;
use crate::envelope::{Envelope, EnvelopePayload, Fence};
use crate::handle::{GateHandle, Outgoing};
use crate::held::hold_body;
use crate::tables::Tables;
use crate::topic::{Message, Prepared};

/// Answers and asks on behalf of a module. What it collects leaves at the end of the batch of
/// events that is being worked on, in order.
#[derive(Debug)]
pub struct Context<'a> {
    pub(crate) handle: &'a GateHandle,
    pub(crate) outgoing: &'a mut Outgoing,
    pub(crate) near: Option<Near<'a>>,
    pub(crate) now_ms: u64,
}

/// In a reactor thread: what belongs to that reactor, reached without a queue.
#[derive(Debug)]
pub(crate) struct Near<'a> {
    pub(crate) reactor: u16,
    pub(crate) tables: &'a mut Tables,
    pub(crate) ctx: Ctx<'a>,
}

impl Context<'_> {
    /// Milliseconds since the gate started; stands still during one call.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// A handle that can be kept and used from other threads.
    #[must_use]
    pub fn handle(&self) -> &GateHandle {
        self.handle
    }

    /// The next of the messages that came together, in [`crate::Module::on_messages`]. `None` if
    /// what comes next is to be looked at closer; it then comes by itself.
    #[inline]
    pub fn next_of<'a>(&self, messages: &'a mut Messages<'_>) -> Option<Envelope<'a>> {
        let session = messages.conn();
        let (kind, payload) = self.take_from(messages)?;
        Some(Envelope {
            session,
            kind,
            payload: EnvelopePayload::Borrowed(payload),
        })
    }

    /// What [`Context::next_of`] makes an envelope of. Always inline, as what it calls: between
    /// modules of which each has a loop of its own the compiler would share it, and a message of a
    /// few bytes costs a quarter more.
    #[inline(always)]
    pub(crate) fn take_from<'a>(
        &self,
        messages: &'a mut Messages<'_>,
    ) -> Option<(MessageKind, &'a mut [u8])> {
        messages.next(&self.near.as_ref()?.ctx)
    }

    /// What of the session's reactor can be reached directly.
    #[inline]
    fn near(&mut self, session: SessionId) -> Option<(&mut Tables, Ctx<'_>)> {
        let near = self.near.as_mut()?;
        (near.reactor == session.reactor()).then(|| (&mut *near.tables, near.ctx.reborrow()))
    }

    /// Sends a message, copying the payload.
    #[inline]
    pub fn send(&mut self, session: SessionId, kind: MessageKind, payload: &[u8]) {
        match self.near(session) {
            // Without success it is gone, or dealt with and counted by the outbox's policy.
            Some((_, mut ctx)) => {
                let _ = ctx.send(session, kind, payload);
            }
            None => self.send_far(session, kind, payload),
        }
    }

    /// To a session of another thread.
    #[inline(never)]
    fn send_far(&mut self, session: SessionId, kind: MessageKind, payload: &[u8]) {
        let payload = Bytes::copy_from_slice(payload);
        self.send_message(session, Message::new(kind, payload));
    }

    /// Sends a message without copying it on the way to the reactor.
    pub fn send_message(&mut self, session: SessionId, message: Message) {
        self.ask(session, Command::Send { session, message });
    }

    /// Sends one message to each of `sessions`, encoded once per wire form.
    pub fn send_many(&mut self, sessions: &[SessionId], message: Message) {
        if sessions.len() == 1 {
            self.send_message(sessions[0], message);
        } else if !sessions.is_empty() {
            self.outgoing.send_many(sessions, message);
        }
    }

    /// Sends a message to all subscribers of a topic.
    pub fn publish(&mut self, topic: TopicId, message: Message) {
        self.publish_except(topic, message, None);
    }

    /// Sends a message to all subscribers of a topic except one session.
    pub fn publish_except(&mut self, topic: TopicId, message: Message, except: Option<SessionId>) {
        let Some(near) = &mut self.near else {
            self.outgoing
                .publish(&self.handle.presence, topic, message, except);
            return;
        };
        let prepared = Arc::new(Prepared::of_topic(topic, message));
        for reactor in self.handle.presence.reactors(topic) {
            let prepared = Arc::clone(&prepared);
            if reactor == near.reactor {
                near.tables
                    .publish(&mut near.ctx.reborrow(), topic, prepared, except);
            } else {
                let command = Command::Publish {
                    topic,
                    prepared,
                    except,
                };
                self.outgoing.push(SessionId::new(reactor, 0, 0), command);
            }
        }
    }

    /// Adds a session to a topic; nothing happens if it is in it.
    pub fn subscribe(&mut self, session: SessionId, topic: TopicId) {
        if topic == TopicId::ALL {
            return;
        }
        if self.near(session).is_some() {
            self.handle.presence.enter(topic, session.reactor());
            self.ask(session, Command::Subscribe { session, topic });
        } else {
            self.outgoing
                .subscribe(&self.handle.presence, session, topic);
        }
    }

    /// Takes a session out of a topic.
    pub fn unsubscribe(&mut self, session: SessionId, topic: TopicId) {
        self.ask(session, Command::Unsubscribe { session, topic });
    }

    /// Asks for [`crate::Module::on_drained`] once all that was sent to the session so far is with
    /// the kernel: how to send much to a session without filling its outbox.
    pub fn watch(&mut self, session: SessionId) {
        self.ask(session, Command::Watch { session });
    }

    /// Says that a user has logged in, which ends the session's authentication deadline. Who that
    /// is, is the module's to know.
    pub fn bind(&mut self, session: SessionId) {
        self.ask(session, Command::Bind { session });
    }

    /// Says that the user has logged out; a new authentication deadline runs.
    pub fn unbind(&mut self, session: SessionId) {
        self.ask(session, Command::Unbind { session });
    }

    /// Answers the HTTP request that the session waits with.
    pub fn respond(&mut self, session: SessionId, response: Response) {
        let response = Box::new(hold_body(response, &self.handle.memory));
        self.ask(session, Command::Respond { session, response });
    }

    /// See [`GateHandle::respond_in_pieces`].
    pub fn respond_in_pieces(
        &mut self,
        session: SessionId,
        head: Response,
        body_bytes: u64,
        source: Box<dyn BodySource>,
    ) {
        self.ask(
            session,
            Command::RespondInPieces {
                session,
                head: Box::new(head),
                body_bytes,
                source,
            },
        );
    }

    /// Asks for the next piece of the body of the request that the session is in the middle of; see
    /// [`crate::Module::on_upload`].
    pub fn read_body(&mut self, session: SessionId) {
        self.ask(session, Command::ReadBody { session });
    }

    /// Closes a session in order, after what was sent to it. `text` goes into the close frame where
    /// the framing has one; at most 123 bytes of it.
    pub fn close(&mut self, session: SessionId, reason: CloseReason, text: &str) {
        self.ask(
            session,
            Command::Close {
                session,
                reason,
                text: text.to_owned(),
            },
        );
    }

    /// Hands over what was collected so far, instead of at the end of the batch: what other threads
    /// send from here on comes after it. In a reactor nothing of its own sessions waits anyway.
    pub fn flush(&mut self) {
        if self.near.is_none() {
            self.outgoing.submit(self.handle);
        }
    }

    pub(crate) fn pass_fence(&mut self, session: SessionId, fence: Fence) {
        self.ask(session, Command::Fence { session, fence });
    }

    /// Does it here if the session is one of this reactor's, or sends it where it belongs.
    fn ask(&mut self, session: SessionId, command: Command) {
        match self.near(session) {
            Some((tables, mut ctx)) => tables.apply(&mut ctx, command),
            None => self.outgoing.push(session, command),
        }
    }
}
