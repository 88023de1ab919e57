//! `[accounts]`: what was typed, what it means, and the way back.

use std::path::Path;
use std::time::Duration;

use module::account::password::HashCost;
use module::account::token::BackendFile;
use module::account::{AccountConfig, LoginPolicy};
use module::storage::sqlite::Location;
use module::webhook::Endpoint;
use serde::{Deserialize, Serialize};

use super::check::{Check, Checked, or};
use super::raw::Typed;
use super::typed::typed;
use super::value::{Number, Seconds, Size};
use super::webhooks::RawWebhooks;

/// Least and most memory of a password's hash: what argon2 can work with at all, and what no login
/// is worth.
const HASH_BYTES: std::ops::RangeInclusive<usize> = 8 * 1024..=1 << 30;
/// More passes over it than this are a slip of the finger.
const HASH_PASSES_MAX: usize = 100;

/// `[accounts]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section: [accounts]")]
pub struct RawAccounts {
    /// Whether whoever gives a name is let in.
    pub guests: Typed<bool>,
    /// Whether anyone may register.
    pub registration: Typed<bool>,
    /// Time for which a token is good.
    pub token_lifetime: Typed<Seconds>,
    /// Which sessions of a user may be open side by side.
    pub login_policy: Typed<LoginPolicyName>,
    /// What a password's hash costs.
    pub password_hash: Typed<RawHashCost>,
    /// File of the secret that the operator's backend signs with; empty for none.
    pub backend_secret_file: Typed<String>,
    /// File of the public key to what it signs with; empty for none.
    pub backend_public_key_file: Typed<String>,
    /// Who is asked about other tokens; empty for nobody.
    pub auth_webhook: Typed<String>,
}

/// `{ memory = "19MiB", passes = 2 }`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawHashCost {
    /// Memory of one hash.
    pub memory: Typed<Size>,
    /// Passes over it.
    pub passes: Typed<Number>,
}

/// Which sessions of a user may be open side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginPolicyName {
    /// One on each platform.
    PerPlatform,
    /// One in all.
    Single,
    /// Any number.
    Unlimited,
}

impl Check<'_> {
    pub(super) fn accounts(
        &self,
        raw: &RawAccounts,
        webhooks: &RawWebhooks,
        location: &Location,
    ) -> Checked<AccountConfig> {
        let default = AccountConfig::default();
        // Whoever keeps what users say, or says anything about accounts, is past trying things out.
        let others = RawAccounts {
            guests: None,
            ..raw.clone()
        };
        let trying = *location == Location::Memory && others == RawAccounts::default();
        let lifetime = default.token_lifetime.as_secs() as u32;
        let lifetime = self.seconds(&raw.token_lifetime, lifetime, 1)?;
        let (backend, auth_webhook) = (self.backend(raw)?, self.endpoint(&raw.auth_webhook)?);
        // Where others vouch for users, nobody else should be able to take their names.
        let vouched = backend.is_some() || auth_webhook.is_some();
        let secret = self.webhook_secret(webhooks);
        Ok(AccountConfig {
            guests: or(&raw.guests, trying),
            registration: or(&raw.registration, !vouched),
            policy: match raw.login_policy.as_ref().map(toml::Spanned::get_ref) {
                Some(LoginPolicyName::PerPlatform) => LoginPolicy::PerPlatform,
                Some(LoginPolicyName::Single) => LoginPolicy::Single,
                Some(LoginPolicyName::Unlimited) => LoginPolicy::Unlimited,
                None => default.policy,
            },
            token_lifetime: Duration::from_secs(lifetime.into()),
            hash_cost: self.hash_cost(&raw.password_hash, default.hash_cost)?,
            backend,
            auth_webhook_secret_file: secret.filter(|_| auth_webhook.is_some()),
            auth_webhook,
        })
    }

    fn hash_cost(&self, typed: &Typed<RawHashCost>, default: HashCost) -> Checked<HashCost> {
        let Some(typed) = typed else {
            return Ok(default);
        };
        let RawHashCost { memory, passes } = typed.get_ref();
        let memory_kib = match memory {
            None => default.memory_kib,
            Some(memory) => match memory.get_ref().0 {
                bytes if HASH_BYTES.contains(&bytes) => (bytes / 1024) as u32,
                bytes => {
                    let (least, most) = (Size(*HASH_BYTES.start()), Size(*HASH_BYTES.end()));
                    let message = format!("{} is outside {least} to {most}", Size(bytes));
                    return self.refuse(memory, message);
                }
            },
        };
        let passes = self.number(passes, default.passes as usize, 1..=HASH_PASSES_MAX)?;
        Ok(HashCost {
            memory_kib,
            passes: passes as u32,
        })
    }

    fn backend(&self, raw: &RawAccounts) -> Checked<Option<BackendFile>> {
        let [secret, key] = [&raw.backend_secret_file, &raw.backend_public_key_file].map(|typed| {
            let typed = typed.as_ref();
            typed.filter(|typed| !typed.get_ref().is_empty())
        });
        match (secret, key) {
            (None, None) => Ok(None),
            (Some(file), None) => Ok(Some(BackendFile::Secret(self.path(file.get_ref())))),
            (None, Some(file)) => Ok(Some(BackendFile::PublicKey(self.path(file.get_ref())))),
            (Some(_), Some(file)) => self.refuse(
                file,
                "the backend signs with a secret or with a key: either backend_secret_file or \
                 backend_public_key_file",
            ),
        }
    }

    /// The address of a webhook; none if the text is empty.
    pub(super) fn endpoint(&self, typed: &Typed<String>) -> Checked<Option<Endpoint>> {
        match typed {
            Some(typed) if !typed.get_ref().is_empty() => match typed.get_ref().parse() {
                Ok(endpoint) => Ok(Some(endpoint)),
                Err(error) => self.refuse(typed, format!("{error}")),
            },
            _ => Ok(None),
        }
    }
}

pub(super) fn accounts_to_typed(accounts: &AccountConfig) -> RawAccounts {
    let path = |path: Option<&Path>| {
        typed(path.map_or_else(String::new, |path| path.display().to_string()))
    };
    let (secret, key) = match &accounts.backend {
        None => (None, None),
        Some(BackendFile::Secret(file)) => (Some(file.as_path()), None),
        Some(BackendFile::PublicKey(file)) => (None, Some(file.as_path())),
    };
    RawAccounts {
        guests: typed(accounts.guests),
        registration: typed(accounts.registration),
        token_lifetime: typed(Seconds(accounts.token_lifetime.as_secs() as u32)),
        login_policy: typed(match accounts.policy {
            LoginPolicy::PerPlatform => LoginPolicyName::PerPlatform,
            LoginPolicy::Single => LoginPolicyName::Single,
            LoginPolicy::Unlimited => LoginPolicyName::Unlimited,
        }),
        password_hash: typed(RawHashCost {
            memory: typed(Size(accounts.hash_cost.memory_kib as usize * 1024)),
            passes: typed(Number(accounts.hash_cost.passes as usize)),
        }),
        backend_secret_file: path(secret),
        backend_public_key_file: path(key),
        auth_webhook: typed(endpoint_to_text(accounts.auth_webhook.as_ref())),
    }
}

/// The address of a webhook as text; empty for none.
pub(super) fn endpoint_to_text(endpoint: Option<&Endpoint>) -> String {
    endpoint.map_or_else(String::new, Endpoint::to_string)
}
