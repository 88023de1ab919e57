//! Asking and telling the operator's own servers over HTTP.
//!
//! ```text
//!   before: Im ─▶ lane of the conversation ─▶ POST ─▶ yes, no, another body ─▶ the store
//!   after:  commit, session ─▶ lane of the conversation or user ─▶ POST, until it has arrived
//! ```
//!
//! A lane is a bounded queue with a thread, so that what belongs together keeps its order. What is
//! asked waits for its answer as long as the timeout, its time in the queue included; what is told
//! keeps nobody waiting.

mod asking;
mod config;
mod endpoint;
mod event;
mod kind;
mod lanes;
mod outage;
mod poster;
mod secret;
mod stats;
mod telling;
mod webhooks;

pub use config::{OnFailure, WebhookConfig};
pub use endpoint::{Endpoint, NoEndpoint};
pub use kind::{EventKind, Events, NoEvent};
pub(crate) use outage::Outage;
pub(crate) use poster::{Patience, PostError, Poster, new_id};
pub use secret::{Secret, SecretError};
pub use stats::WebhookStats;
pub use webhooks::WebhookError;
pub(crate) use webhooks::Webhooks;
