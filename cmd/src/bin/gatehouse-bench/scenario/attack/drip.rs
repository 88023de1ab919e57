//! Clients that are for ever about to finish what they say: half of them in a request head, half in
//! a WebSocket message.

use bytes::Bytes;
use common::ConnId;
use network::{Ctx, Delivery};

use super::note_status;
use crate::load::{Dialer, End, Opened, Place, Script};

/// The front of a request head, up to inside a field that has no end.
const HALF_HEAD: &[u8] = b"GET /im HTTP/1.1\r\nHost: gatehouse\r\nX-Drip: ";
/// A text message of 10,000 bytes, masked with zeros, and the first ten of them.
const HALF_FRAME: &[u8] = b"\x81\xfe\x27\x10\0\0\0\0aaaaaaaaaa";

/// Drips on the connections of one thread.
#[derive(Debug)]
pub(super) struct Drip {
    place: Place,
}

impl Drip {
    pub(super) fn new(place: Place) -> Self {
        Self { place }
    }
}

impl Script for Drip {
    type Order = ();
    type Outcome = ();

    fn on_ready(&mut self, ctx: &mut Ctx<'_>, opened: Opened) {
        let half = match opened.number % 2 {
            0 => HALF_FRAME,
            _ => HALF_HEAD,
        };
        drip(ctx, opened.conn, half);
    }

    fn on_message(&mut self, _: &mut Ctx<'_>, _: ConnId, payload: &[u8]) {
        note_status(&self.place.tally, payload);
    }

    fn on_deadline(&mut self, ctx: &mut Ctx<'_>, conn: ConnId) {
        drip(ctx, conn, b"a");
    }

    fn on_end(&mut self, dialer: &mut Dialer, _: ConnId, _: End) {
        dialer.request(1);
    }

    fn on_failure(&mut self, dialer: &mut Dialer) {
        dialer.request(1);
    }

    fn on_order(&mut self, _: &mut Ctx<'_>, _: &mut Dialer, (): ()) {}

    fn finish(&mut self) {}
}

fn drip(ctx: &mut Ctx<'_>, conn: ConnId, bytes: &'static [u8]) {
    // A connection that is gone is counted when its end is reported.
    let _ = ctx.send_encoded(conn, Bytes::from_static(bytes), Delivery::default());
    ctx.set_deadline(conn, ctx.now().after(1));
}
