//! What an administrator is told: counts by day, accounts, groups, sessions.

use std::time::Duration;

use common::{GroupId, UserId};
use module::account::{Enter, EnterGuest, ListAccounts, SetDisabled};
use module::group::{Dismiss, ListAllGroups};
use module::message::{Kind, SendSystem, SystemRecipients, To};
use module::statistics::{Day, FindStatistics, Statistics, day_of};
use module::storage::refusal::Refusal;

use crate::bench::{BEGIN_MS, Bench};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn statistics(bench: &Bench) -> Statistics {
    bench
        .look_up_now(FindStatistics { days: 0..=99_999 })
        .unwrap()
}

#[test]
fn each_day_has_its_counts() {
    let bench = Bench::new();
    let today = day_of(BEGIN_MS);
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let guest = |name: &str| EnterGuest {
        name: name.to_owned(),
    };
    let eve = bench.change_now(guest("Eve")).unwrap().user.id;
    bench.change_now(guest("Eve")).unwrap();
    for _ in 0..3 {
        bench.send(ada, To::User(bob), "hi").unwrap();
    }
    assert_eq!(
        bench.send(ada, To::User(UserId(99)), "hi"),
        Err(Refusal::UserUnknown)
    );
    let first = Day {
        day: today,
        users: 2,
        guests: 1,
        messages: 3,
        // Ada has sent, Eve has come; Bob was only made.
        active: 2,
    };
    assert_eq!(statistics(&bench).days, [first]);

    bench.advance(DAY);
    bench
        .change_now(Enter {
            user: ada,
            session: None,
        })
        .unwrap();
    bench.send(eve, To::User(ada), "hi").unwrap();
    let system = SendSystem {
        to: SystemRecipients::Users(vec![ada, bob]),
        kind: Kind::Text,
        body: "news".to_owned(),
        extra: None,
    };
    bench.change_now(system).unwrap();
    bench.group(ada, &[bob]);
    let second = Day {
        day: today + 1,
        messages: 3,
        active: 2,
        ..Day::default()
    };
    let found = statistics(&bench);
    assert_eq!(found.days, [first, second]);
    assert_eq!((found.users, found.guests, found.groups), (3, 1, 1));
    let one = bench.look_up_now(FindStatistics {
        days: today + 1..=today + 1,
    });
    assert_eq!(one.unwrap().days, [second]);
}

#[test]
fn accounts_and_groups_are_found_by_page_and_by_name() {
    let bench = Bench::new();
    let users: Vec<UserId> = (0..25).map(|n| bench.user(&format!("user {n}"))).collect();
    let wang = bench.user("王小明");
    let disable = SetDisabled {
        user: users[3],
        disabled: true,
    };
    bench.change_now(disable).unwrap();
    let accounts = |query: Option<&str>| {
        let (mut found, mut after) = (Vec::new(), UserId(0));
        loop {
            let list = ListAccounts {
                query: query.map(str::to_owned),
                after,
                limit: 10,
            };
            let page = bench.look_up_now(list).unwrap();
            assert_eq!(page.total, 26);
            found.extend(page.accounts.iter().map(|account| account.id));
            match found.last() {
                Some(last) if page.more => after = *last,
                _ => return found,
            }
        }
    };
    assert_eq!(accounts(None).len(), 26);
    assert_eq!(accounts(Some("USER")), users, "those locked out as well");
    assert_eq!(accounts(Some("小明")), [wang]);
    assert_eq!(accounts(Some("\"*")), []);

    let rust = bench.group(users[0], &[]);
    let gone = bench.group(users[1], &[]);
    let dismiss = Dismiss {
        by: Some(users[1]),
        group: gone,
        origin: None,
    };
    bench.change_now(dismiss).unwrap();
    let groups = |query: Option<&str>| {
        let list = ListAllGroups {
            query: query.map(str::to_owned),
            after: GroupId(0),
            limit: 10,
        };
        let page = bench.look_up_now(list).unwrap().groups;
        page.iter()
            .map(|group| (group.id, group.dismissed))
            .collect::<Vec<_>>()
    };
    assert_eq!(groups(None), [(rust, false), (gone, true)]);
    assert_eq!(groups(Some("ru")), [(rust, false)]);
    assert_eq!(groups(Some("golang")), []);
}
