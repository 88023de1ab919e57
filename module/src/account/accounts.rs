//! Registering, logging in, and what tokens are good for.

use std::sync::{Arc, OnceLock};

use common::UserId;

use super::password;
use super::throttle::Throttle;
use super::token::{Claim, Tokens};
use super::vouched::{AuthWebhook, Memory, Remembered, Vouched, id_of};
use super::{
    Account, AccountConfig, BAD_NAME, ChangePassword, CloseSessions, Credential, Credentials,
    EnterExternal, FindAccount, FindCredentials, FindSession, NAME_CHARS_MAX, OpenSession,
    Register, TokenId, User, Whose, checked_name,
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
    /// Their session; whom the operator's own servers vouch for has none.
    pub session: Option<(TokenId, Platform)>,
    /// The token with which they have come, whoever has issued it.
    pub credential: Credential,
}

/// Accounts: hashes passwords in the blocking pool, issues tokens, and looks after their sessions.
#[derive(Debug)]
pub struct Accounts {
    shared: Arc<Shared>,
    pool: Arc<BlockingPool>,
    auth_webhook: Option<AuthWebhook>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    tokens: Tokens,
    config: AccountConfig,
    memory: Memory,
    throttle: Throttle,
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
            memory: Memory::default(),
            throttle: Throttle::default(),
            nobody: OnceLock::new(),
        };
        Self {
            shared: Arc::new(shared),
            pool,
            auth_webhook: None,
        }
    }

    /// Asks somebody else about tokens that nobody here can read.
    pub(crate) fn asking(self, auth_webhook: Option<AuthWebhook>) -> Self {
        Self {
            auth_webhook,
            ..self
        }
    }

    /// Has the pool work for an outcome.
    fn work<T: 'static>(
        &self,
        then: impl Then<T>,
        job: impl FnOnce(Arc<Shared>, Box<dyn FnOnce(Result<T, Refusal>) + Send>) + Send + 'static,
    ) {
        let shared = Arc::clone(&self.shared);
        self.pool.submit_or(
            then,
            move |then| job(shared, Box::new(then)),
            |then| then(Err(Refusal::Busy)),
        );
    }

    /// Name and nickname of an account that may be made, as far as that can be told without the
    /// store.
    pub(crate) fn checked(
        &self,
        name: &str,
        nickname: Option<&str>,
        password: &str,
    ) -> Result<(String, String), Refusal> {
        if !self.shared.config.registration {
            return Err(Refusal::RegistrationOff);
        }
        let checked = checked_name(name, NAME_CHARS_MAX)
            .zip(checked_name(nickname.unwrap_or(name), NAME_CHARS_MAX));
        let Some((name, nickname)) = checked else {
            return Err(BAD_NAME);
        };
        if !password::is_acceptable(password) {
            return Err(BAD_PASSWORD);
        }
        Ok((name.to_owned(), nickname.to_owned()))
    }

    /// Makes an account. Refused: `RegistrationOff`, `Invalid`, `NameTaken`, `LimitReached`.
    pub fn register(
        &self,
        name: &str,
        nickname: Option<&str>,
        password: String,
        then: impl Then<User>,
    ) {
        let (name, nickname) = match self.checked(name, nickname, &password) {
            Ok(names) => names,
            Err(refusal) => return then(Err(refusal)),
        };
        self.work(then, move |shared, then| {
            let register = Register {
                name,
                nickname,
                password: shared.config.hash_cost.hash(&password),
            };
            shared.store.change(register, then);
        });
    }

    /// Opens a session with a name and a password. Refused: `WrongPassword`,
    /// `TooManyAttempts`, `AccountDisabled`.
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
                Ok(Credentials { user, password, .. }) => {
                    shared.grant(user, platform, Proof::Password(password), then);
                }
                Err(refusal) => then(Err(refusal)),
            }
        });
    }

    /// Changes the password, and ends all sessions but one. Refused: `WrongPassword`,
    /// `TooManyAttempts`, `Invalid`.
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

    /// Gives a user a password that they have not chosen, and ends all their sessions. Refused:
    /// `UserUnknown`, `Invalid`.
    pub fn set_password(&self, user: UserId, new: String, then: impl Then<()>) {
        if !password::is_acceptable(&new) {
            return then(Err(BAD_PASSWORD));
        }
        self.work(then, move |shared, then| {
            let change = ChangePassword {
                user,
                old: None,
                new: shared.config.hash_cost.hash(&new),
                keep: None,
            };
            shared.store.change(change, then);
        });
    }

    /// Who comes with this token, and from where if they say so. Refused: `TokenInvalid`,
    /// `AccountDisabled`; for tokens of others `NameTaken`, `LimitReached`, `AuthUnavailable`.
    pub fn authenticate(
        &self,
        token: &str,
        platform: Option<Platform>,
        then: impl Then<Authenticated>,
    ) {
        match self.shared.tokens.check(token) {
            Ok(Claim::Session {
                user,
                token,
                platform,
                expires_ms,
            }) => {
                let find = FindSession { user, token };
                self.shared.store.look_up(find, move |found| {
                    then(found.map(|account| Authenticated {
                        account,
                        session: Some((token, platform)),
                        credential: Credential {
                            token,
                            expires_ms: Some(expires_ms),
                        },
                    }));
                });
            }
            Ok(Claim::Vouched(vouched)) => {
                let token = id_of(token);
                match self.shared.memory.recall(&token) {
                    Some(known) => self.shared.find(known, then),
                    None => self.shared.enter(token, vouched, then),
                }
            }
            Err(refusal) => self.ask_others(token, platform, refusal, then),
        }
    }

    /// Asks about a token that nobody here can read; `refusal` is for where nobody is asked.
    fn ask_others(
        &self,
        token: &str,
        platform: Option<Platform>,
        refusal: Refusal,
        then: impl Then<Authenticated>,
    ) {
        let Some(webhook) = &self.auth_webhook else {
            return then(Err(refusal));
        };
        // One of ours that has ended is nobody else's, and nobody else's to see.
        if self.shared.tokens.is_ours(token) {
            return then(Err(refusal));
        }
        let id = id_of(token);
        if let Some(known) = self.shared.memory.recall(&id) {
            return self.shared.find(known, then);
        }
        let shared = Arc::clone(&self.shared);
        webhook.ask(token, platform, move |answer| match answer {
            Ok(vouched) => shared.enter(id, vouched, then),
            Err(refusal) => then(Err(refusal)),
        });
    }

    /// A new token for the session of an old one, which is good no longer. Refused: `TokenInvalid`.
    pub fn renew(&self, token: &str, then: impl Then<Granted>) {
        match self.shared.tokens.check(token) {
            Ok(Claim::Session {
                user,
                token,
                platform,
                ..
            }) => self
                .shared
                .grant(user, platform, Proof::Token(token), Box::new(then)),
            // Those of others are renewed there.
            Ok(Claim::Vouched(_)) => then(Err(Refusal::TokenInvalid)),
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

/// With what somebody has come who wants a token. It must still be good when the session opens.
enum Proof {
    /// A password, which has this hash.
    Password(String),
    /// The token of a session, which the new one takes the place of.
    Token(TokenId),
}

impl Shared {
    /// Has a user come in whom others vouch for, with an account made if there is none.
    fn enter(self: &Arc<Self>, token: TokenId, vouched: Vouched, then: impl Then<Authenticated>) {
        let Some(vouched) = vouched.checked() else {
            return then(Err(Refusal::TokenInvalid));
        };
        let Vouched {
            name,
            nickname,
            expires_ms,
        } = vouched;
        let shared = Arc::clone(self);
        let enter = EnterExternal { name, nickname };
        self.store.change(enter, move |entered| match entered {
            Ok(User { id: user, .. }) => {
                let credential = Credential { token, expires_ms };
                shared.find(shared.memory.remember(user, credential), then);
            }
            Err(refusal) => then(Err(refusal)),
        });
    }

    /// Finds a user whom others vouch for.
    fn find(&self, known: Remembered, then: impl Then<Authenticated>) {
        let Remembered { user, credential } = known;
        self.store.look_up(FindAccount { user }, move |found| {
            then(found.and_then(|account| {
                if account.disabled {
                    return Err(Refusal::AccountDisabled);
                }
                Ok(Authenticated {
                    account,
                    session: None,
                    credential,
                })
            }));
        });
    }

    /// The credentials of this name, if the password is theirs. Takes as long if it is not, and
    /// not even that if there were too many wrong ones before.
    fn verified(&self, name: &str, password: &str) -> Result<Credentials, Refusal> {
        if !self.throttle.allows(name, now_ms()) {
            return Err(Refusal::TooManyAttempts);
        }
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
        if !matches {
            self.throttle.failed(name, now_ms());
            return Err(Refusal::WrongPassword);
        }
        self.throttle.passed(name);
        let credentials = found?;
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
        proof: Proof,
        then: Box<dyn FnOnce(Result<Granted, Refusal>) + Send>,
    ) {
        let now_ms = now_ms();
        // Tokens count in seconds.
        let expires_ms = now_ms / 1_000 * 1_000 + self.config.token_lifetime.as_millis() as u64;
        let token: TokenId = rand::random();
        let (password, replaces) = match proof {
            Proof::Password(hash) => (Some(hash), None),
            Proof::Token(token) => (None, Some(token)),
        };
        let open = OpenSession {
            user,
            token,
            platform,
            expires_ms,
            policy: self.config.policy,
            password,
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
