//! What a user of the framework implements.

use common::{CloseReason, SessionId};
use network::{Drops, Messages};

use crate::context::Context;
use crate::envelope::{BodyPiece, Envelope, EnvelopePayload, Handshake, HttpRequest};

/// The meaning of messages: is told what sessions do, and answers through [`Context`].
///
/// Every thread that runs the module has an instance of its own; what they share they share by
/// their own means. The events of one session always come to the same instance, in order.
pub trait Module: Send {
    /// A session has begun: a WebSocket is open, or a TCP client has connected.
    fn on_open(&mut self, _context: &mut Context<'_>, _session: SessionId, _handshake: &Handshake) {
    }

    /// A session has sent a message.
    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>);

    /// A session has sent messages that were read together; only asked where the module runs in the
    /// reactor. Those that are not taken, and all that come in another way, come to
    /// [`Module::on_message`].
    fn on_messages(&mut self, context: &mut Context<'_>, messages: &mut Messages<'_>) {
        let session = messages.conn();
        while let Some((kind, payload)) = context.take_from(messages) {
            let payload = EnvelopePayload::Borrowed(payload);
            let envelope = Envelope {
                session,
                kind,
                payload,
            };
            self.on_message(context, envelope);
        }
    }

    /// An HTTP request has come to a path of this module. The connection waits for
    /// [`Context::respond`].
    fn on_request(&mut self, context: &mut Context<'_>, request: HttpRequest) {
        context.respond(
            request.session,
            network::codec::http::Response::text(404, "not found\n"),
        );
    }

    /// The head of a request has come whose body is to come in pieces
    /// ([`crate::Listener::uploads`]). Nothing of it is read, and a client that asks first is not
    /// told to begin, until [`Context::read_body`]. An answer before the body is whole is the last
    /// on its connection.
    fn on_upload(&mut self, context: &mut Context<'_>, request: HttpRequest) {
        self.on_request(context, request);
    }

    /// The piece of a body that was asked for has come. Behind all but the last one the socket is
    /// not read until [`Context::read_body`] asks for the next.
    fn on_body(&mut self, _context: &mut Context<'_>, _session: SessionId, _piece: BodyPiece) {}

    /// The connection has ended before a request whose body comes in pieces was answered.
    fn on_upload_lost(
        &mut self,
        _context: &mut Context<'_>,
        _session: SessionId,
        _reason: CloseReason,
    ) {
    }

    /// A session sends faster than it may; the message that was too many is dropped. Told at most
    /// once a second; a session that does not slow down is closed.
    fn on_limited(&mut self, _context: &mut Context<'_>, _session: SessionId) {}

    /// Messages to a session were dropped by their [`crate::Overflow`] policy, because it reads too
    /// slowly. Told once for all that a turn of the reactor has dropped.
    fn on_drops(&mut self, _context: &mut Context<'_>, _session: SessionId, _drops: Drops) {}

    /// The outbox of a session has become empty: after drops, after it was more than half full of
    /// messages that may not be dropped, or as [`Context::watch`] asked. What was missed can be
    /// sent now.
    fn on_drained(&mut self, _context: &mut Context<'_>, _session: SessionId) {}

    /// A session that was announced with `on_open` has ended.
    fn on_close(&mut self, _context: &mut Context<'_>, _session: SessionId, _reason: CloseReason) {}
}

/// Where a module runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// In worker threads: frames travel there in batches over channels. For whatever computes or
    /// keeps shared state.
    #[default]
    Worker,
    /// In the reactor thread itself, without a copy or a channel. For what is tiny and never
    /// blocks: every microsecond there is taken from all connections of the reactor.
    Reactor,
}
