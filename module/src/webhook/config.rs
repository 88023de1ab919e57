//! What the operator decides about webhooks.

use std::path::PathBuf;
use std::time::Duration;

use super::endpoint::Endpoint;
use super::kind::Events;
use super::secret::{Secret, SecretError};

/// Who is asked and told, of what, and how patiently.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// Where requests go.
    pub endpoint: Endpoint,
    /// File of the secret that they are signed with; none for requests without a signature.
    pub secret_file: Option<PathBuf>,
    /// What they are about.
    pub events: Events,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// How often something is told again that has not arrived.
    pub retries: u32,
    /// What happens to what was asked about, if there is no answer.
    pub on_failure: OnFailure,
    /// Events that may wait to be told; beyond, the oldest are dropped.
    pub waiting_max: usize,
}

impl WebhookConfig {
    /// How long an answer is waited for if nothing is said.
    pub const TIMEOUT: Duration = Duration::from_secs(3);
    /// How often something is told again if nothing is said.
    pub const RETRIES: u32 = 5;
    /// How many events may wait if nothing is said.
    pub const WAITING_MAX: usize = 10_000;

    /// Requests to an endpoint about nothing yet, with the defaults of the configuration.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            secret_file: None,
            events: Events::default(),
            timeout: Self::TIMEOUT,
            retries: Self::RETRIES,
            on_failure: OnFailure::Allow,
            waiting_max: Self::WAITING_MAX,
        }
    }

    /// Reads the secret that requests are signed with, if there is one.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn secret(&self) -> Result<Option<Secret>, SecretError> {
        self.secret_file.as_deref().map(Secret::read).transpose()
    }
}

/// What happens to what was asked about, if there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It is done as if there were no webhook.
    Allow,
    /// It is not done.
    Refuse,
}
