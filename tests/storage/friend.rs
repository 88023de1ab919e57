//! Friends, requests, blocks.

use common::UserId;
use module::friend::{
    AnswerFriend, ListBlocks, ListFriends, ListRequests, RemoveFriend, RequestFriend, RequestState,
    Requested, SetBlock, SetFriend,
};
use module::inbox::Notice;
use module::storage::refusal::Refusal;

use crate::bench::Bench;

fn ask(bench: &Bench, from: UserId, to: UserId) -> Result<Requested, Refusal> {
    bench.change_now(RequestFriend {
        from,
        to,
        text: "it's me".to_owned(),
        origin: None,
    })
}

fn answer(bench: &Bench, from: UserId, to: UserId, accept: bool) -> Result<(), Refusal> {
    bench.change_now(AnswerFriend {
        from,
        to,
        accept,
        text: String::new(),
        origin: None,
    })
}

fn friends(bench: &Bench, user: UserId) -> Vec<UserId> {
    let list = ListFriends {
        user,
        after: UserId(0),
        limit: 100,
    };
    let page = bench.look_up_now(list).unwrap();
    assert_eq!(page.total, page.friends.len() as u64);
    page.friends.iter().map(|friend| friend.user.id).collect()
}

#[test]
fn a_request_that_is_accepted_makes_both_friends() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    assert_eq!(ask(&bench, ada, ada), Err(Refusal::Oneself));
    assert_eq!(ask(&bench, ada, UserId(9)), Err(Refusal::UserUnknown));
    assert_eq!(ask(&bench, ada, bob), Ok(Requested::Waiting));
    assert_eq!(answer(&bench, bob, ada, true), Err(Refusal::RequestUnknown));
    answer(&bench, ada, bob, true).unwrap();
    assert_eq!(
        (friends(&bench, ada), friends(&bench, bob)),
        (vec![bob], vec![ada])
    );
    assert_eq!(answer(&bench, ada, bob, true), Err(Refusal::RequestUnknown));
    assert_eq!(ask(&bench, bob, ada), Err(Refusal::AlreadyFriends));
    for user in [ada, bob] {
        let told = bench.notices(user);
        assert!(matches!(&told[0], Notice::FriendRequested { from, .. } if from.id == ada));
        assert!(matches!(
            &told[1],
            Notice::FriendAnswered { accepted: true, .. }
        ));
    }
}

#[test]
fn a_request_that_is_refused_can_be_made_again() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    ask(&bench, ada, bob).unwrap();
    answer(&bench, ada, bob, false).unwrap();
    assert_eq!(friends(&bench, ada), []);
    let state = || {
        let list = ListRequests {
            user: bob,
            made: false,
            after: UserId(0),
            limit: 10,
        };
        let requests = bench.look_up_now(list).unwrap();
        assert_eq!(requests.len(), 1, "one for each pair");
        requests[0].state
    };
    assert_eq!(state(), RequestState::Refused);
    ask(&bench, ada, bob).unwrap();
    assert_eq!(state(), RequestState::Open);
    assert_eq!(
        ask(&bench, bob, ada),
        Ok(Requested::Friends),
        "both want it"
    );
    assert_eq!(friends(&bench, ada), [bob]);
}

#[test]
fn a_request_from_before_a_block_makes_no_friends_while_it_stands() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let block = |user, other, blocked| {
        bench
            .change_now(SetBlock {
                user,
                other,
                blocked,
                origin: None,
            })
            .unwrap();
    };
    ask(&bench, ada, bob).unwrap();
    block(ada, bob, true);
    assert_eq!(answer(&bench, ada, bob, true), Err(Refusal::Blocked));
    assert_eq!(ask(&bench, bob, ada), Err(Refusal::Blocked));
    block(ada, bob, false);
    block(bob, ada, true);
    assert_eq!(answer(&bench, ada, bob, true), Err(Refusal::Blocking));
    assert_eq!(ask(&bench, bob, ada), Err(Refusal::Blocking));
    assert_eq!(
        (friends(&bench, ada), friends(&bench, bob)),
        (vec![], vec![])
    );
    block(bob, ada, false);
    answer(&bench, ada, bob, true).unwrap();
    assert_eq!(friends(&bench, ada), [bob]);
}

#[test]
fn a_friend_is_removed_from_one_list_or_from_both() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let remove = |both| {
        bench.change_now(RemoveFriend {
            user: ada,
            friend: bob,
            both,
            origin: None,
        })
    };
    for both in [false, true] {
        ask(&bench, ada, bob).unwrap();
        answer(&bench, ada, bob, true).unwrap();
        remove(both).unwrap();
        assert_eq!(friends(&bench, ada), []);
        assert_eq!(friends(&bench, bob).is_empty(), both);
    }
    assert_eq!(remove(true), Err(Refusal::NotFriends));
}

#[test]
fn a_remark_is_ones_own_and_a_block_stops_requests() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let note = |user, friend| {
        bench.change_now(SetFriend {
            user,
            friend,
            remark: Some("the builder".to_owned()),
            extra: None,
            origin: None,
        })
    };
    assert_eq!(note(ada, bob), Err(Refusal::NotFriends));
    ask(&bench, ada, bob).unwrap();
    answer(&bench, ada, bob, true).unwrap();
    note(ada, bob).unwrap();
    let remark = |user| {
        let list = ListFriends {
            user,
            after: UserId(0),
            limit: 1,
        };
        bench.look_up_now(list).unwrap().friends[0].remark.clone()
    };
    assert_eq!(
        (remark(ada).as_str(), remark(bob).as_str()),
        ("the builder", "")
    );

    let eve = bench.user("Eve");
    let block = SetBlock {
        user: ada,
        other: eve,
        blocked: true,
        origin: None,
    };
    bench.change_now(block).unwrap();
    assert_eq!(ask(&bench, eve, ada), Err(Refusal::Blocked));
    let list = ListBlocks {
        user: ada,
        after: UserId(0),
        limit: 10,
    };
    assert_eq!(bench.look_up_now(list).unwrap()[0].id, eve);
}
