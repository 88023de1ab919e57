//! A store that was filled directly is one that its operations would have left.

use std::collections::{HashMap, HashSet};

use common::{GroupId, UserId};
use module::group::{FindGroup, ListGroups, ListMembers, Role, WhichGroups, WhichMembers};
use module::inbox::Content;
use module::message::{Conversation, Conversations, SearchMessages, To};
use module::statistics::{Day, FindStatistics};
use module::storage::sqlite::fill::{FillError, Filling, fill};
use module::storage::sqlite::{Location, Rules, StoreConfig};

use crate::bench::{BEGIN_MS, Bench};
use crate::dense;

const USERS: u32 = 41;
const PEERS: u32 = 3;
const MESSAGES: u32 = 4_000;
const IN_GROUPS: u32 = 1_000;
const GROUPS: u32 = 4;

fn filling(members: u32) -> Filling {
    Filling {
        users: USERS,
        peers: PEERS,
        groups: GROUPS,
        members,
        messages: MESSAGES,
        group_messages: IN_GROUPS,
        body_bytes: 80,
        search: true,
        rules: rules(),
        now_ms: BEGIN_MS,
    }
}

fn rules() -> Rules {
    Rules {
        fanout_limit: 20,
        ..Rules::default()
    }
}

fn filled(filling: &Filling) -> (Bench, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path(), filling, &mut |_| {}).unwrap();
    let bench = Bench::open(StoreConfig {
        location: Location::Directory(directory.path().to_owned()),
        rules: rules(),
        ..StoreConfig::default()
    });
    (bench, directory)
}

fn users() -> impl Iterator<Item = UserId> {
    (1..=u64::from(USERS)).map(UserId)
}

/// Looks at everything: conversations and inboxes are dense and agree, and so do the counts.
fn look_at(bench: &Bench, members: u32, is_channel: bool) {
    let mut ids = HashSet::new();
    let mut entered: HashMap<UserId, HashSet<u64>> = HashMap::new();
    for user in users() {
        let list = bench.look_up_now(Conversations {
            user,
            offset: 0,
            limit: 1_000,
        });
        let (mut unread, mut groups) = (0, 0);
        for view in list.unwrap().conversations {
            let log = dense::log(bench, user, view.conversation);
            assert_eq!(view.last_seq, log.len() as u64);
            assert_eq!(view.last.as_ref(), log.last());
            let own = log.iter().rposition(|message| {
                let from = message.from.as_ref().unwrap();
                from.id == user
            });
            // Who writes has read what came before.
            assert_eq!(view.read_seq, own.map_or(0, |at| at as u64 + 1));
            assert!(log.is_sorted_by_key(|message| (message.time_ms, message.id)));
            unread += view.unread;
            ids.extend(log.iter().map(|message| message.id));
            let is_group = matches!(view.conversation, Conversation::Group(_));
            groups += u32::from(is_group);
            if !(is_group && is_channel) {
                let ids = log.iter().map(|message| message.id);
                entered.entry(user).or_default().extend(ids);
            }
        }
        let list = bench.look_up_now(Conversations {
            user,
            offset: 0,
            limit: 1,
        });
        assert_eq!(list.unwrap().unread, unread);
        let joined = bench.look_up_now(ListGroups {
            user,
            which: WhichGroups::Joined,
            after: GroupId(0),
            limit: 100,
        });
        let joined = joined.unwrap();
        assert_eq!(
            (joined.total, joined.groups.len()),
            (groups.into(), groups as usize)
        );
        let inbox = dense::inbox(bench, user).into_iter();
        let inbox = inbox.map(|entry| match entry.content {
            Content::Message(message) => message.id,
            Content::Notice(notice) => panic!("{notice:?}"),
        });
        let inbox: Vec<u64> = inbox.collect();
        assert!(inbox.is_sorted());
        let inbox: HashSet<u64> = inbox.into_iter().collect();
        assert_eq!(inbox, entered.remove(&user).unwrap_or_default());
    }
    assert_eq!(ids.len(), MESSAGES as usize, "each stands somewhere");
    let statistics = bench.look_up_now(FindStatistics {
        days: 0..=1_000_000,
    });
    let statistics = statistics.unwrap();
    assert_eq!(
        (statistics.users, statistics.guests, statistics.groups),
        (USERS.into(), USERS.into(), GROUPS.into())
    );
    let of_days = |count: fn(&Day) -> u64| statistics.days.iter().map(count).sum::<u64>();
    assert_eq!(of_days(|day| day.messages), u64::from(MESSAGES));
    assert_eq!(of_days(|day| day.guests), u64::from(USERS));
    assert_eq!(
        statistics.days[0].active,
        u64::from(USERS),
        "all came that day"
    );
    for group in (1..=GROUPS).map(|group| GroupId(group.into())) {
        let list = ListMembers {
            user: UserId(1),
            group,
            which: WhichMembers::All,
            after: UserId(0),
            limit: 100,
        };
        let find = FindGroup {
            user: UserId(1),
            group,
        };
        let view = bench.look_up_now(find).unwrap();
        assert_eq!((view.members, view.channel), (members as usize, is_channel));
        let list = ListMembers {
            user: view.owner,
            ..list
        };
        let page = bench.look_up_now(list).unwrap();
        assert_eq!(
            (page.total, page.members.len()),
            (members.into(), members as usize)
        );
        let owner = page
            .members
            .iter()
            .find(|member| member.role == Role::Owner);
        assert_eq!(owner.unwrap().user.id, view.owner);
    }
}

#[test]
fn a_filled_store_is_whole_and_goes_on() {
    let (bench, directory) = filled(&filling(11));
    look_at(&bench, 11, false);
    let (one, other) = (UserId(1), UserId(2));
    let conversation = Conversation::between(one, other);
    let (seq, number) = (
        dense::log(&bench, one, conversation).len() as u64,
        bench.sync(one, 0).last,
    );
    let receipt = bench.send(one, To::User(other), "one more").unwrap();
    assert_eq!((receipt.seq, receipt.inbox), (seq + 1, Some(number + 1)));
    assert_eq!(receipt.message, u64::from(MESSAGES) + 1);
    assert_ne!(bench.user("a new one").0, 0);

    // What is found is theirs, and has the word.
    let found = bench.look_up_now(SearchMessages {
        user: one,
        conversation: None,
        query: "babe".to_owned(),
        before: None,
        limit: 1_000,
    });
    let found = found.unwrap();
    let (users, word) = (users(), "babe");
    let said = users
        .filter(|&user| user != one)
        .map(|user| Conversation::between(one, user))
        .chain((1..=GROUPS).map(|group| Conversation::Group(GroupId(group.into()))))
        .filter(|&conversation| {
            bench
                .history(one, conversation)
                .is_ok_and(|p| p.last_seq > 0)
        })
        .flat_map(|conversation| dense::log(&bench, one, conversation));
    let with_it = said.filter(|message| message.body.split(' ').any(|w| w.starts_with(word)));
    assert_eq!(found.len(), with_it.count());
    assert!(!found.is_empty());

    let again = fill(directory.path(), &filling(11), &mut |_| {});
    assert!(matches!(again, Err(FillError::Open(_))), "it is in use");
    drop(bench);
    let again = fill(directory.path(), &filling(11), &mut |_| {});
    assert!(matches!(again, Err(FillError::Exists(_))));
}

#[test]
fn groups_that_are_too_large_for_inboxes_are_channels() {
    let (bench, _directory) = filled(&filling(30));
    look_at(&bench, 30, true);
    let group = GroupId(1);
    let member = UserId(1);
    let before = bench.sync(member, 0);
    let channel = Conversation::Group(group);
    let state = before
        .channels
        .iter()
        .find(|state| state.conversation == channel);
    let last = state.unwrap().last_seq;
    let receipt = bench.send(member, To::Group(group), "to all").unwrap();
    assert_eq!((receipt.seq, receipt.inbox), (last + 1, None));
}

#[test]
fn what_does_not_fit_together_is_refused_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for wrong in [
        Filling {
            peers: USERS / 2 + 1,
            ..filling(11)
        },
        Filling {
            members: USERS + 1,
            ..filling(11)
        },
        Filling {
            group_messages: MESSAGES + 1,
            ..filling(11)
        },
    ] {
        let outcome = fill(directory.path(), &wrong, &mut |_| {});
        assert!(matches!(outcome, Err(FillError::Shape(_))), "{outcome:?}");
    }
    assert!(!directory.path().join("gatehouse.db").exists());
}
