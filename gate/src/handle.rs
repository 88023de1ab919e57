//! Reaching sessions from any thread.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use common::{CloseReason, SessionId, TopicId};
use network::codec::http::Response;
use network::{MemoryBudget, ReactorHandle, Stopped};

use crate::body::BodySource;
use crate::command::Command;
use crate::drain::Drain;
use crate::health::Health;
use crate::held::{hold, hold_body};
use crate::topic::{Message, Prepared, TopicPresence};

/// Sends, publishes, subscribes and closes, from any thread. Cheap to clone.
///
/// What is asked of sessions that are gone is dropped; that is no error, since a session can go at
/// any moment. What one thread asks of one session happens in the order in which it asked.
///
/// Each call hands a batch of one to the reactor concerned and waits while its queue is full;
/// [`GateHandle::batch`] hands over many at once.
#[derive(Clone)]
pub struct GateHandle {
    pub(crate) reactors: Arc<[ReactorHandle<Command>]>,
    pub(crate) presence: Arc<TopicPresence>,
    pub(crate) memory: Arc<MemoryBudget>,
    pub(crate) health: Health,
}

impl fmt::Debug for GateHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateHandle")
            .field("reactors", &self.reactors.len())
            .finish()
    }
}

impl GateHandle {
    /// Whether the gate's reactors run.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Sends a message to one session.
    pub fn send(&self, session: SessionId, message: Message) {
        self.batch().send(session, message);
    }

    /// Sends one message to each of `sessions`, encoded once per wire form.
    pub fn send_many(&self, sessions: &[SessionId], message: Message) {
        self.batch().send_many(sessions, message);
    }

    /// Sends a message to all subscribers of a topic, except one if given.
    pub fn publish(&self, topic: TopicId, message: Message, except: Option<SessionId>) {
        self.batch().publish(topic, message, except);
    }

    /// Adds a session to a topic; nothing happens if it is in it.
    pub fn subscribe(&self, session: SessionId, topic: TopicId) {
        self.batch().subscribe(session, topic);
    }

    /// Takes a session out of a topic.
    pub fn unsubscribe(&self, session: SessionId, topic: TopicId) {
        self.batch().unsubscribe(session, topic);
    }

    /// See [`crate::Context::watch`].
    pub fn watch(&self, session: SessionId) {
        self.batch().watch(session);
    }

    /// See [`crate::Context::bind`].
    pub fn bind(&self, session: SessionId) {
        self.batch().bind(session);
    }

    /// Answers the HTTP request that the session waits with.
    pub fn respond(&self, session: SessionId, response: Response) {
        self.batch().respond(session, response);
    }

    /// Answers the HTTP request that the session waits with, with a body of so many bytes in all,
    /// which `source` brings in pieces: each is asked for when the client has taken the one before.
    /// A client that takes nothing for the time of a frame is closed. Where there is nothing to
    /// send, as in answer to HEAD, it is not asked.
    pub fn respond_in_pieces(
        &self,
        session: SessionId,
        head: Response,
        body_bytes: u64,
        source: Box<dyn BodySource>,
    ) {
        self.batch()
            .respond_in_pieces(session, head, body_bytes, source);
    }

    /// Sends the piece of such a body that was asked for. What is more than was announced is not
    /// sent.
    pub fn send_body(&self, session: SessionId, piece: Bytes) {
        self.batch().send_body(session, piece);
    }

    /// See [`crate::Context::read_body`].
    pub fn read_body(&self, session: SessionId) {
        self.batch().read_body(session);
    }

    /// Closes a session in order, after what was sent to it.
    pub fn close(&self, session: SessionId, reason: CloseReason, text: &str) {
        self.batch().close(session, reason, text);
    }

    /// Collects requests, and hands them over together when it is dropped: one message and at most
    /// one wake-up per reactor.
    #[must_use]
    pub fn batch(&self) -> Batch<'_> {
        Batch {
            handle: self,
            outgoing: Outgoing::new(self.reactors.len()),
        }
    }

    /// Drains reactor by reactor, each with its share of the rate.
    pub(crate) fn drain(&self, drains: impl IntoIterator<Item = Drain>) {
        for (reactor, drain) in self.reactors.iter().zip(drains) {
            let command = Command::Drain(drain);
            self.memory.take(command.bytes());
            // A reactor that has ended has nothing left to drain.
            let _ = reactor.submit(vec![command]);
        }
    }
}

/// Requests that are handed over together; see [`GateHandle::batch`].
#[derive(Debug)]
pub struct Batch<'a> {
    handle: &'a GateHandle,
    outgoing: Outgoing,
}

impl Batch<'_> {
    /// See [`GateHandle::send`].
    pub fn send(&mut self, session: SessionId, message: Message) {
        self.outgoing
            .push(session, Command::Send { session, message });
    }

    /// See [`GateHandle::send_many`].
    pub fn send_many(&mut self, sessions: &[SessionId], message: Message) {
        self.outgoing.send_many(sessions, message);
    }

    /// See [`GateHandle::publish`].
    pub fn publish(&mut self, topic: TopicId, message: Message, except: Option<SessionId>) {
        self.outgoing
            .publish(&self.handle.presence, topic, message, except);
    }

    /// See [`GateHandle::subscribe`].
    pub fn subscribe(&mut self, session: SessionId, topic: TopicId) {
        self.outgoing
            .subscribe(&self.handle.presence, session, topic);
    }

    /// See [`GateHandle::unsubscribe`].
    pub fn unsubscribe(&mut self, session: SessionId, topic: TopicId) {
        self.outgoing
            .push(session, Command::Unsubscribe { session, topic });
    }

    /// See [`GateHandle::watch`].
    pub fn watch(&mut self, session: SessionId) {
        self.outgoing.push(session, Command::Watch { session });
    }

    /// See [`GateHandle::bind`].
    pub fn bind(&mut self, session: SessionId) {
        self.outgoing.push(session, Command::Bind { session });
    }

    /// See [`crate::Context::unbind`].
    pub fn unbind(&mut self, session: SessionId) {
        self.outgoing.push(session, Command::Unbind { session });
    }

    /// See [`GateHandle::respond`].
    pub fn respond(&mut self, session: SessionId, response: Response) {
        let response = Box::new(hold_body(response, &self.handle.memory));
        self.outgoing
            .push(session, Command::Respond { session, response });
    }

    /// See [`GateHandle::respond_in_pieces`].
    pub fn respond_in_pieces(
        &mut self,
        session: SessionId,
        head: Response,
        body_bytes: u64,
        source: Box<dyn BodySource>,
    ) {
        self.outgoing.push(
            session,
            Command::RespondInPieces {
                session,
                head: Box::new(head),
                body_bytes,
                source,
            },
        );
    }

    /// See [`GateHandle::send_body`].
    pub fn send_body(&mut self, session: SessionId, piece: Bytes) {
        let piece = hold(piece, &self.handle.memory);
        self.outgoing
            .push(session, Command::SendBody { session, piece });
    }

    /// See [`crate::Context::read_body`].
    pub fn read_body(&mut self, session: SessionId) {
        self.outgoing.push(session, Command::ReadBody { session });
    }

    /// See [`GateHandle::close`].
    pub fn close(&mut self, session: SessionId, reason: CloseReason, text: &str) {
        self.outgoing.push(
            session,
            Command::Close {
                session,
                reason,
                text: text.to_owned(),
            },
        );
    }
}

impl Batch<'_> {
    /// Hands over what was collected so far.
    pub fn flush(&mut self) {
        self.outgoing.submit(self.handle);
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Commands collected for each reactor.
#[derive(Debug)]
pub(crate) struct Outgoing {
    lanes: Vec<Vec<Command>>,
    /// Bytes of commands that the node's memory has not accounted for yet.
    unaccounted: usize,
}

impl Outgoing {
    pub(crate) fn new(reactors: usize) -> Self {
        Self {
            lanes: (0..reactors).map(|_| Vec::new()).collect(),
            unaccounted: 0,
        }
    }

    /// What was collected, without handing it over.
    #[cfg(feature = "fuzz")]
    pub(crate) fn take(&mut self) -> Vec<Command> {
        self.unaccounted = 0;
        self.lanes.iter_mut().flat_map(std::mem::take).collect()
    }

    #[inline]
    pub(crate) fn push(&mut self, session: SessionId, command: Command) {
        // An id that no reactor of ours made finds nobody.
        if let Some(lane) = self.lanes.get_mut(usize::from(session.reactor())) {
            self.unaccounted += command.bytes();
            lane.push(command);
        }
    }

    pub(crate) fn send_many(&mut self, sessions: &[SessionId], message: Message) {
        let prepared = Arc::new(Prepared::new(message));
        let mut rest: Vec<SessionId> = sessions.to_vec();
        rest.sort_unstable();
        for of_reactor in rest.chunk_by(|a, b| a.reactor() == b.reactor()) {
            self.push(
                of_reactor[0],
                Command::SendPrepared {
                    sessions: of_reactor.to_vec(),
                    prepared: Arc::clone(&prepared),
                },
            );
        }
    }

    pub(crate) fn publish(
        &mut self,
        presence: &TopicPresence,
        topic: TopicId,
        message: Message,
        except: Option<SessionId>,
    ) {
        let prepared = Arc::new(Prepared::of_topic(topic, message));
        for reactor in presence.reactors(topic) {
            let command = Command::Publish {
                topic,
                prepared: Arc::clone(&prepared),
                except,
            };
            self.push(SessionId::new(reactor, 0, 0), command);
        }
    }

    pub(crate) fn subscribe(
        &mut self,
        presence: &TopicPresence,
        session: SessionId,
        topic: TopicId,
    ) {
        if topic != TopicId::ALL && usize::from(session.reactor()) < self.lanes.len() {
            presence.enter(topic, session.reactor());
            self.push(session, Command::Subscribe { session, topic });
        }
    }

    /// From here on what was collected counts as held; the reactor that takes it gives it back.
    #[inline]
    fn account(&mut self, handle: &GateHandle) {
        if self.unaccounted > 0 {
            handle.memory.take(std::mem::take(&mut self.unaccounted));
        }
    }

    /// Hands over what was collected; waits for reactors whose queue is full.
    pub(crate) fn submit(&mut self, handle: &GateHandle) {
        self.account(handle);
        for (lane, reactor) in self.lanes.iter_mut().zip(handle.reactors.iter()) {
            if !lane.is_empty()
                && let Err(Stopped(commands)) = reactor.submit(std::mem::take(lane))
            {
                let bytes = commands.iter().map(Command::bytes).sum();
                handle.memory.give_back(bytes);
                tracing::debug!(
                    commands = commands.len(),
                    "dropped: the reactor has stopped"
                );
            }
        }
    }

    /// Hands over what was collected without waiting; true if something is left. What is left
    /// beyond `commands_max` per reactor is dropped.
    pub(crate) fn try_submit(&mut self, handle: &GateHandle, commands_max: usize) -> bool {
        self.account(handle);
        let mut left = false;
        for (lane, reactor) in self.lanes.iter_mut().zip(handle.reactors.iter()) {
            if lane.is_empty() {
                continue;
            }
            if let Err(error) = reactor.try_submit(std::mem::take(lane))
                && !error.is_disconnected()
            {
                *lane = error.into_inner();
                if lane.len() > commands_max {
                    tracing::warn!(
                        dropped = lane.len() - commands_max,
                        "a reactor is overloaded"
                    );
                    let dropped = lane.drain(commands_max..);
                    let bytes = dropped.map(|command| command.bytes()).sum();
                    handle.memory.give_back(bytes);
                }
                left = true;
            }
        }
        left
    }
}
