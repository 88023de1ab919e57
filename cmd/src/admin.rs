//! The admin listener of a node.

use gate::GateError;
use gate::admin::{Admin, AdminConfig, AdminError};

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
