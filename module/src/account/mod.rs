//! Who a user is.

mod accounts;
mod config;
mod operations;
pub mod password;
pub mod position;
mod throttle;
pub mod token;
pub mod verification;
mod vouched;

use common::UserId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::presence::Platform;
use crate::storage::refusal::Refusal;

pub use accounts::{Accounts, Authenticated, Granted, Then};
pub use config::AccountConfig;
pub use operations::{
    ChangePassword, CloseSessions, Enter, EnterExternal, EnterGuest, Entered, FindAccount,
    FindCredentials, FindSession, FindUsers, ListAccounts, ListSessions, LoginPolicy, OpenSession,
    Register, SearchUsers, SetDisabled, SetProfile, Whose,
};
pub(crate) use vouched::AuthWebhook;
pub use vouched::Vouched;

/// Longest name of a user, in characters.
pub const NAME_CHARS_MAX: usize = 32;

/// What is said of a name that is none.
pub(crate) const BAD_NAME: Refusal =
    Refusal::Invalid("a name has 1 to 32 characters, none of them a control character");

/// A user as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// The number, given at the first login.
    #[serde(with = "crate::id")]
    #[schemars(with = "u64")]
    pub id: UserId,
    /// The name that others see: the nickname, where there is one.
    pub name: String,
}

/// How a user came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Entered with a name and nothing else; whoever gives the name is that user.
    Guest,
    /// Registered with a password.
    Registered,
    /// Vouched for by the operator's own backend.
    External,
}

/// All that is kept about a user, except what proves who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The number.
    pub id: UserId,
    /// The name with which they log in; unique, letter case aside.
    pub name: String,
    /// The name that others see.
    pub nickname: String,
    /// Address of a picture, or empty.
    pub picture: String,
    /// What they say about themselves.
    pub signature: String,
    /// Whatever the application makes of it.
    pub extra: String,
    /// How they came to be.
    pub origin: Origin,
    /// An administrator has locked them out.
    pub disabled: bool,
    /// An administrator has seen who they are.
    pub verified: bool,
    /// When they came to be, in milliseconds since 1970.
    pub created_ms: u64,
}

/// Part of a list of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountPage {
    /// The accounts.
    pub accounts: Vec<Account>,
    /// How many there are in all, found or not.
    pub total: u64,
    /// Whether the list goes on.
    pub more: bool,
}

/// What a login with a password is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Who.
    pub user: UserId,
    /// The hash of the password, in the PHC form.
    pub password: String,
    /// An administrator has locked them out.
    pub disabled: bool,
}

/// Names one token; random, and of no meaning.
pub type TokenId = [u8; 16];

/// A token with which somebody has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Names it; one that is not ours is named by its digest.
    pub token: TokenId,
    /// Until when it is good, in milliseconds since 1970; none if that was not said.
    pub expires_ms: Option<u64>,
}

/// A login that a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The token.
    pub token: TokenId,
    /// Where it was issued to.
    pub platform: Platform,
    /// When, in milliseconds since 1970.
    pub created_ms: u64,
    /// Until when it is good, in milliseconds since 1970.
    pub expires_ms: u64,
}

/// A name without blanks at its ends, if it is one: 1 to `chars_max` characters, none of them a
/// control character.
#[must_use]
pub fn checked_name(name: &str, chars_max: usize) -> Option<&str> {
    let name = name.trim();
    let fits = (1..=chars_max).contains(&name.chars().count());
    (fits && !name.chars().any(is_invisible)).then_some(name)
}

/// Characters that make one name look like another, or turn the text around it.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_counted_in_characters_and_visible() {
        assert_eq!(checked_name("  Ada ", 32), Some("Ada"));
        assert_eq!(
            checked_name(&"é".repeat(32), 32),
            Some("é".repeat(32).as_str())
        );
        for bad in ["", "   ", &"é".repeat(33), "a\nb", "a\u{202e}b", "\u{200b}"] {
            assert_eq!(checked_name(bad, 32), None, "{bad:?}");
        }
    }
}
