//! The script of scenarios whose connections are only held: they log in if that was asked for, send
//! heartbeats, and remember how they ended.

use std::time::Instant;

use common::ConnId;
use network::Ctx;

use crate::load::{Dialer, End, Opened, Place, Script};
use crate::native::{self, Incoming, Login, Names};

/// Holds the connections of one thread.
#[derive(Debug)]
pub(super) struct Hold {
    place: Place,
    login: Option<Login>,
    ends: Vec<(Instant, End)>,
}

impl Hold {
    /// Logs in under `names`, if there are any.
    pub(super) fn new(place: Place, names: Option<Names>) -> Self {
        Self {
            place,
            login: names.map(Login::new),
            ends: Vec::new(),
        }
    }
}

impl Script for Hold {
    type Order = ();
    /// The ends of connections that were ready, in the order in which they came.
    type Outcome = Vec<(Instant, End)>;

    fn on_ready(&mut self, ctx: &mut Ctx<'_>, opened: Opened) {
        if let Some(login) = &mut self.login {
            login.begin(ctx, opened.conn, opened.number);
        }
    }

    fn on_message(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, payload: &[u8]) {
        if let Some(login) = &mut self.login
            && let Incoming::Reply(reply) = native::read(payload)
        {
            login.on_reply(ctx, conn, &reply, &self.place.tally);
        }
    }

    fn on_deadline(&mut self, ctx: &mut Ctx<'_>, conn: ConnId) {
        if let Some(login) = &mut self.login {
            login.heartbeat(ctx, conn);
        }
    }

    fn on_end(&mut self, _: &mut Dialer, _: ConnId, end: End) {
        self.ends.push((Instant::now(), end));
    }

    fn on_order(&mut self, _: &mut Ctx<'_>, _: &mut Dialer, (): ()) {}

    fn finish(&mut self) -> Self::Outcome {
        std::mem::take(&mut self.ends)
    }
}
