//! Connecting, paced: so many under way at once, from and to addresses in turn.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use common::ConnId;
use network::Ctx;

/// Milliseconds without a new attempt after one that failed: a server that is gone refuses as fast
/// as it is asked, and a churn would ask for ever.
const PAUSE_MS: u64 = 100;

/// An address to connect to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint {
    pub(crate) remote: SocketAddr,
    /// Whether a connection is ready only after an upgrade.
    pub(crate) upgrades: bool,
}

/// The addresses, shared by all threads.
#[derive(Debug)]
pub(crate) struct Routes {
    /// By index of the profile.
    pub(crate) endpoints: Vec<Endpoint>,
    /// Empty leaves the source to the kernel.
    pub(crate) sources: Vec<SocketAddr>,
}

/// Opens the connections of one thread.
#[derive(Debug)]
pub(crate) struct Dialer {
    routes: Arc<Routes>,
    /// Number of the next connection, and how far the numbers of this thread lie apart.
    next: u32,
    step: u32,
    wanted: u32,
    /// `dialing <= dialing_max`
    dialing: u32,
    dialing_max: u32,
    /// On the reactor's clock; no attempt before.
    not_before_ms: u64,
    /// The next attempt waits for a moment.
    hesitates: bool,
}

impl Dialer {
    pub(crate) fn new(routes: Arc<Routes>, first: u32, step: u32, dialing_max: u32) -> Self {
        Self {
            routes,
            next: first,
            step,
            wanted: 0,
            dialing: 0,
            dialing_max,
            not_before_ms: 0,
            hesitates: false,
        }
    }

    /// Asks for `n` more connections.
    pub(crate) fn request(&mut self, n: u32) {
        self.wanted += n;
    }

    /// Has the next attempt wait as after one that has failed.
    pub(crate) fn hesitate(&mut self) {
        self.hesitates = true;
    }

    /// Takes back what is asked for and not begun.
    pub(crate) fn cancel(&mut self) {
        self.wanted = 0;
    }

    /// Connections asked for that are not ready yet.
    pub(crate) fn pending(&self) -> u32 {
        self.wanted + self.dialing
    }

    pub(crate) fn upgrades(&self, profile: u16) -> bool {
        self.routes.endpoints[usize::from(profile)].upgrades
    }

    /// An attempt has ended; if badly, the next ones wait.
    pub(crate) fn settle(&mut self, now_ms: u64, made: bool) {
        self.dialing -= 1;
        if !made {
            self.not_before_ms = now_ms + PAUSE_MS;
        }
    }

    /// Begins one connection, if one is wanted and may be begun now.
    pub(crate) fn dial(&mut self, ctx: &mut Ctx<'_>) -> Option<(u32, io::Result<ConnId>)> {
        if std::mem::take(&mut self.hesitates) {
            self.not_before_ms = ctx.now_ms() + PAUSE_MS;
        }
        if self.wanted == 0 || self.dialing >= self.dialing_max || ctx.now_ms() < self.not_before_ms
        {
            return None;
        }
        let number = self.next;
        self.next = self.next.wrapping_add(self.step);
        self.wanted -= 1;
        let Routes { endpoints, sources } = &*self.routes;
        let at = number as usize;
        let profile = at % endpoints.len();
        // Neighbours share a target only if there is one, and then they differ in source.
        let source = at / endpoints.len() % sources.len().max(1);
        let made = ctx.connect(
            endpoints[profile].remote,
            sources.get(source).copied(),
            profile as u16,
        );
        match &made {
            Ok(_) => self.dialing += 1,
            Err(_) => self.not_before_ms = ctx.now_ms() + PAUSE_MS,
        }
        Some((number, made))
    }
}
