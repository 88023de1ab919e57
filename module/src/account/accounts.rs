//! Registering, logging in, and what tokens are good for.

use std::sync::{Arc, OnceLock};

use common::UserId;

use super::password;
use super::token::{Claim, Tokens};
use super::{
    Account, AccountConfig, BAD_NAME, ChangePassword, CloseSessions, Credentials, EnterExternal,
    FindAccount, FindCredentials, FindSession, NAME_CHARS_MAX, OpenSession, Register, TokenId,
    User, Whose, checked_name,
};
use crate::blocking::BlockingPool;
use crate::im::now_ms;
use crate::presence::Platform;
use crate::storage::refusal::Refusal;
use crate::storage::store::Store;

/// A token that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// To whom.
    pub user: User,
    /// The token.
    pub token: String,
    /// Until when it is good, in milliseconds since 1970.
    pub expires_ms: u64,
}

/// Who has come with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Who.
    pub account: Account,
    /// Their session; whom the operator's backend vouches for has none.
    pub session: Option<(TokenId, Platform)>,
}

/// Accounts: hashes passwords in the blocking pool, issues tokens, and looks after their sessions.
#[derive(Debug)]
pub struct Accounts {
    shared: Arc<Shared>,
    pool: Arc<BlockingPool>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    tokens: Tokens,
    config: AccountConfig,
    /// Checked against where a name has no password; made when that happens first, since making
    /// it takes as long as a login.
    nobody: OnceLock<String>,
}

/// What is called with an outcome, from a thread of the pool or of the store.
pub trait Then<T>: FnOnce(Result<T, Refusal>) + Send + 'static {}

impl<T, F: FnOnce(Result<T, Refusal>) + Send + 'static> Then<T> for F {}

impl Accounts {
    /// Accounts over a store.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        pool: Arc<BlockingPool>,
        tokens: Tokens,
        config: AccountConfig,
    ) -> Self {
        let shared = Shared {
            store,
            tokens,
            config,
            nobody: OnceLock::new(),
        };
        Self {
            shared: Arc::new(shared),
            pool,
        }
    }

    /// Has the pool work for an outcome.
    fn work<T: 'static>(
        &self,
        then: impl Then<T>,
        job: impl FnOnce(Arc<Shared>, Box<dyn FnOnce(Result<T, Refusal>) + Send>) + Send + 'static,
    ) {
        // Whether the pool has taken it is only known when `then` is with it.
        let then = Arc::new(parking_lot::Mutex::new(Some(then)));
        let shared = Arc::clone(&self.shared);
        let taken = Arc::clone(&then);
        let submitted = self.pool.submit(move || {
            if let Some(then) = taken.lock().take() {
                job(shared, Box::new(then));
            }
        });
        if !submitted && let Some(then) = then.lock().take() {
            then(Err(Refusal::Busy));
        }
    }

    /// Makes an account. Refused: `RegistrationOff`, `Invalid`, `NameTaken`, `LimitReached`.
    pub fn register(
        &self,
        name: &str,
        nickname: Option<&str>,
        password: String,
        then: impl Then<User>,
    ) {
        if !self.shared.config.registration {
            return then(Err(Refusal::RegistrationOff));
        }
        let checked = checked_name(name, NAME_CHARS_MAX)
            .zip(checked_name(nickname.unwrap_or(name), NAME_CHARS_MAX));
        let Some((name, nickname)) = checked else {
            return then(Err(BAD_NAME));
        };
        if !password::is_acceptable(&password) {
            return then(Err(BAD_PASSWORD));
        }
        let (name, nickname) = (name.to_owned(), nickname.to_owned());
        self.work(then, move |shared, then| {
            let register = Register {
                name,
                nickname,
                password: shared.config.hash_cost.hash(&password),
            };
            shared.store.change(register, then);
        });
    }

    /// Opens a session with a name and a password. Refused: `WrongPassword`, `AccountDisabled`.
    pub fn log_in(
        &self,
        name: &str,
        password: String,
        platform: Platform,
        then: impl Then<Granted>,
    ) {
        if password.len() > password::PASSWORD_BYTES_MAX {
            return then(Err(Refusal::WrongPassword));
        }
        let name = name.trim().to_owned();
        self.work(then, move |shared, then| {
            match shared.verified(&name, &password) {
                Ok(credentials) => shared.grant(credentials.user, platform, None, then),
                Err(refusal) => then(Err(refusal)),
            }
        });
    }

    /// Changes the password, and ends all sessions but one. Refused: `WrongPassword`, `Invalid`.
    pub fn change_password(
        &self,
        account: &Account,
        old: String,
        new: String,
        keep: Option<TokenId>,
        then: impl Then<()>,
    ) {
        if !password::is_acceptable(&new) {
            return then(Err(BAD_PASSWORD));
        }
        if old.len() > password::PASSWORD_BYTES_MAX {
            return then(Err(Refusal::WrongPassword));
        }
        let name = account.name.clone();
        self.work(then, move |shared, then| {
            match shared.verified(&name, &old) {
                Ok(credentials) => {
                    let change = ChangePassword {
                        user: credentials.user,
                        old: Some(credentials.password),
                        new: shared.config.hash_cost.hash(&new),
                        keep,
                    };
                    shared.store.change(change, then);
                }
                Err(refusal) => then(Err(refusal)),
            }
        });
    }

    /// Who comes with this token. Refused: `TokenInvalid`, `AccountDisabled`.
    pub fn authenticate(&self, token: &str, then: impl Then<Authenticated>) {
        match self.shared.tokens.check(token) {
            Err(refusal) => then(Err(refusal)),
            Ok(Claim::Session {
                user,
                token,
                platform,
            }) => {
                let find = FindSession { user, token };
                self.shared.store.look_up(find, move |found| {
                    then(found.map(|account| Authenticated {
                        account,
                        session: Some((token, platform)),
                    }));
                });
            }
            Ok(Claim::External { name, nickname }) => self.enter_external(&name, nickname, then),
        }
    }

    fn enter_external(&self, name: &str, nickname: Option<String>, then: impl Then<Authenticated>) {
        let Some(name) = checked_name(name, NAME_CHARS_MAX) else {
            return then(Err(Refusal::TokenInvalid));
        };
        let nickname = nickname.as_deref().and_then(|name| {
            let name = checked_name(name, NAME_CHARS_MAX);
            name.map(str::to_owned)
        });
        let enter = EnterExternal {
            name: name.to_owned(),
            nickname,
        };
        let shared = Arc::clone(&self.shared);
        self.shared
            .store
            .change(enter, move |entered| match entered {
                Err(refusal) => then(Err(refusal)),
                Ok(User { id: user, .. }) => {
                    shared.store.look_up(FindAccount { user }, move |found| {
                        then(found.map(|account| Authenticated {
                            account,
                            session: None,
                        }));
                    });
                }
            });
    }

    /// A new token for the session of an old one, which is good no longer. Refused: `TokenInvalid`.
    pub fn renew(&self, token: &str, then: impl Then<Granted>) {
        match self.shared.tokens.check(token) {
            Ok(Claim::Session {
                user,
                token,
                platform,
            }) => self
                .shared
                .grant(user, platform, Some(token), Box::new(then)),
            // Those of the backend are renewed there.
            Ok(Claim::External { .. }) => then(Err(Refusal::TokenInvalid)),
            Err(refusal) => then(Err(refusal)),
        }
    }

    /// Ends sessions of a user; gives their number.
    pub fn log_out(&self, user: UserId, which: Whose, then: impl Then<usize>) {
        self.shared
            .store
            .change(CloseSessions { user, which }, then);
    }
}

const BAD_PASSWORD: Refusal = Refusal::Invalid("a password has 6 characters to 128 bytes");

impl Shared {
    /// The credentials of this name, if the password is theirs. Takes as long if it is not.
    fn verified(&self, name: &str, password: &str) -> Result<Credentials, Refusal> {
        let found = self.store.look_up_now(FindCredentials {
            name: name.to_owned(),
        });
        let hash = match &found {
            Ok(credentials) => &credentials.password,
            Err(Refusal::WrongPassword) => self
                .nobody
                .get_or_init(|| self.config.hash_cost.hash_of_nobody()),
            Err(refusal) => return Err(*refusal),
        };
        let matches = password::matches(password, hash);
        let credentials = found?;
        if !matches {
            return Err(Refusal::WrongPassword);
        }
        if credentials.disabled {
            return Err(Refusal::AccountDisabled);
        }
        Ok(credentials)
    }

    /// Opens a session, and issues its token once it is open.
    fn grant(
        self: &Arc<Self>,
        user: UserId,
        platform: Platform,
        replaces: Option<TokenId>,
        then: Box<dyn FnOnce(Result<Granted, Refusal>) + Send>,
    ) {
        let now_ms = now_ms();
        let expires_ms = now_ms + self.config.token_lifetime.as_millis() as u64;
        let token: TokenId = rand::random();
        let open = OpenSession {
            user,
            token,
            platform,
            expires_ms,
            policy: self.config.policy,
            replaces,
        };
        let shared = Arc::clone(self);
        self.store.change(open, move |opened| {
            then(opened.map(|user| {
                Granted {
                    token: shared
                        .tokens
                        .issue(user.id, token, platform, now_ms, expires_ms),
                    user,
                    expires_ms,
                }
            }));
        });
    }
}
