//! The admin listener of a node.

use gate::admin::{Admin, AdminConfig, AdminError, Service};
use gate::{GateError, GateHandle, HttpRequest, Response};
use module::adapter::rest::Rest;

use crate::node::StartError;

/// Starts it, if there is to be one; it says that the node is starting.
pub(crate) fn start(config: Option<&AdminConfig>) -> Result<Option<Admin>, StartError> {
    let Some(config) = config else {
        return Ok(None);
    };
    match Admin::start(config.clone()) {
        Ok(admin) => {
            tracing::info!(addr = %admin.addr(), "admin listener");
            Ok(Some(admin))
        }
        Err(AdminError::Gate(GateError::Listen { addr, error })) => {
            Err(StartError::AdminListen { addr, error })
        }
        Err(error) => Err(StartError::Admin(error)),
    }
}

/// The calls of administrators, as the admin listener serves them.
#[derive(Debug)]
pub(crate) struct Administration(pub(crate) Rest);

impl Service for Administration {
    fn on_request(&self, gate: &GateHandle, request: HttpRequest) {
        self.0.answer(gate, &request);
    }

    fn refuse(&self, status: u16, reason: &str) -> Response {
        Rest::refusal(status, reason)
    }
}
