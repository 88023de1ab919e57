//! What is read in pages, in stores of more and more messages.

use std::path::Path;
use std::time::Duration;

use common::{GroupId, UserId};
use gatehouse_benches::table::{Table, figure};
use gatehouse_benches::timing::{Effort, median, time};
use module::account::SearchUsers;
use module::group::{ListMembers, WhichMembers};
use module::im::now_ms;
use module::inbox::Sync;
use module::message::{Conversation, Conversations, Direction, History, SearchMessages};
use module::storage::operation::ReadOperation;
use module::storage::sqlite::Rules;
use module::storage::sqlite::fill::{Filling, fill};
use module::storage::sqlite::probe::{Cost, Probe};

/// Entries of a page.
const PAGE: usize = 50;
/// Words of the filling: one that is in every second or third message, in one of a hundred, and in
/// one of some thousands.
const WORDS: [(&str, &str); 3] = [
    ("frequent", "babe"),
    ("less so", "sabi"),
    ("rare", "satobi"),
];

/// How a store grows.
#[derive(Clone, Copy)]
enum Growth {
    /// More users, and each says as much as before.
    Wide,
    /// The same users say more and more.
    Deep,
}

pub(crate) fn run(effort: Effort) -> anyhow::Result<()> {
    let sizes = effort.pick(&[10_000, 1_000_000, 10_000_000][..], &[10_000, 100_000][..]);
    for growth in [Growth::Wide, Growth::Deep] {
        let title = match growth {
            Growth::Wide => "pages of 50; 200 messages for each user",
            Growth::Deep => "pages of 50; 50 users, whatever is said",
        };
        let columns = ["read", "messages", "us", "pages of 4 KiB", "steps"];
        let mut table = Table::new(title, columns);
        let mut rows: Vec<Vec<[String; 5]>> = Vec::new();
        for &messages in sizes {
            let directory = tempfile::tempdir()?;
            let filling = filling(growth, messages);
            let took = time(|| fill(directory.path(), &filling, &mut |_| {}));
            eprintln!(
                "{messages} messages filled in in {:.1} s",
                took.as_secs_f64()
            );
            let costs = reads(directory.path(), &filling, effort)?;
            rows.resize(costs.len(), Vec::new());
            for ((read, cost), rows) in costs.into_iter().zip(&mut rows) {
                rows.push(row(read, messages, &cost));
            }
        }
        for [read, messages, time, pages, steps] in rows.iter().flatten() {
            table.row([read, messages, time, pages, steps]);
        }
        table.print();
    }
    members(effort)
}

fn filling(growth: Growth, messages: u32) -> Filling {
    let users = match growth {
        Growth::Wide => messages / 200,
        Growth::Deep => 50,
    };
    Filling {
        users,
        peers: 3,
        groups: 0,
        members: 0,
        messages,
        group_messages: 0,
        body_bytes: 100,
        search: true,
        rules: Rules::default(),
        now_ms: now_ms(),
    }
}

/// The mean of several costs; of times the median.
struct Mean {
    pages: f64,
    steps: f64,
    time: Duration,
}

fn row(read: String, of: u32, cost: &Mean) -> [String; 5] {
    [
        read,
        of.to_string(),
        figure(cost.time.as_secs_f64() * 1e6),
        figure(cost.pages),
        figure(cost.steps),
    ]
}

/// What each read costs, asked by users all over the store.
fn reads(
    directory: &Path,
    filling: &Filling,
    effort: Effort,
) -> anyhow::Result<Vec<(String, Mean)>> {
    let probe = Probe::open(directory)?;
    let samples = effort.pick(300, 30).min(filling.users);
    let user = |sample: u32| {
        let spread = u64::from(filling.users) * u64::from(sample) / u64::from(samples);
        UserId(spread + 1)
    };
    let peer = |user: UserId| UserId(user.0 % u64::from(filling.users) + 1);
    let cost = |ask: &dyn Fn(UserId) -> anyhow::Result<Cost>| -> anyhow::Result<Mean> {
        let costs = (0..samples).map(|sample| ask(user(sample)));
        let costs: Vec<Cost> = costs.collect::<anyhow::Result<_>>()?;
        Ok(mean(&costs))
    };
    let history = |before: Option<u64>| {
        move |user| History {
            user,
            conversation: Conversation::between(user, peer(user)),
            direction: Direction::Before(before),
            limit: PAGE,
        }
    };
    let middle = u64::from(filling.messages) / u64::from(filling.users * filling.peers) / 2;
    let last = |user| -> anyhow::Result<u64> {
        let sync = Sync {
            user,
            after: 0,
            limit: 1,
        };
        Ok(probe.ask(sync)?.0.last)
    };
    let mut found = vec![
        (
            "history, the last".to_owned(),
            cost(&|user| asked(&probe, history(None)(user)))?,
        ),
        (
            "history, from the middle".to_owned(),
            cost(&|user| asked(&probe, history(Some(middle))(user)))?,
        ),
        (
            "sync, the last".to_owned(),
            cost(&|user| {
                let after = last(user)?.saturating_sub(PAGE as u64);
                let limit = PAGE;
                asked(&probe, Sync { user, after, limit })
            })?,
        ),
        (
            "conversations".to_owned(),
            cost(&|user| {
                let list = Conversations {
                    user,
                    offset: 0,
                    limit: PAGE,
                };
                asked(&probe, list)
            })?,
        ),
        (
            "search for users".to_owned(),
            cost(&|user| {
                let search = SearchUsers {
                    query: format!("user-{}", user.0),
                    limit: PAGE,
                };
                asked(&probe, search)
            })?,
        ),
    ];
    for (name, word) in WORDS {
        let search = |user| SearchMessages {
            user,
            conversation: None,
            query: word.to_owned(),
            before: None,
            limit: PAGE,
        };
        found.push((
            format!("search, {name} word"),
            cost(&|user| asked(&probe, search(user)))?,
        ));
    }
    Ok(found)
}

fn asked<O: ReadOperation + Clone>(probe: &Probe, operation: O) -> anyhow::Result<Cost> {
    Ok(probe.ask(operation)?.1)
}

fn mean(costs: &[Cost]) -> Mean {
    let count = costs.len() as f64;
    let mut times: Vec<Duration> = costs.iter().map(|cost| cost.time).collect();
    Mean {
        pages: costs.iter().map(|cost| cost.pages as f64).sum::<f64>() / count,
        steps: costs.iter().map(|cost| cost.steps as f64).sum::<f64>() / count,
        time: median(&mut times),
    }
}

/// A page of members in groups of different sizes.
fn members(effort: Effort) -> anyhow::Result<()> {
    let columns = ["read", "members", "us", "pages of 4 KiB", "steps"];
    let mut table = Table::new("a page of 50 members", columns);
    for members in effort.pick([1_000, 10_000, 100_000], [500, 1_000, 2_000]) {
        let directory = tempfile::tempdir()?;
        let filling = Filling {
            users: members,
            groups: 1,
            members,
            messages: 1_000,
            group_messages: 1_000,
            peers: 0,
            ..filling(Growth::Deep, 1_000)
        };
        fill(directory.path(), &filling, &mut |_| {})?;
        let probe = Probe::open(directory.path())?;
        let page = |after| ListMembers {
            user: UserId(1),
            group: GroupId(1),
            which: WhichMembers::All,
            after: UserId(after),
            limit: PAGE,
        };
        for (name, after) in [("first", 0), ("middle", members / 2)] {
            let costs = (0..effort.pick(100, 10)).map(|_| asked(&probe, page(after.into())));
            let cost = mean(&costs.collect::<anyhow::Result<Vec<_>>>()?);
            let [read, of, time, pages, steps] = row(name.to_owned(), members, &cost);
            table.row([&read, &of, &time, &pages, &steps]);
        }
    }
    table.print();
    Ok(())
}
