//! What is too old goes, and nothing else.

use std::time::Duration;

use module::account::{FindSession, LoginPolicy, OpenSession};
use module::message::{Conversation, To};
use module::presence::Platform;
use module::storage::sqlite::{Retention, StoreConfig};

use crate::bench::{Bench, text};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn old_messages_go_however_many_there_are_and_however_quiet_it_is() {
    let bench = Bench::open(StoreConfig {
        retention: Retention {
            inbox: 14 * DAY,
            messages: Some(30 * DAY),
            interval: Duration::from_millis(1),
            ..Retention::default()
        },
        ..StoreConfig::default()
    });
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let conversation = Conversation::between(ada, bob);
    // More than one step of the sweep takes away.
    for _ in 0..3_000 {
        bench.change(text(ada, To::User(bob), "old"), |sent| {
            sent.unwrap();
        });
    }
    // The last of them has its time before it moves on.
    bench.send(ada, To::User(bob), "old").unwrap();
    bench.advance(20 * DAY);
    bench.send(ada, To::User(bob), "new").unwrap();
    // They leave the inboxes, and later passes find nothing to take out of these.
    while !bench.sync(bob, 1).reset {
        std::thread::yield_now();
    }
    // A pass begins with sessions that are over: the one before is at its end.
    let token = [1; 16];
    let over = OpenSession {
        user: ada,
        token,
        platform: Platform::Web,
        expires_ms: 0,
        policy: LoginPolicy::Single,
        password: None,
        replaces: None,
    };
    bench.change_now(over).unwrap();
    while bench.look_up_now(FindSession { user: ada, token }).is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(bench.bodies(bob, conversation).len(), 100);
    bench.advance(11 * DAY);
    while bench.bodies(bob, conversation).len() > 1 {
        std::thread::yield_now();
    }
    assert_eq!(bench.bodies(bob, conversation), ["new"]);
}
