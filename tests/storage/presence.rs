//! When users were last seen, and who may hear of whom.

use common::UserId;
use module::friend::{AnswerFriend, RemoveFriend, RequestFriend, SetBlock};
use module::presence::{FindLastSeen, FindWatched, LastSeen, NoteSeen, Platform, Watched};

use crate::bench::Bench;

fn last_seen(bench: &Bench, viewer: Option<UserId>, users: &[UserId]) -> Vec<LastSeen> {
    let users = users.to_vec();
    bench.look_up_now(FindLastSeen { viewer, users }).unwrap()
}

fn befriend(bench: &Bench, from: UserId, to: UserId) {
    let text = String::new();
    let request = RequestFriend {
        from,
        to,
        text: text.clone(),
        origin: None,
    };
    bench.change_now(request).unwrap();
    let answer = AnswerFriend {
        from,
        to,
        accept: true,
        text,
        origin: None,
    };
    bench.change_now(answer).unwrap();
}

fn block(bench: &Bench, user: UserId, other: UserId) {
    let block = SetBlock {
        user,
        other,
        blocked: true,
        origin: None,
    };
    bench.change_now(block).unwrap();
}

#[test]
fn the_latest_time_is_kept_for_each_platform() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    for seen in [
        vec![(ada, Platform::Web, 50), (ada, Platform::Ios, 70)],
        vec![(ada, Platform::Web, 90), (bob, Platform::Web, 10)],
        vec![(ada, Platform::Web, 60)],
    ] {
        bench.change_now(NoteSeen { seen }).unwrap();
    }
    let found = last_seen(&bench, None, &[bob, UserId(99), ada]);
    let seen: Vec<_> = found.into_iter().map(|f| (f.user.id, f.seen)).collect();
    let of_ada = vec![(Platform::Web, 90), (Platform::Ios, 70)];
    assert_eq!(seen, [(bob, vec![(Platform::Web, 10)]), (ada, of_ada)]);
}

#[test]
fn whoever_has_blocked_a_user_tells_them_nothing() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let seen = vec![(ada, Platform::Web, 50), (bob, Platform::Web, 50)];
    bench.change_now(NoteSeen { seen }).unwrap();
    block(&bench, ada, bob);
    let of_ada = &last_seen(&bench, Some(bob), &[ada])[0];
    assert!(of_ada.hidden && of_ada.seen.is_empty());
    assert!(!last_seen(&bench, Some(ada), &[bob])[0].hidden);
    assert!(!last_seen(&bench, None, &[ada])[0].hidden);
}

#[test]
fn one_hears_of_mutual_friends_and_of_nobody_who_has_blocked_one() {
    let bench = Bench::new();
    let [ada, bob, eve, mallory] = ["Ada", "Bob", "Eve", "Mallory"].map(|name| bench.user(name));
    for friend in [bob, eve, mallory] {
        befriend(&bench, ada, friend);
    }
    let watched = |user, users: &[UserId]| {
        let watched = bench.change_now(FindWatched {
            user,
            friends: true,
            users: users.to_vec(),
            everyone: false,
        });
        watched.unwrap()
    };
    assert_eq!(watched(ada, &[]).friends, [bob, eve, mallory]);
    let remove = RemoveFriend {
        user: bob,
        friend: ada,
        both: false,
        origin: None,
    };
    bench.change_now(remove).unwrap();
    block(&bench, eve, ada);
    let of_ada = watched(ada, &[bob, eve, UserId(99)]);
    let expected = Watched {
        friends: vec![mallory],
        users: vec![bob],
        blockers: Vec::new(),
    };
    assert_eq!(of_ada, expected);
    assert_eq!(
        watched(eve, &[]).friends,
        [ada],
        "the one who blocks still hears"
    );
}
