//! Reaching sessions, from a worker or from a thread of the store.

use common::{CloseReason, SessionId, TopicId};
use gate::{Batch, Context, Message};

/// Where what sessions are told is handed over. What one thread asks of one session happens in that
/// order.
pub(crate) trait Outlet {
    fn send(&mut self, session: SessionId, message: Message);
    fn send_many(&mut self, sessions: &[SessionId], message: Message);
    fn publish(&mut self, topic: TopicId, message: Message, except: Option<SessionId>);
    fn subscribe(&mut self, session: SessionId, topic: TopicId);
    fn unsubscribe(&mut self, session: SessionId, topic: TopicId);
    fn bind(&mut self, session: SessionId);
    fn unbind(&mut self, session: SessionId);
    fn close(&mut self, session: SessionId, reason: CloseReason, text: &str);
    /// Hands over what was collected: before another thread is asked for what comes after it.
    fn flush(&mut self);
}

impl Outlet for Context<'_> {
    fn send(&mut self, session: SessionId, message: Message) {
        self.send_message(session, message);
    }

    fn send_many(&mut self, sessions: &[SessionId], message: Message) {
        Context::send_many(self, sessions, message);
    }

    fn publish(&mut self, topic: TopicId, message: Message, except: Option<SessionId>) {
        self.publish_except(topic, message, except);
    }

    fn subscribe(&mut self, session: SessionId, topic: TopicId) {
        Context::subscribe(self, session, topic);
    }

    fn unsubscribe(&mut self, session: SessionId, topic: TopicId) {
        Context::unsubscribe(self, session, topic);
    }

    fn bind(&mut self, session: SessionId) {
        Context::bind(self, session);
    }

    fn unbind(&mut self, session: SessionId) {
        Context::unbind(self, session);
    }

    fn close(&mut self, session: SessionId, reason: CloseReason, text: &str) {
        Context::close(self, session, reason, text);
    }

    fn flush(&mut self) {
        Context::flush(self);
    }
}

impl Outlet for Batch<'_> {
    fn send(&mut self, session: SessionId, message: Message) {
        Batch::send(self, session, message);
    }

    fn send_many(&mut self, sessions: &[SessionId], message: Message) {
        Batch::send_many(self, sessions, message);
    }

    fn publish(&mut self, topic: TopicId, message: Message, except: Option<SessionId>) {
        Batch::publish(self, topic, message, except);
    }

    fn subscribe(&mut self, session: SessionId, topic: TopicId) {
        Batch::subscribe(self, session, topic);
    }

    fn unsubscribe(&mut self, session: SessionId, topic: TopicId) {
        Batch::unsubscribe(self, session, topic);
    }

    fn bind(&mut self, session: SessionId) {
        Batch::bind(self, session);
    }

    fn unbind(&mut self, session: SessionId) {
        Batch::unbind(self, session);
    }

    fn close(&mut self, session: SessionId, reason: CloseReason, text: &str) {
        Batch::close(self, session, reason, text);
    }

    fn flush(&mut self) {
        Batch::flush(self);
    }
}
