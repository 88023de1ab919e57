//! What a product adds to the admin listener.

use std::fmt;
use std::sync::Arc;

use network::codec::http::Response;
use parking_lot::RwLock;

use crate::envelope::HttpRequest;
use crate::handle::GateHandle;

/// Answers requests of operators.
pub trait Service: Send + Sync + 'static {
    /// A request has come, from somebody who may make it. It is to be answered with
    /// [`GateHandle::respond`], now or later; called from the one worker of the listener, it must
    /// not wait.
    fn on_request(&self, gate: &GateHandle, request: HttpRequest);

    /// What somebody is told who may not make a request: 401 without the token, 403 where none is
    /// configured. In the words of the service, if it has some of its own for errors.
    fn refuse(&self, status: u16, reason: &str) -> Response {
        Response::text(status, format!("{reason}\n"))
    }
}

/// Services by the beginnings of their paths.
#[derive(Default)]
pub(super) struct Mounts(RwLock<Vec<(&'static str, Arc<dyn Service>)>>);

impl fmt::Debug for Mounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.0.read();
        f.debug_set()
            .entries(paths.iter().map(|(path, _)| path))
            .finish()
    }
}

impl Mounts {
    pub(super) fn add(&self, prefix: &'static str, service: Arc<dyn Service>) {
        self.0.write().push((prefix, service));
    }

    /// The service of a path.
    pub(super) fn find(&self, path: &str) -> Option<Arc<dyn Service>> {
        let mounts = self.0.read();
        let found = mounts.iter().find(|(prefix, _)| path.starts_with(prefix));
        found.map(|(_, service)| Arc::clone(service))
    }
}
