//! One's own account, and the sessions of it.

use std::sync::Arc;

use common::ErrorCode;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::call::{Access, Call, Verb};
use super::caller::Caller;
use super::input::Nothing;
use super::output::{CountOut, Done, UserOut};
use super::word::Word;
use crate::account::{
    self, Account, CloseSessions, FindAccount, Granted, ListSessions, NAME_CHARS_MAX, Origin,
    SetProfile, TokenId, User, Whose, checked_name,
};
use crate::im::{Im, ImError};
use crate::presence::Platform;

/// Makes an account.
pub(super) struct Register;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "Register")]
pub(super) struct RegisterIn {
    /// The name to log in with, unique whatever its case: 1 to 32 characters, none of them a
    /// control character.
    #[schemars(length(min = 1, max = 32))]
    login: String,
    /// 6 characters to 128 bytes.
    #[schemars(length(min = 6, max = 128))]
    password: String,
    /// What others call them; as `login` if it is left out.
    #[serde(default)]
    #[schemars(length(min = 1, max = 32))]
    name: Option<String>,
}

/// A user.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UserReply")]
pub(super) struct UserReply {
    user: UserOut<'static>,
}

impl From<User> for UserReply {
    fn from(user: User) -> Self {
        Self { user: user.into() }
    }
}

impl Call for Register {
    const OP: &'static str = "account.register";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/accounts";
    const ACCESS: Access = Access::Anyone;
    const SUMMARY: &'static str = "Make an account with a password";
    type In = RegisterIn;
    type Out = UserReply;

    fn perform(input: RegisterIn, _: &Caller, im: &Arc<Im>, answer: Answer<UserReply>) {
        let name = input.name.as_deref();
        im.register(
            &input.login,
            name,
            input.password,
            answer.with(UserReply::from),
        );
    }
}

/// Opens a session with a password.
pub(super) struct LogIn;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "LogIn")]
pub(super) struct LogInIn {
    /// The name of the account.
    #[garde(length(bytes, max = 128))]
    #[schemars(length(max = 128))]
    login: String,
    #[garde(length(bytes, max = 128))]
    #[schemars(length(max = 128))]
    password: String,
    /// Where from; `web` if it is left out.
    #[serde(default)]
    #[garde(dive)]
    platform: Word<Platform>,
}

/// A session that was opened.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SessionGranted")]
pub(super) struct GrantedOut {
    user: UserOut<'static>,
    /// What to show from now on: `Authorization: Bearer`, or `login` on the native protocol.
    token: String,
    /// Until when it is good, in milliseconds since 1970; it can be renewed until then.
    expires: u64,
}

impl From<Granted> for GrantedOut {
    fn from(granted: Granted) -> Self {
        Self {
            user: granted.user.into(),
            token: granted.token,
            expires: granted.expires_ms,
        }
    }
}

impl Call for LogIn {
    const OP: &'static str = "account.login";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/sessions";
    const ACCESS: Access = Access::Anyone;
    const SUMMARY: &'static str = "Open a session with a name and a password";
    type In = LogInIn;
    type Out = GrantedOut;

    fn perform(input: LogInIn, _: &Caller, im: &Arc<Im>, answer: Answer<GrantedOut>) {
        let LogInIn {
            login,
            password,
            platform,
        } = input;
        im.accounts().log_in(
            &login,
            password,
            platform.get(),
            answer.with(GrantedOut::from),
        );
    }
}

/// Renews a session.
pub(super) struct Renew;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "RenewSession")]
pub(super) struct RenewIn {
    /// The token, which is good no longer afterwards.
    #[garde(length(bytes, max = 4_096))]
    #[schemars(length(max = 4_096))]
    token: String,
}

impl Call for Renew {
    const OP: &'static str = "account.renew";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/sessions/renew";
    const ACCESS: Access = Access::Anyone;
    const SUMMARY: &'static str = "Change a token that is good for a new one";
    type In = RenewIn;
    type Out = GrantedOut;

    fn perform(input: RenewIn, _: &Caller, im: &Arc<Im>, answer: Answer<GrantedOut>) {
        im.accounts()
            .renew(&input.token, answer.with(GrantedOut::from));
    }
}

/// One's own account.
pub(super) struct Get;

/// An account, to whom it belongs.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Account")]
pub(super) struct AccountOut {
    id: u64,
    /// What others call the user.
    name: String,
    /// The name to log in with.
    login: String,
    /// `guest`, `registered`, or `external`: vouched for by the operator's own backend.
    origin: &'static str,
    /// The address of a picture.
    picture: String,
    /// What the user says about themselves.
    signature: String,
    /// Whatever the application makes of it.
    extra: String,
    /// An administrator has seen who the user is.
    verified: bool,
    /// When it was made, in milliseconds since 1970.
    created: u64,
}

impl From<Account> for AccountOut {
    fn from(account: Account) -> Self {
        Self {
            id: account.id.0,
            name: account.nickname,
            login: account.name,
            origin: match account.origin {
                Origin::Guest => "guest",
                Origin::Registered => "registered",
                Origin::External => "external",
            },
            picture: account.picture,
            signature: account.signature,
            extra: account.extra,
            verified: account.verified,
            created: account.created_ms,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccountReply")]
pub(super) struct AccountReply {
    account: AccountOut,
}

impl From<Account> for AccountReply {
    fn from(account: Account) -> Self {
        Self {
            account: account.into(),
        }
    }
}

impl Call for Get {
    const OP: &'static str = "account.get";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/account";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "One's own account";
    type In = Nothing;
    type Out = AccountReply;

    fn perform(_: Nothing, caller: &Caller, im: &Arc<Im>, answer: Answer<AccountReply>) {
        let find = FindAccount { user: caller.user };
        im.store().look_up(find, answer.with(AccountReply::from));
    }
}

/// Changes one's own account.
pub(super) struct Set;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "AccountChange")]
pub(super) struct SetIn {
    /// What others call the user: 1 to 32 characters, none of them a control character.
    #[serde(default)]
    #[schemars(length(min = 1, max = 32))]
    name: Option<String>,
    /// The address of a picture.
    #[serde(default)]
    #[garde(length(bytes, max = 1_024))]
    #[schemars(length(max = 1_024))]
    picture: Option<String>,
    /// What the user says about themselves.
    #[serde(default)]
    #[garde(length(chars, max = 255))]
    #[schemars(length(max = 255))]
    signature: Option<String>,
    /// Whatever the application makes of it.
    #[serde(default)]
    #[garde(length(bytes, max = 4_096))]
    #[schemars(length(max = 4_096))]
    extra: Option<String>,
}

impl Call for Set {
    const OP: &'static str = "account.set";
    const VERB: Verb = Verb::Patch;
    const PATH: &'static str = "/account";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Change one's own profile; what is left out stays";
    type In = SetIn;
    type Out = Done;

    fn perform(input: SetIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let nickname = match input.name.as_deref() {
            None => None,
            Some(name) => match checked_name(name, NAME_CHARS_MAX) {
                Some(name) => Some(name.to_owned()),
                None => return answer.refuse(account::BAD_NAME),
            },
        };
        let set = SetProfile {
            user: caller.user,
            nickname,
            picture: input.picture,
            signature: input.signature,
            extra: input.extra,
        };
        im.store().change(set, answer.with(Done::from));
    }
}

/// Changes one's own password.
pub(super) struct ChangePassword;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "PasswordChange")]
pub(super) struct ChangePasswordIn {
    #[garde(length(bytes, max = 128))]
    #[schemars(length(max = 128))]
    old: String,
    /// 6 characters to 128 bytes.
    #[schemars(length(min = 6, max = 128))]
    new: String,
}

impl Call for ChangePassword {
    const OP: &'static str = "account.password";
    const VERB: Verb = Verb::Put;
    const PATH: &'static str = "/account/password";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Change the password, which ends all other sessions";
    type In = ChangePasswordIn;
    type Out = Done;

    fn perform(input: ChangePasswordIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let find = FindAccount { user: caller.user };
        let (on, keep) = (Arc::clone(im), im.token_of(caller));
        im.store().look_up(find, move |found| match found {
            Ok(account) => on.accounts().change_password(
                &account,
                input.old,
                input.new,
                keep,
                answer.with(Done::from),
            ),
            Err(refusal) => answer.refuse(refusal),
        });
    }
}

/// The sessions of one's own account.
pub(super) struct Sessions;

/// A session.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
struct SessionOut {
    /// Names it.
    session: String,
    /// Where it was opened.
    platform: &'static str,
    /// It is that of whoever asks.
    current: bool,
    /// When it was opened, in milliseconds since 1970.
    created: u64,
    /// Until when its token is good, in milliseconds since 1970.
    expires: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Sessions")]
pub(super) struct SessionsOut {
    sessions: Vec<SessionOut>,
}

impl SessionsOut {
    pub(super) fn of(sessions: Vec<account::Session>, current: Option<TokenId>) -> Self {
        let sessions = sessions.into_iter().map(|session| SessionOut {
            session: token_text(&session.token),
            platform: session.platform.as_str(),
            current: Some(session.token) == current,
            created: session.created_ms,
            expires: session.expires_ms,
        });
        Self {
            sessions: sessions.collect(),
        }
    }
}

impl Call for Sessions {
    const OP: &'static str = "session.list";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/sessions";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "One's own sessions";
    type In = Nothing;
    type Out = SessionsOut;

    fn perform(_: Nothing, caller: &Caller, im: &Arc<Im>, answer: Answer<SessionsOut>) {
        let current = im.token_of(caller);
        let out = move |sessions| SessionsOut::of(sessions, current);
        let list = ListSessions { user: caller.user };
        im.store().look_up(list, answer.with(out));
    }
}

/// The name of a session on the wire.
fn token_text(token: &TokenId) -> String {
    format!("{:032x}", u128::from_be_bytes(*token))
}

/// The session of this name.
fn token_named(name: &str) -> Option<TokenId> {
    let is_hex = name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u128::from_str_radix(name, 16).ok().filter(|_| is_hex)?;
    Some(number.to_be_bytes())
}

/// Ends one of one's own sessions.
pub(super) struct Close;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "CloseSession")]
pub(super) struct CloseIn {
    /// As `session.list` names it.
    #[garde(length(bytes, max = 64))]
    #[schemars(length(max = 64))]
    session: String,
}

impl Call for Close {
    const OP: &'static str = "session.close";
    const VERB: Verb = Verb::Delete;
    const PATH: &'static str = "/sessions/{session}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "End one of one's own sessions";
    type In = CloseIn;
    type Out = Done;

    fn perform(input: CloseIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let unknown = || ImError::new(ErrorCode::NotFound, "there is no such session");
        let Some(token) = token_named(&input.session) else {
            return answer.refuse(unknown());
        };
        let close = CloseSessions {
            user: caller.user,
            which: Whose::One(token),
        };
        im.store().change(close, move |closed| match closed {
            Ok(0) => answer.refuse(unknown()),
            Ok(_) => answer.give::<ImError>(Ok(Done {})),
            Err(refusal) => answer.refuse(refusal),
        });
    }
}

/// Ends all of one's own sessions, or all others.
pub(super) struct CloseAll;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "CloseSessions")]
pub(super) struct CloseAllIn {
    /// The session that asks goes on.
    #[serde(default)]
    others: bool,
}

impl Call for CloseAll {
    const OP: &'static str = "session.close_all";
    const VERB: Verb = Verb::Delete;
    const PATH: &'static str = "/sessions";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "End all of one's own sessions, or all others";
    type In = CloseAllIn;
    type Out = CountOut;

    fn perform(input: CloseAllIn, caller: &Caller, im: &Arc<Im>, answer: Answer<CountOut>) {
        let close = CloseSessions {
            user: caller.user,
            which: match im.token_of(caller) {
                Some(token) if input.others => Whose::AllBut(token),
                _ => Whose::All,
            },
        };
        im.store()
            .change(close, answer.with(|count| CountOut { count }));
    }
}
