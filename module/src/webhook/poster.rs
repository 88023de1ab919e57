//! Sending requests, and reading what comes back.

use std::fmt;
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use super::endpoint::Endpoint;
use super::secret::Secret;
use crate::im::now_ms;

/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// Bytes that a connection reads or writes at once.
const BUFFER_BYTES: usize = 16 * 1024;
/// Time for which a connection with nothing to do is kept.
const IDLE: Duration = Duration::from_secs(60);
/// What we call ourselves.
const USER_AGENT: &str = concat!("gatehouse/", env!("CARGO_PKG_VERSION"));

/// How long somebody waits, counted from when they have asked: what has waited in a queue has that
/// much less.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    end: Instant,
}

impl Patience {
    pub(crate) fn of(timeout: Duration) -> Self {
        Self {
            end: Instant::now() + timeout,
        }
    }

    /// What is left of it, if any is.
    pub(crate) fn left(self) -> Option<Duration> {
        let left = self.end.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

/// What has come back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Nothing has come back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PostError {
    #[error("no answer in time")]
    Timeout,
    #[error("{0}")]
    Failed(#[from] ureq::Error),
}

/// Sends requests over connections that are kept. For threads that may block.
pub(crate) struct Poster {
    agent: Agent,
    secret: Option<Secret>,
}

impl fmt::Debug for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poster").finish_non_exhaustive()
    }
}

impl Poster {
    /// Keeps up to `connections` of them when there is nothing to do.
    pub(crate) fn new(connections: usize, secret: Option<Secret>) -> Self {
        // Whom the host trusts, which may have an authority of its own for what is inside.
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .user_agent(USER_AGENT)
            // What answers elsewhere is not what the operator has named, and would be told secrets.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .max_idle_age(IDLE)
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES)
            .build();
        Self {
            agent: config.new_agent(),
            secret,
        }
    }

    /// Posts JSON, signed if there is a secret, and waits for the answer.
    pub(crate) fn post(
        &self,
        endpoint: &Endpoint,
        id: &str,
        body: &[u8],
        timeout: Duration,
    ) -> Result<Answer, PostError> {
        let seconds = now_ms() / 1_000;
        let mut request = self
            .agent
            .post(endpoint.uri())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds.to_string());
        if let Some(secret) = &self.secret {
            request = request.header("webhook-signature", secret.sign(id, seconds, body));
        }
        let request = request.config().timeout_global(Some(timeout)).build();
        let read = || {
            let mut response = request.send(body)?;
            let status = response.status().as_u16();
            let answer = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
            Ok(Answer {
                status,
                body: answer.read_to_vec()?,
            })
        };
        read().map_err(|error| match error {
            ureq::Error::Timeout(_) => PostError::Timeout,
            error => PostError::Failed(error),
        })
    }
}

/// An id for something that is sent, and sent again until it has arrived.
pub(crate) fn new_id(prefix: &str) -> String {
    format!("{prefix}_{:032x}", rand::random::<u128>())
}
