//! Groups: making, changing, ending; small ones and channels.

use std::sync::mpsc::channel;
use std::time::Duration;

use common::UserId;
use module::account::EnterGuest;
use module::group::{
    CreateGroup, Dismiss, FindGroup, Joined, Joining, Leave, ListGroups, ListMembers, Role,
    SearchGroups, SetGroup, Transfer, WhichGroups, WhichMembers,
};
use module::inbox::{Audience, Happening, Notice};
use module::message::{Conversation, MarkRead, Readers, To};
use module::storage::refusal::Refusal;
use module::storage::sqlite::{Location, Rules, StoreConfig};

use crate::bench::Bench;

fn set(bench: &Bench, by: UserId, group: common::GroupId, muted: bool) -> Result<(), Refusal> {
    let set = SetGroup {
        by,
        group,
        name: None,
        picture: None,
        introduction: None,
        announcement: None,
        extra: None,
        joining: None,
        muted: Some(muted),
        origin: None,
    };
    bench.change_now(set).map(drop)
}

#[test]
fn members_speak_and_see_what_is_said_while_they_are() {
    let bench = Bench::new();
    let (ada, bob, eve) = (bench.user("Ada"), bench.user("Bob"), bench.user("Eve"));
    let group = bench.group(ada, &[]);
    let conversation = Conversation::Group(group);
    bench.send(ada, To::Group(group), "before").unwrap();
    assert_eq!(
        bench.send(bob, To::Group(group), "?"),
        Err(Refusal::NotMember)
    );
    bench.join(bob, group).unwrap();
    bench.send(ada, To::Group(group), "welcome").unwrap();
    let leave = |user| {
        bench.change_now(Leave {
            user,
            group,
            hand_over: true,
            origin: None,
        })
    };
    leave(bob).unwrap();
    assert_eq!(leave(bob), Err(Refusal::NotMember));
    bench.send(ada, To::Group(group), "after").unwrap();
    assert_eq!(bench.bodies(bob, conversation), ["welcome"]);
    assert_eq!(
        bench.bodies(ada, conversation),
        ["before", "welcome", "after"]
    );
    assert_eq!(
        bench.history(eve, conversation),
        Err(Refusal::ConversationUnknown)
    );
    assert_eq!(bench.sync(eve, 0).last, 0, "nobody told her anything");
    bench.join(bob, group).unwrap();
    leave(ada).unwrap();
    let view = FindGroup { user: bob, group };
    assert_eq!(
        bench.look_up_now(view.clone()).unwrap().owner,
        bob,
        "handed over"
    );
    leave(bob).unwrap();
    assert_eq!(bench.look_up_now(view), Err(Refusal::GroupUnknown));
    assert_eq!(bench.join(ada, group), Err(Refusal::GroupUnknown));
}

#[test]
fn lists_and_search_show_what_there_is() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let named = |name: &str| {
        let create = CreateGroup {
            owner: ada,
            name: name.to_owned(),
            members: vec![ada, bob, bob, UserId(99)],
            joining: Joining::Open,
            origin: None,
        };
        let group = bench.change_now(create).unwrap();
        assert_eq!(group.members, 2, "each once, and nobody unknown");
        group.id
    };
    let groups = [
        named("Rust beginners"),
        named("Rust experts"),
        named("Gardening"),
    ];
    let search = |query: &str| -> Vec<_> {
        let search = SearchGroups {
            user: bob,
            query: query.to_owned(),
            limit: 10,
        };
        let found = bench.look_up_now(search).unwrap();
        found.into_iter().map(|view| view.id).collect()
    };
    assert_eq!(search("rust"), groups[..2]);
    bench
        .change_now(Dismiss {
            by: Some(ada),
            group: groups[0],
            origin: None,
        })
        .unwrap();
    assert_eq!(search("rust"), groups[1..2]);
    assert_eq!(
        bench.send(bob, To::Group(groups[0]), "?"),
        Err(Refusal::GroupDismissed)
    );
    let list = |user, which, after| {
        let list = ListGroups {
            user,
            which,
            after,
            limit: 1,
        };
        bench.look_up_now(list).unwrap()
    };
    for which in [WhichGroups::All, WhichGroups::Joined] {
        let first = list(bob, which, common::GroupId(0));
        assert_eq!((first.groups[0].id, first.more), (groups[1], true));
        let second = list(bob, which, groups[1]);
        assert_eq!((second.groups[0].id, second.more), (groups[2], false));
        assert_eq!(second.groups[0].role, Some(Role::Member));
        assert_eq!(second.total, 2, "those that are listed");
    }
}

#[test]
fn the_owner_alone_transfers_and_dismisses() {
    let bench = Bench::new();
    let (ada, bob, eve) = (bench.user("Ada"), bench.user("Bob"), bench.user("Eve"));
    let group = bench.group(ada, &[bob]);
    let transfer = |by, to| {
        bench.change_now(Transfer {
            by,
            group,
            to,
            origin: None,
        })
    };
    assert_eq!(transfer(bob, ada), Err(Refusal::RoleTooLow));
    assert_eq!(transfer(ada, eve), Err(Refusal::NotMember));
    transfer(ada, bob).unwrap();
    let dismiss = |by| {
        bench.change_now(Dismiss {
            by: Some(by),
            group,
            origin: None,
        })
    };
    assert_eq!(dismiss(ada), Err(Refusal::RoleTooLow));
    bench.send(ada, To::Group(group), "last words").unwrap();
    dismiss(bob).unwrap();
    assert_eq!(dismiss(bob), Err(Refusal::GroupDismissed));
    assert_eq!(bench.join(eve, group), Err(Refusal::GroupDismissed));
    assert_eq!(
        bench.bodies(ada, Conversation::Group(group)),
        ["last words"]
    );
    let last = bench.notices(ada).pop().unwrap();
    assert!(matches!(last, Notice::GroupDismissed { by, .. } if by.id == bob));
}

#[test]
fn a_dismissed_group_takes_no_room_of_its_members() {
    let bench = Bench::with_rules(Rules {
        groups_per_user_max: 1,
        ..Rules::default()
    });
    let (ada, bob, eve) = (bench.user("Ada"), bench.user("Bob"), bench.user("Eve"));
    let leave = |group| {
        bench.change_now(Leave {
            user: bob,
            group,
            hand_over: false,
            origin: None,
        })
    };
    let joined = || {
        let list = ListGroups {
            user: bob,
            which: WhichGroups::Joined,
            after: common::GroupId(0),
            limit: 10,
        };
        bench.look_up_now(list).unwrap().total
    };
    let mut gone = Vec::new();
    for _ in 0..3 {
        let group = bench.group(ada, &[bob]);
        assert_eq!(joined(), 1);
        let dismiss = Dismiss {
            by: Some(ada),
            group,
            origin: None,
        };
        bench.change_now(dismiss).unwrap();
        assert_eq!(joined(), 0);
        gone.push(group);
    }
    let kept = bench.group(eve, &[bob]);
    assert_eq!(joined(), 1);
    // One that is left was taken off before.
    leave(gone[0]).unwrap();
    let other = bench.group(ada, &[]);
    assert!(matches!(
        bench.join(bob, other),
        Err(Refusal::LimitReached(_))
    ));
    leave(kept).unwrap();
    assert_eq!(bench.join(bob, other), Ok(Joined::Member));
}

#[test]
fn the_end_of_a_large_group_is_the_same_to_its_last_member_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        Bench::open(StoreConfig {
            location: Location::Directory(directory.path().to_owned()),
            rules: Rules {
                groups_per_user_max: 1,
                ..Rules::default()
            },
            ..StoreConfig::default()
        })
    };
    let bench = open();
    let (sender, registered) = channel();
    for number in 0..3_000 {
        let sender = sender.clone();
        let name = format!("user {number}");
        bench.change(EnterGuest { name }, move |entered| {
            sender.send(entered.unwrap().user.id).unwrap();
        });
    }
    let members: Vec<UserId> = registered.iter().take(3_000).collect();
    let (ada, eve) = (members[0], bench.user("Eve"));
    let group = bench.group(ada, &members[1..]);
    let other = bench.group(eve, &[]);
    let dismiss = Dismiss {
        by: Some(ada),
        group,
        origin: None,
    };
    bench.change_now(dismiss).unwrap();
    let leave = |bench: &Bench, user, group| {
        bench.change_now(Leave {
            user,
            group,
            hand_over: false,
            origin: None,
        })
    };
    let joined = |bench: &Bench, user| {
        let list = ListGroups {
            user,
            which: WhichGroups::Joined,
            after: common::GroupId(0),
            limit: 10,
        };
        bench.look_up_now(list).unwrap().total
    };
    // Whether it is their turn already or not.
    let [last, last_but_one, first] = [members[2_999], members[2_998], ada];
    assert_eq!(joined(&bench, last), 0);
    assert_eq!(bench.join(last, other), Ok(Joined::Member));
    leave(&bench, last_but_one, group).unwrap();
    assert_eq!(bench.join(last_but_one, other), Ok(Joined::Member));
    drop(bench);

    let bench = open();
    assert_eq!(bench.join(first, other), Ok(Joined::Member));
    let db = rusqlite::Connection::open(directory.path().join("gatehouse.db")).unwrap();
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap();
    while count("SELECT count(*) FROM endings") > 0 {
        std::thread::yield_now();
    }
    assert_eq!(
        count("SELECT sum(groups) FROM users"),
        4,
        "each counted once"
    );
    let third = bench.group(members[5], &[]);
    for user in [first, last, last_but_one] {
        assert_eq!(joined(&bench, user), 1);
        assert!(matches!(
            bench.join(user, third),
            Err(Refusal::LimitReached(_))
        ));
    }
}

#[test]
fn a_muted_group_hears_its_owner_only() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let group = bench.group(ada, &[bob]);
    assert_eq!(set(&bench, bob, group, true), Err(Refusal::RoleTooLow));
    set(&bench, ada, group, true).unwrap();
    assert_eq!(
        bench.send(bob, To::Group(group), "?"),
        Err(Refusal::GroupMuted)
    );
    bench.send(ada, To::Group(group), "silence").unwrap();
    set(&bench, ada, group, false).unwrap();
    bench.send(bob, To::Group(group), "at last").unwrap();
}

#[test]
fn who_has_read_a_group_message_is_counted() {
    let bench = Bench::new();
    let (ada, bob, eve) = (bench.user("Ada"), bench.user("Bob"), bench.user("Eve"));
    let group = bench.group(ada, &[bob, eve]);
    bench.send(ada, To::Group(group), "read this").unwrap();
    let read = MarkRead {
        user: eve,
        conversation: Conversation::Group(group),
        seq: 1,
        origin: None,
    };
    bench.change_now(read).unwrap();
    let readers = |user| {
        let readers = Readers {
            user,
            group,
            seq: 1,
            limit: 10,
        };
        bench.look_up_now(readers)
    };
    let page = readers(ada).unwrap();
    assert_eq!((page.read, page.members), (1, 2));
    assert_eq!(page.readers, [eve]);

    // Who joins later has nothing unread, and has not read what was said before.
    bench.advance(Duration::from_secs(1));
    let kim = bench.user("Kim");
    bench.join(kim, group).unwrap();
    assert_eq!(readers(ada).unwrap(), page);
    assert_eq!(readers(kim), Err(Refusal::MessageUnknown));
    let leave = Leave {
        user: bob,
        group,
        hand_over: false,
        origin: None,
    };
    bench.change_now(leave).unwrap();
    assert_eq!(readers(bob), Err(Refusal::NotMember));
    assert_eq!(readers(ada).unwrap().members, 1);
}

#[test]
fn a_group_that_outgrows_inboxes_is_a_channel_that_is_told_at_sync() {
    let bench = Bench::with_rules(Rules {
        fanout_limit: 3,
        ..Rules::default()
    });
    let users: Vec<UserId> = (0..5).map(|n| bench.user(&format!("user {n}"))).collect();
    let group = bench.group(users[0], &users[1..3]);
    bench.send(users[0], To::Group(group), "small").unwrap();
    bench.join(users[3], group).unwrap();
    bench.join(users[4], group).unwrap();
    let before = bench.sync(users[1], 0).last;
    let receipt = bench.send(users[0], To::Group(group), "large").unwrap();
    assert_eq!((receipt.seq, receipt.inbox), (2, None));
    let page = bench.sync(users[1], 0);
    assert_eq!(page.last, before, "not in inboxes any more");
    assert_eq!(page.channels[0].conversation, Conversation::Group(group));
    assert_eq!(page.channels[0].last_seq, 2);
    let opened = loop {
        match bench.event().happening {
            Happening::ChannelOpened { members, .. } => break members.len(),
            Happening::Message(message) => assert_eq!(message.body, "small"),
            _ => {}
        }
    };
    assert_eq!(opened, 4);
    let told = std::iter::repeat_with(|| bench.event())
        .find(|event| matches!(&event.happening, Happening::Message(_)));
    assert_eq!(told.unwrap().audience, Audience::Channel(group));
}

#[test]
fn a_large_group_is_listed_in_pages_and_costs_a_message_nothing() {
    let bench = Bench::new();
    let users: Vec<UserId> = (0..2_000)
        .map(|n| bench.user(&format!("user {n}")))
        .collect();
    let group = bench.group(users[0], &users[1..]);
    bench.send(users[7], To::Group(group), "hello").unwrap();
    let (mut seen, mut after) = (Vec::new(), UserId(0));
    loop {
        let list = ListMembers {
            user: users[9],
            group,
            which: WhichMembers::All,
            after,
            limit: 300,
        };
        let page = bench.look_up_now(list).unwrap();
        assert_eq!(page.total, 2_000);
        seen.extend(page.members.iter().map(|member| member.user.id));
        after = *seen.last().unwrap();
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, users);
}
