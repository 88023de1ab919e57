//! Users whom the operator's own servers vouch for: by tokens that their backend signs, or by the
//! answer to a request.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use common::UserId;
use lru::LruCache;
use parking_lot::Mutex;
use ring::digest;
use serde::{Deserialize, Serialize};

use super::{Credential, NAME_CHARS_MAX, TokenId, checked_name};
use crate::blocking::BlockingPool;
use crate::im::now_ms;
use crate::presence::Platform;
use crate::storage::refusal::Refusal;
use crate::webhook::{Endpoint, Outage, Patience, PostError, Poster, Secret, new_id};

/// Tokens that are remembered; of more, those that were used least lately are asked about again.
const REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(100_000).expect("it is not 0");
/// Milliseconds for which an answer is remembered that does not say how long it is good.
const REMEMBERED_MS: u64 = 5 * 60 * 1_000;
/// Questions at once.
const THREADS: usize = 4;
/// Questions that may wait; later ones are refused as busy.
const WAITING_MAX: usize = 1_024;
/// How long a login waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest token that anybody is asked about.
const TOKEN_BYTES_MAX: usize = 4_096;

/// Somebody whom others vouch for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// What they call the user.
    pub name: String,
    /// The name that others see, if they say one.
    pub nickname: Option<String>,
    /// Until when, in milliseconds since 1970, if they say that.
    pub expires_ms: Option<u64>,
}

impl Vouched {
    /// With names that can be taken. The one that tells the user apart is taken as it is or not at
    /// all.
    pub(super) fn checked(mut self) -> Option<Self> {
        checked_name(&self.name, NAME_CHARS_MAX).filter(|name| *name == self.name)?;
        let nickname = self.nickname.take();
        self.nickname = nickname.and_then(|name| {
            let name = checked_name(&name, NAME_CHARS_MAX)?;
            Some(name.to_owned())
        });
        Some(self)
    }
}

/// Names a token that is not ours: no two have the same, and it does not lead back to the token.
pub(super) fn id_of(token: &str) -> TokenId {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    let mut id = TokenId::default();
    let bytes = id.len();
    id.copy_from_slice(&digest.as_ref()[..bytes]);
    id
}

/// Whose token it was found to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered {
    pub(super) user: UserId,
    pub(super) credential: Credential,
}

/// Tokens that need not be asked about again, each with the time until which that is so.
#[derive(Debug)]
pub(super) struct Memory(Mutex<LruCache<TokenId, (Remembered, u64)>>);

impl Default for Memory {
    fn default() -> Self {
        // Grows as it is filled.
        let mut cache = LruCache::unbounded();
        cache.resize(REMEMBERED_MAX);
        Self(Mutex::new(cache))
    }
}

impl Memory {
    pub(super) fn recall(&self, token: &TokenId) -> Option<Remembered> {
        let mut cache = self.0.lock();
        let (found, until_ms) = *cache.get(token)?;
        if until_ms <= now_ms() {
            cache.pop(token);
            return None;
        }
        Some(found)
    }

    pub(super) fn remember(&self, user: UserId, credential: Credential) -> Remembered {
        let found = Remembered { user, credential };
        let until_ms = credential.expires_ms;
        let until_ms = until_ms.unwrap_or_else(|| now_ms() + REMEMBERED_MS);
        self.0.lock().put(credential.token, (found, until_ms));
        found
    }
}

/// Who is asked about tokens that nobody here can read.
#[derive(Debug)]
pub(crate) struct AuthWebhook {
    asking: Arc<Asking>,
    pool: BlockingPool,
}

#[derive(Debug)]
struct Asking {
    endpoint: Endpoint,
    poster: Poster,
    outage: Outage,
}

#[derive(Serialize)]
struct Question<'a> {
    token: &'a str,
    platform: Option<&'static str>,
}

#[derive(Deserialize)]
struct Reply {
    user: String,
    #[serde(default)]
    nickname: Option<String>,
    #[serde(default)]
    expires: Option<u64>,
}

impl AuthWebhook {
    pub(crate) fn new(endpoint: Endpoint, secret: Option<Secret>) -> std::io::Result<Self> {
        let poster = Poster::new(THREADS, secret);
        Ok(Self {
            asking: Arc::new(Asking {
                endpoint,
                poster,
                outage: Outage::default(),
            }),
            pool: BlockingPool::new(THREADS, WAITING_MAX)?,
        })
    }

    /// Asks whose token it is. Refused: `TokenInvalid`, `AuthUnavailable`, `Busy`.
    pub(super) fn ask(
        &self,
        token: &str,
        platform: Option<Platform>,
        then: impl FnOnce(Result<Vouched, Refusal>) + Send + 'static,
    ) {
        if token.len() > TOKEN_BYTES_MAX {
            return then(Err(Refusal::TokenInvalid));
        }
        let asking = Arc::clone(&self.asking);
        let token = token.to_owned();
        let patience = Patience::of(TIMEOUT);
        self.pool.submit_or(
            then,
            move |then| then(asking.ask(&token, platform, patience)),
            |then| then(Err(Refusal::Busy)),
        );
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("it has waited too long behind others")]
    TooLate,
    #[error(transparent)]
    Unreachable(#[from] PostError),
    #[error("status {0}")]
    Status(u16),
    #[error("the answer is not what it should be: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Asking {
    fn ask(
        &self,
        token: &str,
        platform: Option<Platform>,
        patience: Patience,
    ) -> Result<Vouched, Refusal> {
        let endpoint = &self.endpoint;
        match self.answer(token, platform, patience) {
            Ok(vouched) => {
                if self.outage.ends() {
                    tracing::info!(%endpoint, "auth_webhook answers again");
                }
                vouched.ok_or(Refusal::TokenInvalid)
            }
            Err(error) => {
                if self.outage.begins() {
                    tracing::warn!(%endpoint, %error, "auth_webhook does not answer");
                } else {
                    tracing::debug!(%endpoint, %error, "auth_webhook");
                }
                Err(Refusal::AuthUnavailable)
            }
        }
    }

    /// Whose token it is, if it is anybody's.
    fn answer(
        &self,
        token: &str,
        platform: Option<Platform>,
        patience: Patience,
    ) -> Result<Option<Vouched>, NoAnswer> {
        let platform = platform.map(Platform::as_str);
        let question = serde_json::to_vec(&Question { token, platform })?;
        let timeout = patience.left().ok_or(NoAnswer::TooLate)?;
        let id = new_id("auth");
        let answer = self.poster.post(&self.endpoint, &id, &question, timeout)?;
        match answer.status {
            200 => {
                let reply: Reply = serde_json::from_slice(&answer.body)?;
                let is_good = reply.expires.is_none_or(|expires| expires > now_ms());
                Ok(is_good.then_some(Vouched {
                    name: reply.user,
                    nickname: reply.nickname,
                    expires_ms: reply.expires,
                }))
            }
            401 | 403 => Ok(None),
            status => Err(NoAnswer::Status(status)),
        }
    }
}
