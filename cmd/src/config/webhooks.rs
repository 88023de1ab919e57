//! `[webhooks]`: what was typed, what it means, and the way back.

use std::path::PathBuf;
use std::time::Duration;

use module::account::AccountConfig;
use module::webhook::{Events, OnFailure, WebhookConfig};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::accounts::endpoint_to_text;
use super::check::{Check, Checked, or, span};
use super::raw::{RawConfig, Typed};
use super::typed::typed;
use super::value::{Number, Seconds, Texts};

/// More attempts than this take a quarter of an hour, in which others wait.
const RETRIES_MAX: usize = 20;
/// Least and most events that wait; each may hold a message.
const QUEUE: std::ops::RangeInclusive<usize> = 16..=1_000_000;

/// `[webhooks]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section: [webhooks]")]
pub struct RawWebhooks {
    /// Where requests go; empty for nowhere.
    pub url: Typed<String>,
    /// File of the secret that they are signed with; empty for none.
    pub secret_file: Typed<String>,
    /// What they are about.
    pub events: Typed<EventNames>,
    /// Time for which an answer is waited for.
    pub timeout: Typed<Seconds>,
    /// How often something is told again.
    pub retries: Typed<Number>,
    /// What happens without an answer.
    pub on_failure: Typed<OnFailureName>,
    /// Events that may wait.
    pub queue: Typed<Number>,
}

/// Names of events: a list, or in a variable with commas between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Texts", into = "Texts")]
pub struct EventNames(pub Events);

impl TryFrom<Texts> for EventNames {
    type Error = String;

    fn try_from(texts: Texts) -> Result<Self, String> {
        let events = Events::named(texts.split());
        events.map(Self).map_err(|error| error.to_string())
    }
}

impl From<EventNames> for Texts {
    fn from(EventNames(events): EventNames) -> Self {
        Self::Many(events.iter().map(|kind| kind.as_str().to_owned()).collect())
    }
}

/// What happens to what was asked about, without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailureName {
    /// It is done.
    Allow,
    /// It is not.
    Refuse,
}

impl Check<'_> {
    /// The file of the secret, if there is to be one.
    pub(super) fn webhook_secret(&self, raw: &RawWebhooks) -> Option<PathBuf> {
        let file = raw.secret_file.as_ref().map(Spanned::get_ref);
        file.filter(|file| !file.is_empty())
            .map(|file| self.path(file))
    }

    pub(super) fn webhooks(&self, raw: &RawConfig) -> Checked<Option<WebhookConfig>> {
        let asks_for_users = self.endpoint(&raw.accounts.auth_webhook)?.is_some();
        let raw = &raw.webhooks;
        let secret_file = self.webhook_secret(raw);
        let endpoint = self.endpoint(&raw.url)?;
        let events = or(&raw.events, EventNames(Events::default())).0;
        let Some(endpoint) = endpoint else {
            return match (&raw.events, &raw.secret_file) {
                (Some(typed), _) if !events.is_empty() => {
                    self.refuse(typed, "events need a `url` that they are sent to")
                }
                (_, Some(typed)) if secret_file.is_some() && !asks_for_users => self.refuse(
                    typed,
                    "nothing is signed with it: there is neither a `url` nor an auth_webhook in \
                     [accounts]",
                ),
                _ => Ok(None),
            };
        };
        if events.is_empty() {
            let message = "nothing would be sent there: name some `events = [\"message.sent\"]`";
            let place = span(&raw.events).or_else(|| span(&raw.url));
            return Err(self.sources.refuse(place.unwrap_or_default(), message));
        }
        let default = WebhookConfig::new(endpoint);
        let timeout = self.seconds(&raw.timeout, default.timeout.as_secs() as u32, 1)?;
        let retries = self.number(&raw.retries, default.retries as usize, 0..=RETRIES_MAX)?;
        Ok(Some(WebhookConfig {
            secret_file,
            events,
            timeout: Duration::from_secs(timeout.into()),
            retries: retries as u32,
            on_failure: match raw.on_failure.as_ref().map(Spanned::get_ref) {
                Some(OnFailureName::Allow) => OnFailure::Allow,
                Some(OnFailureName::Refuse) => OnFailure::Refuse,
                None => default.on_failure,
            },
            waiting_max: self.number(&raw.queue, default.waiting_max, QUEUE)?,
            ..default
        }))
    }
}

/// The section that means this; with a URL that is none, the defaults.
pub(super) fn webhooks_to_typed(
    webhooks: Option<&WebhookConfig>,
    accounts: &AccountConfig,
) -> RawWebhooks {
    let secret = webhooks.and_then(|w| w.secret_file.as_deref());
    let secret = secret.or(accounts.auth_webhook_secret_file.as_deref());
    let timeout = webhooks.map_or(WebhookConfig::TIMEOUT, |w| w.timeout);
    let retries = webhooks.map_or(WebhookConfig::RETRIES, |w| w.retries);
    let on_failure = webhooks.map_or(OnFailure::Allow, |w| w.on_failure);
    let queue = webhooks.map_or(WebhookConfig::WAITING_MAX, |w| w.waiting_max);
    RawWebhooks {
        url: typed(endpoint_to_text(webhooks.map(|w| &w.endpoint))),
        secret_file: typed(secret.map_or_else(String::new, |file| file.display().to_string())),
        events: typed(EventNames(webhooks.map(|w| w.events).unwrap_or_default())),
        timeout: typed(Seconds(timeout.as_secs() as u32)),
        retries: typed(Number(retries as usize)),
        on_failure: typed(match on_failure {
            OnFailure::Allow => OnFailureName::Allow,
            OnFailure::Refuse => OnFailureName::Refuse,
        }),
        queue: typed(Number(queue)),
    }
}
