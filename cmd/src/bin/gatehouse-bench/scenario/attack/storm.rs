//! Connections that come and go at once: every other one upgrades first, and of each kind every
//! other one resets where the next closes in order.

use common::ConnId;
use network::Ctx;

use super::note_status;
use crate::load::{Dialer, End, GOODBYE, Opened, Place, Script};

/// Comes and goes on one thread.
#[derive(Debug)]
pub(super) struct Storm {
    place: Place,
}

impl Storm {
    pub(super) fn new(place: Place) -> Self {
        Self { place }
    }
}

impl Script for Storm {
    type Order = ();
    type Outcome = ();

    fn on_ready(&mut self, ctx: &mut Ctx<'_>, opened: Opened) {
        // The lowest bit tells who upgrades.
        if opened.number & 2 == 0 {
            ctx.abort(opened.conn, GOODBYE);
        } else {
            ctx.close(opened.conn, GOODBYE, "");
        }
    }

    fn on_message(&mut self, _: &mut Ctx<'_>, _: ConnId, payload: &[u8]) {
        note_status(&self.place.tally, payload);
    }

    fn on_end(&mut self, _: &mut Dialer, _: ConnId, end: End) {
        if end == End::Asked {
            self.place.tally.delivered.add(1);
        }
    }

    fn on_order(&mut self, _: &mut Ctx<'_>, _: &mut Dialer, (): ()) {}

    fn finish(&mut self) {}
}
