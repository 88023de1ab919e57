//! What one reactor's gate keeps of its sessions and topics, and what commands do to it.

use std::sync::Arc;

use common::{CloseReason, SessionId, Tick, TopicId};
use network::Ctx;
use rustc_hash::FxHashMap;

use crate::body::BodySource;
use crate::command::Command;
use crate::envelope::Fence;
use crate::handle::GateHandle;
use crate::session::{SessionState, SessionTable};
use crate::topic::{Fanouts, Prepared, TopicPresence, TopicTable};

/// Topics that one session can be in.
const TOPICS_PER_SESSION_MAX: usize = 4096;

#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) sessions: SessionTable,
    pub(crate) topics: TopicTable,
    pub(crate) fanouts: Fanouts,
    pub(crate) presence: Arc<TopicPresence>,
    /// What brings the bodies of answers that go out in pieces.
    sources: FxHashMap<SessionId, Box<dyn BodySource>>,
    /// Seconds that a session has to log in, by listener; 0 for no limit.
    pub(crate) auth_seconds: Vec<u32>,
}

impl Tables {
    pub(crate) fn new(presence: Arc<TopicPresence>, auth_seconds: Vec<u32>) -> Self {
        Self {
            sessions: SessionTable::default(),
            topics: TopicTable::default(),
            fanouts: Fanouts::default(),
            sources: FxHashMap::default(),
            presence,
            auth_seconds,
        }
    }

    /// Does what a command asks. Sessions that are gone are none of anybody's business any more.
    pub(crate) fn apply(&mut self, ctx: &mut Ctx<'_>, command: Command) {
        match command {
            Command::Send { session, message } => {
                // Without success it is gone, or dealt with and counted by the outbox's policy.
                let _ = ctx.send_as(session, message.kind, &message.payload, message.delivery);
            }
            Command::SendPrepared { sessions, prepared } => {
                for session in sessions {
                    if let Some(form) = ctx.wire_form(session)
                        && let Ok(bytes) = prepared.wire(ctx, form)
                    {
                        // Without success it is gone, or dealt with and counted by its policy.
                        let _ = ctx.send_encoded(session, bytes, prepared.delivery());
                    }
                }
            }
            Command::Publish {
                topic,
                prepared,
                except,
            } => {
                self.publish(ctx, topic, prepared, except);
            }
            Command::Subscribe { session, topic } => self.subscribe(session, topic),
            Command::Unsubscribe { session, topic } => self.unsubscribe(session, topic),
            Command::Watch { session } => ctx.watch(session),
            Command::Bind { session } => {
                if let Some(entry) = self.sessions.get_mut(session) {
                    entry.state = SessionState::Bound;
                    ctx.set_deadline(session, Tick::default());
                }
            }
            Command::Unbind { session } => {
                if let Some(entry) = self.sessions.get_mut(session) {
                    entry.state = SessionState::Anonymous;
                    self.expect_login(ctx, session);
                }
            }
            Command::Respond { session, response } => {
                // Who does not wait for an answer any more has gone.
                let _ = ctx.respond(session, &response);
                self.set_exchange(session, SessionState::Plain);
            }
            Command::RespondInPieces {
                session,
                head,
                body_bytes,
                source,
            } => {
                // In the same way.
                if let Ok(is_whole) = ctx.respond_in_pieces(session, &head, body_bytes) {
                    self.set_exchange(session, SessionState::Plain);
                    if !is_whole {
                        self.begin_body(ctx, session, source);
                    }
                }
            }
            Command::SendBody { session, piece } => match ctx.send_body(session, piece) {
                Ok(true) => self.set_exchange(session, SessionState::Plain),
                Ok(false) => ctx.watch(session),
                // It has gone, or a module does not know what it has promised.
                Err(_) => {}
            },
            Command::ReadBody { session } => ctx.read_body(session),
            Command::Close {
                session,
                reason,
                text,
            } => ctx.close(session, reason, &text),
            Command::Fence { session, fence } => end_session(ctx, session, fence),
            Command::Drain { .. } => unreachable!("the gate takes this one itself"),
        }
    }

    /// Notes what goes on with a request; what brought the body of its answer is not needed any
    /// more.
    fn set_exchange(&mut self, session: SessionId, state: SessionState) {
        let Some(entry) = self.sessions.get_mut(session) else {
            return;
        };
        if entry.state == SessionState::Sending {
            self.sources.remove(&session);
        }
        if !entry.state.is_announced() {
            entry.state = state;
        }
    }

    /// Has the body of an answer brought.
    fn begin_body(&mut self, ctx: &mut Ctx<'_>, session: SessionId, source: Box<dyn BodySource>) {
        self.set_exchange(session, SessionState::Sending);
        self.sources.insert(session, source);
        // Told when the head is with the kernel, and so not within this call.
        ctx.watch(session);
    }

    /// The client has taken what there was of a body.
    pub(crate) fn go_on_with_body(
        &mut self,
        ctx: &mut Ctx<'_>,
        session: SessionId,
        handle: &GateHandle,
    ) {
        if let Some(source) = self.sources.get_mut(&session)
            && !source.next(session, handle)
        {
            ctx.close(session, CloseReason::Module(1011), "");
        }
    }

    /// Starts the time that a session has to log in.
    pub(crate) fn expect_login(&self, ctx: &mut Ctx<'_>, session: SessionId) {
        let Some(entry) = self.sessions.get(session) else {
            return;
        };
        let seconds = self.auth_seconds[usize::from(entry.listener)];
        if seconds > 0 {
            ctx.set_deadline(session, ctx.now().past(seconds));
        }
    }

    /// Sends to the subscribers here, as far as the turn's budget goes.
    pub(crate) fn publish(
        &mut self,
        ctx: &mut Ctx<'_>,
        topic: TopicId,
        prepared: Arc<Prepared>,
        except: Option<SessionId>,
    ) {
        self.fanouts
            .begin(&mut self.topics, topic, prepared, except);
        self.run_fanouts(ctx);
    }

    /// Goes on with the fan-outs; true if some are left for the next turn.
    pub(crate) fn run_fanouts(&mut self, ctx: &mut Ctx<'_>) -> bool {
        self.fanouts.run(ctx, &mut self.sessions, &mut self.topics)
    }

    fn subscribe(&mut self, session: SessionId, topic: TopicId) {
        let subscribed = self.sessions.get_mut(session).is_some_and(|entry| {
            self.topics.count(&entry.topics) < TOPICS_PER_SESSION_MAX
                && self
                    .topics
                    .subscribe(topic, session.slot(), &mut entry.topics)
        });
        if !subscribed {
            self.presence.leave(topic, session.reactor());
        }
    }

    fn unsubscribe(&mut self, session: SessionId, topic: TopicId) {
        let Some(entry) = self.sessions.get_mut(session) else {
            return;
        };
        let mut topics = std::mem::take(&mut entry.topics);
        if let Some(compaction) = self.topics.unsubscribe(topic, &mut topics) {
            compaction.run(&mut self.sessions);
            self.presence.leave(topic, session.reactor());
        }
        if let Some(entry) = self.sessions.get_mut(session) {
            entry.topics = topics;
        }
    }

    /// Takes a session out of all its topics and out of the table.
    pub(crate) fn remove(&mut self, session: SessionId) -> Option<crate::session::Session> {
        let mut entry = self.sessions.remove(session)?;
        if entry.state == SessionState::Sending {
            self.sources.remove(&session);
        }
        while let Some((topic, compaction)) = self.topics.leave_one(&mut entry.topics) {
            compaction.run(&mut self.sessions);
            self.presence.leave(topic, session.reactor());
        }
        Some(entry)
    }
}

/// Ends a session whose replies are all queued.
pub(crate) fn end_session(ctx: &mut Ctx<'_>, session: SessionId, fence: Fence) {
    match fence {
        Fence::Last(last) => ctx.end(session, last),
        Fence::OverRate => ctx.close(session, CloseReason::RateExceeded, "too many messages"),
        Fence::Drain(reason) => ctx.close(session, reason, "the server stops"),
    }
}
