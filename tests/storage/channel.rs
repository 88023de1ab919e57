//! Channels: what is told of them to those who were away.

use std::time::Duration;

use common::{GroupId, UserId};
use module::group::{Dismiss, Kick, Leave, MuteMember, Role, SetRole, Transfer};
use module::inbox::{Audience, ChangePage, Changes, Event, Happening, Notice};
use module::message::{Conversation, Recall, To};
use module::storage::refusal::Refusal;
use module::storage::sqlite::{Location, Retention, Rules, StoreConfig};

use crate::bench::Bench;

/// Rules by which a group of more than two is a channel.
fn rules() -> Rules {
    Rules {
        fanout_limit: 2,
        ..Rules::default()
    }
}

/// What a user finds that has changed after a number.
fn changes(
    bench: &Bench,
    user: UserId,
    conversation: Conversation,
    after: u64,
) -> Result<ChangePage, Refusal> {
    bench.look_up_now(Changes {
        user,
        conversation,
        after,
        limit: 10,
    })
}

/// The number of the last change, as a user is told it with the inbox.
#[track_caller]
fn last_change(bench: &Bench, user: UserId, conversation: Conversation) -> u64 {
    let channels = bench.sync(user, 0).channels;
    let mut channels = channels.iter();
    let channel = channels.find(|channel| channel.conversation == conversation);
    channel.expect("it is a channel").last_change
}

fn recall(bench: &Bench, user: UserId, conversation: Conversation, seq: u64) {
    let recall = Recall {
        user: Some(user),
        conversation,
        seq,
        origin: None,
    };
    bench.change_now(recall).unwrap();
}

#[test]
fn what_has_changed_in_a_channel_is_found_by_who_was_away() {
    let bench = Bench::with_rules(rules());
    let (ada, bob, eve) = (bench.user("Ada"), bench.user("Bob"), bench.user("Eve"));
    let group = bench.group(ada, &[bob, eve]);
    let conversation = Conversation::Group(group);
    bench.send(ada, To::Group(group), "a slip").unwrap();
    let known = last_change(&bench, bob, conversation);

    recall(&bench, ada, conversation, 1);
    bench.advance(Duration::from_secs(1));
    let dan = bench.user("Dan");
    bench.join(dan, group).unwrap();
    let dismiss = Dismiss {
        by: Some(ada),
        group,
        origin: None,
    };
    bench.change_now(dismiss).unwrap();

    assert_eq!(last_change(&bench, bob, conversation), known + 3);
    let page = changes(&bench, bob, conversation, known).unwrap();
    assert_eq!((page.last, page.reset), (known + 3, false));
    let numbers: Vec<u64> = page.changes.iter().map(|change| change.number).collect();
    assert_eq!(numbers, [known + 1, known + 2, known + 3]);
    let notices: Vec<&Notice> = page.changes.iter().map(|change| &change.notice).collect();
    assert!(
        matches!(
            notices[..],
            [
                Notice::Recalled { seq: 1, .. },
                Notice::GroupJoined { .. },
                Notice::GroupDismissed { .. }
            ]
        ),
        "{notices:?}"
    );
    let rest = changes(&bench, bob, conversation, known + 3).unwrap();
    assert!(rest.changes.is_empty() && !rest.reset);
    assert!(changes(&bench, bob, conversation, known + 4).unwrap().reset);

    // What was before one has joined is not for one to see, nor what comes after one has left.
    let page = changes(&bench, dan, conversation, 0).unwrap();
    assert_eq!(page.changes[0].number, known + 2);
    leave(&bench, bob, group);
    assert_eq!(
        changes(&bench, bob, conversation, known),
        Err(Refusal::ConversationUnknown)
    );
    let stranger = bench.user("Cy");
    assert_eq!(
        changes(&bench, stranger, conversation, 0),
        Err(Refusal::ConversationUnknown)
    );
}

#[test]
fn what_was_recalled_of_what_is_said_to_all_is_found_by_who_was_away() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let none = changes(&bench, bob, Conversation::All, 0).unwrap();
    assert_eq!((none.last, none.reset), (0, false));
    bench.send(ada, To::All, "a slip").unwrap();
    assert_eq!(last_change(&bench, bob, Conversation::All), 0);
    recall(&bench, ada, Conversation::All, 1);
    assert_eq!(last_change(&bench, bob, Conversation::All), 1);
    let page = changes(&bench, bob, Conversation::All, 0).unwrap();
    assert!(matches!(
        page.changes[0].notice,
        Notice::Recalled { seq: 1, .. }
    ));
}

#[test]
fn changes_go_as_entries_of_inboxes_do() {
    let day = Duration::from_secs(24 * 3600);
    let bench = Bench::open(StoreConfig {
        retention: Retention {
            inbox: 14 * day,
            messages: None,
            attachments: day,
            interval: Duration::from_millis(1),
        },
        ..StoreConfig::default()
    });
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    for body in ["one", "two"] {
        bench.send(ada, To::All, body).unwrap();
    }
    recall(&bench, ada, Conversation::All, 1);
    bench.advance(Duration::from_secs(60));
    recall(&bench, ada, Conversation::All, 2);
    bench.advance(14 * day - Duration::from_secs(30));
    let page = |after| changes(&bench, bob, Conversation::All, after).unwrap();
    // Each message gives the sweep a new look at the time.
    while !page(0).reset {
        bench.send(ada, To::User(ada), "a note").unwrap();
    }
    let left = page(1);
    assert_eq!((left.changes.len(), left.last, left.reset), (1, 2, false));
}

#[test]
fn what_concerns_one_member_of_a_channel_is_in_their_inbox() {
    let bench = Bench::with_rules(rules());
    let (ada, bob, eve) = (bench.user("Ada"), bench.user("Bob"), bench.user("Eve"));
    let group = bench.group(ada, &[bob, eve]);
    let known = bench.notices(bob).len();
    let appoint = SetRole {
        by: ada,
        group,
        user: bob,
        role: Role::Administrator,
        origin: None,
    };
    bench.change_now(appoint).unwrap();
    let mute = MuteMember {
        by: ada,
        group,
        user: bob,
        seconds: 60,
        origin: None,
    };
    bench.change_now(mute).unwrap();
    let transfer = Transfer {
        by: ada,
        group,
        to: bob,
        origin: None,
    };
    bench.change_now(transfer).unwrap();
    let changed = |notice: &Notice| match notice {
        Notice::MemberChanged { user, by, .. } => (Some(user.id), by.id),
        Notice::GroupChanged { by, .. } => (None, by.id),
        other => panic!("{other:?}"),
    };
    let told: Vec<_> = bench.notices(bob)[known..].iter().map(changed).collect();
    assert_eq!(told, [(Some(bob), ada), (Some(bob), ada), (None, ada)]);

    let known = bench.notices(ada).len();
    leave(&bench, bob, group);
    let told: Vec<_> = bench.notices(ada)[known..].iter().map(changed).collect();
    assert_eq!(told, [(None, bob)], "it is hers again");
    assert_eq!(bench.notices(eve).len(), 1, "she has joined it, no more");
}

/// Has an owner leave, who hands the group over.
fn leave(bench: &Bench, user: UserId, group: GroupId) {
    let leave = Leave {
        user,
        group,
        hand_over: true,
        origin: None,
    };
    bench.change_now(leave).unwrap();
}

/// The next that all members of a channel are told, which is numbered.
fn told(bench: &Bench) -> Notice {
    loop {
        let Event {
            happening,
            audience,
            change,
            ..
        } = bench.event();
        if let (Happening::Notice(notice), Audience::Channel(_)) = (happening, audience) {
            assert!(change.is_some(), "{notice:?}");
            return notice;
        }
    }
}

#[test]
fn those_who_come_and_go_at_once_are_told_of_together() {
    let bench = Bench::with_rules(rules());
    let (ada, bob, eve) = (bench.user("Ada"), bench.user("Bob"), bench.user("Eve"));
    let group = bench.group(ada, &[bob, eve]);
    let conversation = Conversation::Group(group);
    let known = last_change(&bench, bob, conversation);
    let crowd: Vec<UserId> = (0..40).map(|n| bench.user(&format!("user {n}"))).collect();
    for user in &crowd {
        bench.join(*user, group).unwrap();
    }
    leave(&bench, crowd[1], group);
    let kick = Kick {
        by: ada,
        group,
        users: vec![bob],
        origin: None,
    };
    bench.change_now(kick).unwrap();
    // Those concerned have it in their inboxes at once.
    let has_left = |user| {
        let notices = bench.notices(user);
        matches!(notices.last(), Some(Notice::GroupLeft { .. }))
    };
    assert!(has_left(crowd[1]) && has_left(bob) && has_left(ada));
    for user in &crowd[2..] {
        let notices = bench.notices(*user);
        assert!(matches!(notices[..], [Notice::GroupJoined { .. }]));
    }
    assert_eq!(
        last_change(&bench, eve, conversation),
        known + 1,
        "the first alone"
    );

    bench.advance(Duration::from_secs(1));
    assert!(matches!(
        told(&bench),
        Notice::GroupJoined { user, .. } if user.id == crowd[0]
    ));
    let gathered = told(&bench);
    let Notice::GroupMembers {
        members,
        joined,
        left,
        ref who_joined,
        ref who_left,
        ..
    } = gathered
    else {
        panic!("{gathered:?}")
    };
    assert_eq!((members, joined, left), (3 + 40 - 2, 39, 2));
    let named: Vec<UserId> = who_joined.iter().map(|user| user.id).collect();
    assert_eq!(named, crowd[1..11], "the first ten of them");
    let named: Vec<UserId> = who_left.iter().map(|user| user.id).collect();
    assert_eq!(named, [bob, crowd[1]]);
    let page = changes(&bench, eve, conversation, known + 1).unwrap();
    let kept: Vec<_> = page
        .changes
        .into_iter()
        .map(|change| change.notice)
        .collect();
    assert_eq!(kept, [gathered], "for who was away, too");

    // The next second begins with it.
    bench.join(bob, group).unwrap();
    assert_eq!(last_change(&bench, eve, conversation), known + 2);
    bench.advance(Duration::from_secs(1));
    let told = told(&bench);
    assert!(
        matches!(
            told,
            Notice::GroupMembers {
                joined: 1,
                left: 0,
                members: 42,
                ..
            }
        ),
        "{told:?}"
    );
}

#[test]
fn what_was_gathered_is_told_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        Bench::open(StoreConfig {
            location: Location::Directory(directory.path().to_owned()),
            rules: rules(),
            ..StoreConfig::default()
        })
    };
    let bench = open();
    let [ada, bob, eve, dan, cy] = ["Ada", "Bob", "Eve", "Dan", "Cy"].map(|name| bench.user(name));
    let group = bench.group(ada, &[bob, eve]);
    for user in [dan, cy] {
        bench.join(user, group).unwrap();
    }
    drop(bench);
    let bench = open();
    bench.advance(Duration::from_secs(1));
    let told = told(&bench);
    assert!(
        matches!(&told, Notice::GroupMembers { joined: 1, members: 5, who_joined, .. }
            if who_joined[0].id == cy),
        "{told:?}"
    );
}
