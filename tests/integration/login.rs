//! Sessions that have come with tokens: which of them live side by side, and how they end.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use harness::{HookServer, NativeClient, Options, PATIENCE, TestNode, Transport};
use module::account::password::HashCost;
use module::account::{
    AccountConfig, Authenticated, Granted, LoginPolicy, SetDisabled, User, Whose,
};
use module::im::now_ms;
use module::presence::Platform;
use module::storage::refusal::Refusal;
use module::{Im, ImConfig};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse";

struct Bench {
    im: Arc<Im>,
    node: TestNode,
}

impl Bench {
    fn new(accounts: AccountConfig) -> Self {
        let im = Im::open(ImConfig {
            accounts,
            ..ImConfig::default()
        });
        let im = im.expect("a store in memory");
        let node = TestNode::around_im(&Options::default(), &im);
        Self { im, node }
    }

    fn register(&self, name: &str) -> User {
        let accounts = self.im.accounts();
        outcome(|then| accounts.register(name, None, PASSWORD.to_owned(), then)).unwrap()
    }

    fn log_in(&self, name: &str, platform: Platform) -> Granted {
        let accounts = self.im.accounts();
        outcome(|then| accounts.log_in(name, PASSWORD.to_owned(), platform, then)).unwrap()
    }

    fn authenticate(&self, token: &str) -> Result<Authenticated, Refusal> {
        let accounts = self.im.accounts();
        outcome(|then| accounts.authenticate(token, None, then))
    }

    /// A connection that has come with a token.
    fn connect(&self, token: &str) -> NativeClient {
        let mut client = NativeClient::connect(&self.node, Transport::Ndjson);
        client.ok("login", json!({"token": token}));
        client
    }

    fn online(&self, client: &mut NativeClient) -> Value {
        client.ok("users.online", json!({}))["users"][0]["platforms"].take()
    }
}

fn accounts() -> AccountConfig {
    AccountConfig {
        hash_cost: HashCost {
            memory_kib: 64,
            passes: 1,
        },
        ..AccountConfig::default()
    }
}

/// What comes back when `ask` is given where to send it.
fn outcome<T: Send + 'static>(
    ask: impl FnOnce(Box<dyn FnOnce(Result<T, Refusal>) + Send>),
) -> Result<T, Refusal> {
    let (sender, receiver) = channel();
    ask(Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver.recv_timeout(PATIENCE).unwrap()
}

fn expect_kicked(client: &mut NativeClient, reason: &str) {
    assert_eq!(client.push("kicked"), json!({"reason": reason}));
    client.expect_close(4001);
}

#[test]
fn without_guests_nobody_is_told_of_everyone() {
    let bench = Bench::new(AccountConfig {
        guests: false,
        ..accounts()
    });
    bench.register("Ada");
    let mut ada = bench.connect(&bench.log_in("Ada", Platform::Web).token);
    assert_eq!(ada.error("users.online", json!({})), "forbidden");
    let all = json!({"all": true});
    assert_eq!(ada.error("presence.subscribe", all), "forbidden");
}

#[test]
fn the_sessions_of_a_token_end_with_it_and_are_told_why() {
    let bench = Bench::new(accounts());
    let ada = bench.register("Ada");
    let web = bench.log_in("Ada", Platform::Web);
    let phone = bench.log_in("Ada", Platform::Ios);
    let desktop = bench.log_in("Ada", Platform::Desktop);
    let (mut tab, mut other_tab) = (bench.connect(&web.token), bench.connect(&web.token));
    let (mut on_phone, mut at_desk) = (bench.connect(&phone.token), bench.connect(&desktop.token));

    let later = bench.log_in("Ada", Platform::Web);
    expect_kicked(&mut tab, "logged_in_elsewhere");
    expect_kicked(&mut other_tab, "logged_in_elsewhere");
    assert_eq!(bench.online(&mut on_phone), json!(["ios", "desktop"]));
    let mut tab = bench.connect(&later.token);

    let known = bench.authenticate(&desktop.token).unwrap();
    let (token, _) = known.session.unwrap();
    outcome(|then| bench.im.accounts().log_out(ada.id, Whose::One(token), then)).unwrap();
    expect_kicked(&mut at_desk, "logged_out");

    let (old, new) = (PASSWORD.to_owned(), "battery staple".to_owned());
    let known = bench.authenticate(&phone.token).unwrap();
    let keep = known.session.map(|(token, _)| token);
    let change = |then| {
        let accounts = bench.im.accounts();
        accounts.change_password(&known.account, old, new, keep, then);
    };
    outcome(change).unwrap();
    expect_kicked(&mut tab, "password_changed");
    on_phone.expect_no_push();

    let lock = SetDisabled {
        user: ada.id,
        disabled: true,
    };
    bench.im.store().change_now(lock).unwrap();
    expect_kicked(&mut on_phone, "disabled");
    assert!(!bench.im.is_online(ada.id));
    let mut client = NativeClient::connect(&bench.node, Transport::Ndjson);
    let refused = client.error("login", json!({"token": phone.token}));
    assert_eq!(refused, "unauthenticated");
}

#[test]
fn a_session_ends_when_its_token_expires_and_goes_on_when_it_is_renewed() {
    let bench = Bench::new(AccountConfig {
        token_lifetime: Duration::from_secs(5),
        ..accounts()
    });
    let (ada, _) = (bench.register("Ada"), bench.register("Bob"));
    let old = bench.log_in("Bob", Platform::Web);
    let mut bob = bench.connect(&old.token);
    in_another_second();
    let token = bench.log_in("Ada", Platform::Web);
    let mut client = bench.connect(&token.token);
    in_another_second();
    let new = outcome(|then| bench.im.accounts().renew(&old.token, then)).unwrap();
    assert!(old.expires_ms < token.expires_ms && token.expires_ms < new.expires_ms);
    let sessions = bob.ok("session.list", json!({}));
    assert_eq!(sessions["sessions"][0]["current"], true);
    assert_eq!(sessions["sessions"][0]["expires"], new.expires_ms);

    expect_kicked(&mut client, "token_expired");
    assert!(now_ms() >= token.expires_ms);
    assert!(!bench.im.is_online(ada.id));
    bob.expect_no_push();
    expect_kicked(&mut bob, "token_expired");
    assert!(now_ms() >= new.expires_ms);
}

/// Waits until tokens that are issued end later than those before: they count in seconds.
fn in_another_second() {
    let second = now_ms() / 1_000;
    while now_ms() / 1_000 == second {
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_policy_decides_which_logins_live_side_by_side() {
    for (policy, kicked) in [
        (LoginPolicy::PerPlatform, 1),
        (LoginPolicy::Single, 2),
        (LoginPolicy::Unlimited, 0),
    ] {
        let bench = Bench::new(AccountConfig {
            policy,
            ..accounts()
        });
        bench.register("Ada");
        let web = bench.log_in("Ada", Platform::Web);
        let mut clients = vec![bench.connect(&web.token)];
        if policy != LoginPolicy::Single {
            let phone = bench.log_in("Ada", Platform::Ios);
            clients.push(bench.connect(&phone.token));
        }
        let later = bench.log_in("Ada", Platform::Web);
        let mut last = bench.connect(&later.token);
        let mut gone = 0;
        for client in &mut clients {
            client.send_raw(&json!({"id": 99, "op": "heartbeat"}).to_string());
            let message = client.take_message();
            if message["push"] == "kicked" {
                gone += 1;
            }
        }
        assert_eq!(gone, kicked.min(clients.len()), "{policy:?}");
        last.expect_no_push();
    }
}

#[test]
fn tokens_of_others_are_asked_about_once() {
    let server = HookServer::start(|request| {
        let asked = request.json();
        Some(match asked["token"].as_str() {
            Some("eve's cookie") => {
                let expires = now_ms() + 2_000;
                let vouched = json!({"user": "e-1", "nickname": "Eve", "expires": expires});
                (200, vouched.to_string())
            }
            Some("broken") => (500, String::new()),
            _ => (401, String::new()),
        })
    });
    let bench = Bench::new(AccountConfig {
        auth_webhook: Some(server.url().parse().unwrap()),
        ..accounts()
    });
    let mut client = NativeClient::connect(&bench.node, Transport::Ndjson);
    let log_in = |token: &str| json!({"token": token, "platform": "ios"});
    for (token, refused) in [("guess", "unauthenticated"), ("broken", "unavailable")] {
        assert_eq!(client.error("login", log_in(token)), refused);
        assert_eq!(server.next().json(), log_in(token));
    }
    let ok = client.ok("login", log_in("eve's cookie"));
    assert_eq!(ok["user"]["name"], "Eve");
    assert_eq!(server.next().json()["platform"], "ios");
    // It is remembered, and what is ours is nobody else's to see.
    let eve = bench.authenticate("eve's cookie").unwrap().account;
    assert_eq!(ok["user"]["id"], eve.id.0);
    bench.register("Ada");
    let ours = bench.log_in("Ada", Platform::Web);
    let log_out = |then| bench.im.accounts().log_out(ours.user.id, Whose::All, then);
    outcome(log_out).unwrap();
    assert_eq!(bench.authenticate(&ours.token), Err(Refusal::TokenInvalid));
    assert_eq!(bench.authenticate("unknown"), Err(Refusal::TokenInvalid));
    assert_eq!(
        server.next().json()["token"],
        "unknown",
        "asked about nothing else"
    );
    expect_kicked(&mut client, "token_expired");
}
