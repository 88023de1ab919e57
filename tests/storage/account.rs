//! Users, passwords, sessions, and the tokens that stand for them.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use common::UserId;
use module::account::password::HashCost;
use module::account::token::{Backend, Tokens};
use module::account::{
    AccountConfig, Accounts, ChangePassword, CloseSessions, Enter, EnterExternal, EnterGuest,
    FindAccount, FindCredentials, FindSession, ListSessions, LoginPolicy, OpenSession, Register,
    SearchUsers, SetDisabled, SetProfile, TokenId, Whose,
};
use module::blocking::BlockingPool;
use module::inbox::{Happening, SessionEnd};
use module::presence::Platform;
use module::storage::operation::{Read, Write};
use module::storage::refusal::Refusal;
use module::storage::sqlite::{SqliteStore, StoreConfig};
use module::storage::store::Store;

use crate::bench::{BEGIN_MS, Bench};

fn open(user: UserId, token: u8, platform: Platform, policy: LoginPolicy) -> OpenSession {
    OpenSession {
        user,
        token: [token; 16],
        platform,
        expires_ms: u64::from(u32::MAX) * 1_000_000,
        policy,
        password: None,
        replaces: None,
    }
}

fn live(bench: &Bench, user: UserId, tokens: &[u8]) -> Vec<u8> {
    let is_live = |token: &u8| {
        let token: TokenId = [*token; 16];
        bench.look_up_now(FindSession { user, token }).is_ok()
    };
    tokens.iter().copied().filter(is_live).collect()
}

#[test]
fn a_name_belongs_to_one_user_whatever_its_case_and_however_they_came() {
    let bench = Bench::new();
    let ada = bench.user("Ada");
    let register = Register {
        name: "aDA".to_owned(),
        nickname: "another".to_owned(),
        password: "hash".to_owned(),
    };
    assert_eq!(bench.change_now(register), Err(Refusal::NameTaken));
    let guest = |name: &str| {
        bench.change_now(EnterGuest {
            name: name.to_owned(),
        })
    };
    assert_eq!(guest("ada"), Err(Refusal::NameTaken));
    let bob = guest("Bob").unwrap();
    assert_eq!(guest("BOB").unwrap(), bob);
    assert_ne!(bob.user.id, ada);
    let external = |name: &str| {
        bench.change_now(EnterExternal {
            name: name.to_owned(),
            nickname: Some("Eve of sales".to_owned()),
        })
    };
    assert_eq!(external("Bob"), Err(Refusal::NameTaken));
    let eve = external("e-1").unwrap();
    assert_eq!(eve.name, "Eve of sales");
    assert_eq!(external("e-1").unwrap(), eve);
    // To the backend, these are two.
    assert_eq!(external("E-1"), Err(Refusal::NameTaken));

    let found = FindCredentials {
        name: "ADA".to_owned(),
    };
    assert_eq!(bench.look_up_now(found).unwrap().user, ada);
    for without in ["Bob", "e-1", "nobody"] {
        let name = without.to_owned();
        let found = bench.look_up_now(FindCredentials { name });
        assert_eq!(
            found,
            Err(Refusal::WrongPassword),
            "{without} has no password"
        );
    }
}

#[test]
fn a_login_ends_what_the_policy_does_not_allow_beside_it() {
    let bench = Bench::new();
    let ada = bench.user("Ada");
    let go = |open| bench.change_now(open).unwrap();
    go(open(ada, 1, Platform::Web, LoginPolicy::PerPlatform));
    go(open(ada, 2, Platform::Ios, LoginPolicy::PerPlatform));
    go(open(ada, 3, Platform::Web, LoginPolicy::PerPlatform));
    assert_eq!(live(&bench, ada, &[1, 2, 3]), [2, 3]);
    assert_eq!(
        bench.event().happening,
        Happening::SessionsEnded {
            user: ada,
            tokens: vec![[1; 16]],
            why: SessionEnd::LoggedInElsewhere
        }
    );
    go(open(ada, 4, Platform::Web, LoginPolicy::Unlimited));
    assert_eq!(live(&bench, ada, &[2, 3, 4]), [2, 3, 4]);
    go(open(ada, 5, Platform::Desktop, LoginPolicy::Single));
    assert_eq!(live(&bench, ada, &[2, 3, 4, 5]), [5]);
}

#[test]
fn a_token_is_renewed_once_and_is_nobody_elses() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let web = |user, token| open(user, token, Platform::Web, LoginPolicy::PerPlatform);
    bench.change_now(web(ada, 1)).unwrap();
    let renew = |user, token| OpenSession {
        replaces: Some([1; 16]),
        ..web(user, token)
    };
    assert_eq!(bench.change_now(renew(bob, 2)), Err(Refusal::TokenInvalid));
    bench.change_now(renew(ada, 2)).unwrap();
    assert_eq!(live(&bench, ada, &[1, 2]), [2]);
    assert_eq!(bench.change_now(renew(ada, 3)), Err(Refusal::TokenInvalid));
    assert_eq!(live(&bench, bob, &[2]), [0u8; 0], "it is Ada's");
    let list = bench.look_up_now(ListSessions { user: ada }).unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].token, list[0].created_ms), ([2; 16], BEGIN_MS));
}

#[test]
fn nobody_comes_in_with_a_session_that_has_just_ended() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let web = open(ada, 1, Platform::Web, LoginPolicy::PerPlatform);
    bench.change_now(web).unwrap();
    let enter = |user| {
        let session = Some([1; 16]);
        bench.change_now(Enter { user, session })
    };
    assert_eq!(enter(ada).unwrap().user.id, ada);
    assert_eq!(enter(bob), Err(Refusal::TokenInvalid), "it is Ada's");
    let close = CloseSessions {
        user: ada,
        which: Whose::All,
    };
    bench.change_now(close).unwrap();
    assert_eq!(enter(ada), Err(Refusal::TokenInvalid));
}

#[test]
fn a_new_password_ends_the_other_sessions_and_needs_the_old_one() {
    let bench = Bench::new();
    let ada = bench.user("Ada");
    for (token, platform) in [(1, Platform::Web), (2, Platform::Ios)] {
        let policy = LoginPolicy::PerPlatform;
        bench
            .change_now(open(ada, token, platform, policy))
            .unwrap();
    }
    let change = |old: &str, new: &str| {
        bench.change_now(ChangePassword {
            user: ada,
            old: Some(old.to_owned()),
            new: new.to_owned(),
            keep: Some([2; 16]),
        })
    };
    assert_eq!(change("guess", "x"), Err(Refusal::WrongPassword));
    assert_eq!(live(&bench, ada, &[1, 2]), [1, 2]);
    change("hash of Ada's password", "second").unwrap();
    assert_eq!(live(&bench, ada, &[1, 2]), [2]);
    assert_eq!(
        change("hash of Ada's password", "third"),
        Err(Refusal::WrongPassword)
    );
}

#[test]
fn who_is_disabled_is_out_until_let_in_again() {
    let bench = Bench::new();
    let ada = bench.user("Ada");
    let web = |token| open(ada, token, Platform::Web, LoginPolicy::PerPlatform);
    bench.change_now(web(1)).unwrap();
    let disable = |disabled| {
        bench.change_now(SetDisabled {
            user: ada,
            disabled,
        })
    };
    disable(true).unwrap();
    assert_eq!(live(&bench, ada, &[1]), [0u8; 0]);
    assert_eq!(bench.change_now(web(2)), Err(Refusal::AccountDisabled));
    disable(false).unwrap();
    bench.change_now(web(2)).unwrap();
    let closed = CloseSessions {
        user: ada,
        which: Whose::All,
    };
    assert_eq!(bench.change_now(closed), Ok(1));
    let nobody = SetDisabled {
        user: UserId(99),
        disabled: true,
    };
    assert_eq!(bench.change_now(nobody), Err(Refusal::UserUnknown));
}

#[test]
fn users_are_found_by_the_beginnings_of_words_also_in_scripts_without_blanks() {
    let bench = Bench::new();
    let ada = bench.user("ada");
    let wang = bench.user("wang");
    let named = |user, nickname: &str| {
        let set = SetProfile {
            user,
            nickname: Some(nickname.to_owned()),
            picture: None,
            signature: Some("hello".to_owned()),
            extra: None,
        };
        bench.change_now(set).unwrap();
    };
    named(ada, "Ada Lovelace");
    named(wang, "王小明");
    let search = |query: &str| {
        let query = query.to_owned();
        let found = bench.look_up_now(SearchUsers { query, limit: 10 });
        let ids = found.unwrap().into_iter().map(|account| account.id);
        ids.collect::<Vec<_>>()
    };
    assert_eq!(search("love"), [ada]);
    assert_eq!(search("LOVELACE ada"), [ada]);
    assert_eq!(search("小明"), [wang]);
    assert_eq!(search("明小"), []);
    assert_eq!(search("\" OR *"), []);
    let account = bench.look_up_now(FindAccount { user: wang }).unwrap();
    assert_eq!(
        (account.name.as_str(), account.signature.as_str()),
        ("wang", "hello")
    );
}

/// What comes back when `ask` is given where to send it.
fn outcome<T: Send + 'static>(
    ask: impl FnOnce(Box<dyn FnOnce(Result<T, Refusal>) + Send>),
) -> Result<T, Refusal> {
    let (sender, receiver) = channel();
    ask(Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver.recv_timeout(Duration::from_secs(20)).unwrap()
}

fn accounts(backend: Option<&Backend>) -> Accounts {
    let store = SqliteStore::open(StoreConfig::default(), |_| {}).unwrap();
    accounts_in(Arc::new(store), backend)
}

fn accounts_in(store: Arc<dyn Store>, backend: Option<&Backend>) -> Accounts {
    let config = AccountConfig {
        hash_cost: HashCost {
            memory_kib: 64,
            passes: 1,
        },
        ..AccountConfig::default()
    };
    Accounts::new(
        store,
        Arc::new(BlockingPool::new(2, 64).unwrap()),
        Tokens::new(None, backend).unwrap(),
        config,
    )
}

#[test]
fn a_password_opens_a_session_that_its_token_stands_for_until_it_ends() {
    let accounts = accounts(None);
    let register = |name: &str, password: &str| {
        outcome(|then| accounts.register(name, None, password.to_owned(), then))
    };
    let log_in = |password: &str| {
        let password = password.to_owned();
        outcome(|then| accounts.log_in(" ADA ", password, Platform::Web, then))
    };
    let who = |token: &str| outcome(|then| accounts.authenticate(token, None, then));
    let ada = register("Ada", "correct horse").unwrap();
    assert_eq!(register("ada", "another one"), Err(Refusal::NameTaken));
    let short = register("Bob", "short").unwrap_err();
    assert_eq!(short.code(), common::ErrorCode::InvalidValue);

    for wrong in ["", "correct", "correct horse "] {
        assert_eq!(log_in(wrong), Err(Refusal::WrongPassword));
    }
    let nobody = outcome(|then| {
        accounts.log_in("nobody", "correct horse".to_owned(), Platform::Web, then);
    });
    assert_eq!(nobody, Err(Refusal::WrongPassword));
    let first = log_in("correct horse").unwrap();
    assert_eq!(first.user, ada);
    let known = who(&first.token).unwrap();
    assert_eq!(known.account.id, ada.id);

    let renewed = outcome(|then| accounts.renew(&first.token, then)).unwrap();
    assert_eq!(who(&first.token), Err(Refusal::TokenInvalid));
    let known = who(&renewed.token).unwrap();

    let change = |old: &str, new: &str| {
        let (old, new) = (old.to_owned(), new.to_owned());
        outcome(|then| accounts.change_password(&known.account, old, new, None, then))
    };
    assert_eq!(
        change("guess", "battery staple"),
        Err(Refusal::WrongPassword)
    );
    change("correct horse", "battery staple").unwrap();
    assert_eq!(who(&renewed.token), Err(Refusal::TokenInvalid));
    assert_eq!(log_in("correct horse"), Err(Refusal::WrongPassword));
    let last = log_in("battery staple").unwrap();
    assert_eq!(
        outcome(|then| accounts.log_out(ada.id, Whose::All, then)),
        Ok(1)
    );
    assert_eq!(who(&last.token), Err(Refusal::TokenInvalid));
}

/// A store in which every session is opened just after a new password was given.
#[derive(Debug)]
struct TooLate(SqliteStore);

impl Store for TooLate {
    fn write(&self, write: Write) {
        if let Write::OpenSession(OpenSession { user, .. }, _) = &write {
            let store: &dyn Store = &self.0;
            let change = ChangePassword {
                user: *user,
                old: None,
                new: "hash of another password".to_owned(),
                keep: None,
            };
            store.change_now(change).unwrap();
        }
        self.0.write(write);
    }

    fn instance(&self) -> &str {
        self.0.instance()
    }

    fn read(&self, read: Read) {
        self.0.read(read);
    }
}

#[test]
fn a_password_that_is_changed_while_it_is_checked_opens_nothing() {
    let store = SqliteStore::open(StoreConfig::default(), |_| {}).unwrap();
    let store: Arc<dyn Store> = Arc::new(TooLate(store));
    let accounts = accounts_in(Arc::clone(&store), None);
    let password = || "correct horse".to_owned();
    let ada = outcome(|then| accounts.register("Ada", None, password(), then)).unwrap();
    let late = outcome(|then| accounts.log_in("Ada", password(), Platform::Web, then));
    assert_eq!(late, Err(Refusal::WrongPassword));
    let open = store.look_up_now(ListSessions { user: ada.id });
    assert_eq!(open, Ok(vec![]));
}

#[test]
fn a_full_pool_says_busy_at_once() {
    let pool = Arc::new(BlockingPool::new(1, 1).unwrap());
    let (hold, held) = channel::<()>();
    let (begun, has_begun) = channel();
    assert!(pool.submit(move || {
        begun.send(()).unwrap();
        // Ends when the sender is dropped.
        let _ = held.recv();
    }));
    has_begun.recv().unwrap();
    assert!(pool.submit(|| {}), "one may wait");
    let store = SqliteStore::open(StoreConfig::default(), |_| {}).unwrap();
    let tokens = Tokens::new(None, None).unwrap();
    let config = AccountConfig::default();
    let accounts = Accounts::new(Arc::new(store), Arc::clone(&pool), tokens, config);
    let refused = outcome(|then| accounts.register("Ada", None, "correct horse".into(), then));
    assert_eq!(refused, Err(Refusal::Busy));
    drop(hold);
}
