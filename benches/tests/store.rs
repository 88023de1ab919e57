//! Pages cost the same as the store grows: in steps and pages of the database, which no load of the
//! machine can change.

use common::{GroupId, UserId};
use module::group::{ListMembers, WhichMembers};
use module::im::now_ms;
use module::inbox::Sync;
use module::message::{Conversation, Conversations, Direction, History, SearchMessages};
use module::storage::operation::ReadOperation;
use module::storage::sqlite::Rules;
use module::storage::sqlite::fill::{Filling, fill};
use module::storage::sqlite::probe::{Cost, Probe};

const PAGE: usize = 20;

fn filled(filling: &Filling) -> (Probe, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path(), filling, &mut |_| {}).unwrap();
    (Probe::open(directory.path()).unwrap(), directory)
}

/// A hundred messages for each user, in six conversations.
fn talking(users: u32) -> Filling {
    Filling {
        users,
        peers: 3,
        groups: 0,
        members: 0,
        messages: 100 * users,
        group_messages: 0,
        body_bytes: 100,
        search: true,
        rules: Rules::default(),
        now_ms: now_ms(),
    }
}

fn cost<O: ReadOperation + Clone>(probe: &Probe, operation: O) -> Cost {
    probe.ask(operation).unwrap().1
}

/// What a user's pages cost.
fn pages_of(probe: &Probe, user: UserId) -> Vec<(&'static str, Cost)> {
    let history = History {
        user,
        conversation: Conversation::between(user, UserId(user.0 + 1)),
        direction: Direction::Before(None),
        limit: PAGE,
    };
    let sync = Sync {
        user,
        after: 50,
        limit: PAGE,
    };
    let list = Conversations {
        user,
        offset: 0,
        limit: PAGE,
    };
    let search = SearchMessages {
        user,
        conversation: None,
        // In every second or third message.
        query: "babe".to_owned(),
        before: None,
        limit: PAGE,
    };
    vec![
        ("history", cost(probe, history)),
        ("sync", cost(probe, sync)),
        ("conversations", cost(probe, list)),
        ("search", cost(probe, search)),
    ]
}

#[test]
fn pages_cost_the_same_in_a_store_of_ten_times_as_much() {
    let (small, _kept) = filled(&talking(50));
    let (large, _kept) = filled(&talking(500));
    let user = UserId(20);
    for ((name, small), (_, large)) in pages_of(&small, user).iter().zip(pages_of(&large, user)) {
        let steps = small.steps.abs_diff(large.steps);
        assert!(steps * 20 <= small.steps, "{name}: {small:?}, {large:?}");
        // A tree is a level higher, and neighbours share fewer pages.
        assert!(
            large.pages <= 2 * small.pages,
            "{name}: {small:?}, {large:?}"
        );
    }
}

#[test]
fn a_page_of_members_costs_the_same_in_a_group_of_any_size() {
    let pages = [200, 4_000].map(|members| {
        let (probe, _kept) = filled(&Filling {
            peers: 0,
            groups: 1,
            members,
            messages: 10,
            group_messages: 10,
            ..talking(members)
        });
        [WhichMembers::All, WhichMembers::WithRole].map(|which| {
            let list = ListMembers {
                user: UserId(1),
                group: GroupId(1),
                which,
                after: UserId(0),
                limit: PAGE,
            };
            cost(&probe, list)
        })
    });
    let [small, large] = pages;
    for (small, large) in small.iter().zip(&large) {
        assert_eq!(small.steps, large.steps);
        assert!(large.pages <= small.pages + 4, "{small:?}, {large:?}");
    }
}
