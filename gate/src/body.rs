//! Where the body of an answer comes from that goes out in pieces.

use std::fmt;

use common::SessionId;

use crate::handle::GateHandle;

/// Brings the body of an answer, piece by piece; see [`crate::GateHandle::respond_in_pieces`]. The
/// gate owns it, and drops it when the body is whole or its connection has ended.
pub trait BodySource: fmt::Debug + Send {
    /// The client has taken what there was. Has the next piece sent, once and soon, with
    /// [`GateHandle::send_body`]: by another thread, for this is called in the reactor and must
    /// not wait. False if there is none, which ends the connection in the middle of the body.
    fn next(&mut self, session: SessionId, handle: &GateHandle) -> bool;
}
