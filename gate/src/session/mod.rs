//! The gate's view of a connection.

mod table;

use crate::envelope::ModuleId;
use crate::rate::Bucket;
use crate::topic::Memberships;

pub(crate) use table::SessionTable;

/// Where a session is in its life.
///
/// ```text
///   Receiving, Sending
///     ▲▼ a body in pieces begins, has ended
///   Plain ──upgrade, or accepted on TCP──▶ Anonymous ──bind──▶ Bound
///     │                                        │                 │
///     └──────────── connection closed ─────────┴─────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionState {
    /// HTTP so far: no module knows of it.
    Plain,
    /// HTTP, with a request whose body goes to its module in pieces.
    Receiving,
    /// HTTP, with an answer whose body goes out in pieces.
    Sending,
    /// Announced to its module; nobody has logged in.
    Anonymous,
    /// A user is bound to it.
    Bound,
}

impl SessionState {
    /// Whether the module knows of the session.
    pub(crate) const fn is_announced(self) -> bool {
        matches!(self, Self::Anonymous | Self::Bound)
    }
}

/// A session in its slot; it lives exactly as long as its connection.
#[derive(Debug)]
pub(crate) struct Session {
    /// Generation of the connection; 0 if the slot is free.
    pub(crate) generation: u32,
    pub(crate) module: ModuleId,
    /// Index of the listener.
    pub(crate) listener: u16,
    pub(crate) state: SessionState,
    /// A sign of life was asked for and has not come.
    pub(crate) asked: bool,
    /// Messages in a row that came over the rate.
    pub(crate) over_rate: u16,
    /// Fingerprint of the peer's address, for the cap per address.
    pub(crate) address: u32,
    pub(crate) bucket: Bucket,
    pub(crate) topics: Memberships,
}

/// A million of these is 36 MB.
const _: () = assert!(size_of::<Session>() <= 36);
