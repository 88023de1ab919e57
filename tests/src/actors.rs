//! The modules that test nodes run.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gate::{
    CloseReason, Context, Drops, Envelope, GateHandle, Handshake, HttpRequest, Message, Module,
    Response, SessionId, TopicId,
};

use crate::PATIENCE;

/// Sends each message back, answers each request with its body, and says `limited` when a session
/// is over its rate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl Module for Echo {
    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        context.send(envelope.session, envelope.kind, envelope.payload());
    }

    fn on_request(&mut self, context: &mut Context<'_>, request: HttpRequest) {
        let response =
            Response::new(200).with_body("application/octet-stream", request.body.clone());
        context.respond(request.session, response);
    }

    fn on_limited(&mut self, context: &mut Context<'_>, session: SessionId) {
        context.send_message(session, Message::text("limited"));
    }
}

/// Does what its clients say, one command a message, and answers `ok`:
///
/// ```text
///   join T      leave T      say T text      others T text (all but me)
///   all text (everyone)      echo text       bind            quit code
/// ```
///
/// Whoever has the `ok` to a `join` is a subscriber from then on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hall;

impl Module for Hall {
    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        let session = envelope.session;
        let text = String::from_utf8_lossy(envelope.payload()).into_owned();
        let (command, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let (number, what) = rest.split_once(' ').unwrap_or((rest, ""));
        let topic = || TopicId(number.parse().expect("the number of a topic"));
        match command {
            "join" => context.subscribe(session, topic()),
            "leave" => context.unsubscribe(session, topic()),
            "say" => context.publish(topic(), Message::text(what.to_owned())),
            "others" => {
                let message = Message::text(what.to_owned());
                context.publish_except(topic(), message, Some(session));
            }
            "all" => context.publish(TopicId::ALL, Message::text(rest.to_owned())),
            "echo" => {
                context.send_message(session, Message::text(rest.to_owned()));
                return;
            }
            "bind" => context.bind(session),
            "unbind" => context.unbind(session),
            "quit" => {
                let code = number.parse().expect("a close code");
                context.close(session, CloseReason::Module(code), "as asked");
                return;
            }
            other => panic!("the hall knows no {other:?}"),
        }
        context.send_message(session, Message::text("ok"));
    }
}

/// Echoes like [`Echo`]; but a message `hold` waits, and its whole worker with it, as long as the
/// test holds the lock.
#[derive(Clone, Debug, Default)]
pub struct Gated(Arc<Mutex<()>>);

impl Gated {
    /// Makes the instances of a node, all with this lock.
    pub fn maker(&self) -> impl Fn(&GateHandle) -> Self + Send + Sync + 'static {
        let gated = self.clone();
        move |_| gated.clone()
    }

    /// Lets `hold` wait until the guard is dropped.
    pub fn hold(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Module for Gated {
    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        if envelope.payload() == b"hold" {
            drop(self.hold());
        }
        context.send(envelope.session, envelope.kind, envelope.payload());
    }
}

/// What a [`Probe`] was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A session began, at this path.
    Open(SessionId, String),
    /// A session sent this.
    Message(SessionId, Vec<u8>),
    /// A session asked for this path.
    Request(SessionId, String),
    /// A session was over its rate.
    Limited(SessionId),
    /// Messages to a session were dropped.
    Drops(SessionId, Drops),
    /// The outbox of a session has become empty.
    Drained(SessionId),
    /// A session ended.
    Close(SessionId, CloseReason),
}

/// Tells the test what it is told and answers nothing: the test answers through the handle.
#[derive(Clone, Debug)]
pub struct Probe {
    seen: Sender<Seen>,
}

impl Probe {
    /// A probe, to be cloned for each thread, and what it will have seen.
    #[must_use]
    pub fn new() -> (Self, Sightings) {
        let (seen, sightings) = channel();
        (Self { seen }, Sightings(sightings))
    }

    fn tell(&self, seen: Seen) {
        // A test that has ended does not look any more.
        let _ = self.seen.send(seen);
    }
}

impl Module for Probe {
    fn on_open(&mut self, _: &mut Context<'_>, session: SessionId, handshake: &Handshake) {
        self.tell(Seen::Open(session, handshake.path.clone()));
    }

    fn on_message(&mut self, _: &mut Context<'_>, envelope: Envelope<'_>) {
        self.tell(Seen::Message(envelope.session, envelope.payload().to_vec()));
    }

    fn on_request(&mut self, _: &mut Context<'_>, request: HttpRequest) {
        self.tell(Seen::Request(request.session, request.path));
    }

    fn on_limited(&mut self, _: &mut Context<'_>, session: SessionId) {
        self.tell(Seen::Limited(session));
    }

    fn on_drops(&mut self, _: &mut Context<'_>, session: SessionId, drops: Drops) {
        self.tell(Seen::Drops(session, drops));
    }

    fn on_drained(&mut self, _: &mut Context<'_>, session: SessionId) {
        self.tell(Seen::Drained(session));
    }

    fn on_close(&mut self, _: &mut Context<'_>, session: SessionId, reason: CloseReason) {
        self.tell(Seen::Close(session, reason));
    }
}

/// What probes have seen, in the order in which each session saw it.
#[derive(Debug)]
pub struct Sightings(Receiver<Seen>);

impl Sightings {
    /// The next sighting.
    ///
    /// # Panics
    /// If there is none in time.
    #[must_use]
    pub fn take(&self) -> Seen {
        self.0
            .recv_timeout(PATIENCE)
            .expect("the module is told something")
    }

    /// The next sighting, if it comes within `wait`.
    #[must_use]
    pub fn within(&self, wait: Duration) -> Option<Seen> {
        self.0.recv_timeout(wait).ok()
    }

    /// The session whose opening is seen next.
    ///
    /// # Panics
    /// If something else is.
    #[must_use]
    pub fn opened(&self) -> SessionId {
        match self.take() {
            Seen::Open(session, _) => session,
            other => panic!("expected an opening and not {other:?}"),
        }
    }

    /// The reason of the end that is seen next, whatever comes before it.
    #[must_use]
    pub fn closed(&self) -> (SessionId, CloseReason) {
        loop {
            if let Seen::Close(session, reason) = self.take() {
                return (session, reason);
            }
        }
    }
}
