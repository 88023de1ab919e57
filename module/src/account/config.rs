//! What an operator decides about accounts.

use std::path::PathBuf;
use std::time::Duration;

use super::LoginPolicy;
use super::password::HashCost;
use super::token::BackendFile;
use crate::webhook::Endpoint;

/// What is decided about accounts and logins.
#[derive(Clone, Debug)]
pub struct AccountConfig {
    /// Whoever gives a name is let in as a guest of that name. For trying things out.
    pub guests: bool,
    /// Anyone may register.
    pub registration: bool,
    /// Which sessions may be open side by side.
    pub policy: LoginPolicy,
    /// How long a token is good; it can be renewed until then.
    pub token_lifetime: Duration,
    /// What a password's hash costs.
    pub hash_cost: HashCost,
    /// Whose tokens are taken beside our own.
    pub backend: Option<BackendFile>,
    /// Who is asked about tokens that are neither.
    pub auth_webhook: Option<Endpoint>,
    /// File of the secret that these requests are signed with; none for no signature.
    pub auth_webhook_secret_file: Option<PathBuf>,
}

impl Default for AccountConfig {
    /// As for trying things out: guests are let in.
    fn default() -> Self {
        Self {
            guests: true,
            registration: true,
            policy: LoginPolicy::default(),
            token_lifetime: Duration::from_secs(7 * 24 * 3600),
            hash_cost: HashCost::default(),
            backend: None,
            auth_webhook: None,
            auth_webhook_secret_file: None,
        }
    }
}
