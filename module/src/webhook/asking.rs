//! Asking before something is done.

use std::sync::Arc;

use common::ErrorCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::config::{OnFailure, WebhookConfig};
use super::event::Envelope;
use super::kind::EventKind;
use super::outage::Outage;
use super::poster::{Answer, Patience, Poster, new_id};
use super::stats::Stats;
use crate::im::{ImError, now_ms};
use crate::message::BODY_BYTES_MAX;

/// Longest text of a refusal that is handed on, in characters.
const TEXT_CHARS_MAX: usize = 200;

/// What may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// What was asked for.
    Allowed,
    /// The same with another body.
    Replaced(String),
}

/// Something that waits for an answer.
pub(super) struct Question {
    pub(super) kind: EventKind,
    pub(super) data: Box<RawValue>,
    pub(super) patience: Patience,
    pub(super) then: Box<dyn FnOnce(Result<Verdict, ImError>) + Send>,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What the answer says.
#[derive(Debug, Default, Deserialize)]
struct AnswerIn {
    #[serde(default)]
    action: Action,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    body: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    #[default]
    Allow,
    Refuse,
    Replace,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("it has waited too long behind others")]
    TooLate,
    #[error(transparent)]
    Unreachable(#[from] super::poster::PostError),
    #[error("status {0}")]
    Status(u16),
    #[error("the answer is not what it should be: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("what it would put in place of the body cannot be sent")]
    BadBody,
}

/// Asks one question after the other.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) config: Arc<WebhookConfig>,
    pub(super) poster: Arc<Poster>,
    pub(super) stats: Arc<Stats>,
    pub(super) outage: Arc<Outage>,
}

impl Asking {
    pub(super) fn ask(&self, question: Question) {
        let Question {
            kind,
            data,
            patience,
            then,
        } = question;
        let (endpoint, event) = (&self.config.endpoint, kind.as_str());
        let verdict = match self.answer(kind, &data, patience) {
            Ok(answer) => {
                if self.outage.ends() {
                    tracing::info!(%endpoint, event, "the webhook answers again");
                }
                self.judge(answer)
            }
            Err(error) => {
                self.stats.unanswered.add(1);
                if self.outage.begins() {
                    tracing::warn!(%endpoint, event, %error, "the webhook does not answer");
                } else {
                    tracing::debug!(%endpoint, event, %error, "webhook not answered");
                }
                match self.config.on_failure {
                    OnFailure::Allow => Ok(Verdict::Allowed),
                    OnFailure::Refuse => Err(ImError::new(
                        ErrorCode::Unavailable,
                        "this cannot be checked now; try again",
                    )),
                }
            }
        };
        then(verdict);
    }

    /// What comes back in time. A connection that the other side has just given up is no answer,
    /// and so it is tried twice if there is time.
    fn answer(
        &self,
        kind: EventKind,
        data: &RawValue,
        patience: Patience,
    ) -> Result<AnswerIn, NoAnswer> {
        let id = new_id("ask");
        let mut attempt = 1;
        loop {
            let timeout = patience.left().ok_or(NoAnswer::TooLate)?;
            let envelope = Envelope {
                id: &id,
                kind: kind.as_str(),
                time: now_ms(),
                attempt,
                data,
            };
            let body = envelope.to_json();
            match self.poster.post(&self.config.endpoint, &id, &body, timeout) {
                Ok(answer) => return read(&answer),
                Err(error) if attempt == 2 || patience.left().is_none() => return Err(error.into()),
                Err(_) => attempt += 1,
            }
        }
    }

    fn judge(&self, answer: AnswerIn) -> Result<Verdict, ImError> {
        match (answer.action, answer.body) {
            (Action::Replace, Some(body)) => {
                self.stats.replaced.add(1);
                Ok(Verdict::Replaced(body))
            }
            (Action::Refuse, _) => {
                self.stats.refused.add(1);
                let text = answer.message.unwrap_or_default();
                let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
                let text = if text.is_empty() {
                    "this is not allowed here".to_owned()
                } else {
                    text
                };
                Err(ImError::new(code(answer.code.as_deref()), text))
            }
            _ => {
                self.stats.allowed.add(1);
                Ok(Verdict::Allowed)
            }
        }
    }
}

fn read(answer: &Answer) -> Result<AnswerIn, NoAnswer> {
    if !(200..300).contains(&answer.status) {
        return Err(NoAnswer::Status(answer.status));
    }
    if answer.body.trim_ascii().is_empty() {
        return Ok(AnswerIn::default());
    }
    let read: AnswerIn = serde_json::from_slice(&answer.body)?;
    let bytes = read.body.as_ref().map_or(0, String::len);
    if matches!(read.action, Action::Replace) && !(1..=BODY_BYTES_MAX).contains(&bytes) {
        return Err(NoAnswer::BadBody);
    }
    Ok(read)
}

/// The codes that an answer may refuse with: those that say that it is the client's to change.
fn code(name: Option<&str>) -> ErrorCode {
    [
        ErrorCode::InvalidValue,
        ErrorCode::NotFound,
        ErrorCode::Conflict,
        ErrorCode::RateLimited,
        ErrorCode::LimitReached,
    ]
    .into_iter()
    .find(|code| Some(code.as_str()) == name)
    .unwrap_or(ErrorCode::Forbidden)
}
