//! What joining, leaving and sending cost in a group that grows to 100,000 members.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use common::{GroupId, UserId};
use gatehouse_benches::table::{Table, figure};
use gatehouse_benches::timing::{Effort, time};
use module::group::{CreateGroup, Join, Joining, Leave};
use module::im::now_ms;
use module::message::{Kind, Send, To};
use module::storage::operation::WriteOperation;
use module::storage::sqlite::fill::{Filling, fill};
use module::storage::sqlite::{Location, Rules, SqliteStore, StoreConfig};
use module::storage::store::Store;

/// Changes on their way at once.
const IN_FLIGHT: usize = 1_024;

pub(crate) fn run(effort: Effort) -> anyhow::Result<()> {
    let users = effort.pick(100_000, 3_000);
    let steps = effort.pick(
        &[500, 1_000, 10_000, 20_000, 50_000, 100_000][..],
        &[500, 1_000, 2_000, 3_000][..],
    );
    let directory = tempfile::tempdir()?;
    let filling = Filling {
        users,
        peers: 0,
        groups: 0,
        members: 0,
        messages: 0,
        group_messages: 0,
        body_bytes: 1,
        search: true,
        rules: Rules::default(),
        now_ms: now_ms(),
    };
    fill(directory.path(), &filling, &mut |_| {})?;
    let config = StoreConfig {
        location: Location::Directory(directory.path().to_owned()),
        ..StoreConfig::default()
    };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(config, |_| {})?);
    let create = CreateGroup {
        owner: UserId(1),
        name: "everybody".to_owned(),
        members: Vec::new(),
        joining: Joining::Open,
        origin: None,
    };
    let group = store.change_now(create)?.id;

    let columns = [
        "up to so many members",
        "joins/s",
        "messages/s",
        "leaves and joins/s",
    ];
    let title = format!("a group that is a channel above 500, {IN_FLIGHT} changes on their way");
    let mut table = Table::new(title, columns);
    let mut members = 1;
    for &step in steps {
        let joins = (members + 1..=step).map(|user| join(UserId(user), group));
        let joining = all(&store, joins)?;
        let joined = step - members;
        members = step;
        let words = effort.pick(2_000, 500) / if members <= 500 { 10 } else { 1 };
        let said = (0..words).map(|n| text(UserId(1 + n * 7 % members), group));
        let sending = all(&store, said)?;
        // Those who leave come back in the same order, so nobody joins who is there.
        let some = effort.pick(2_000, 200).min(members - 1) / if members <= 500 { 10 } else { 1 };
        let leaving = all(&store, (2..some + 2).map(|user| leave(UserId(user), group)))?;
        let back = all(&store, (2..some + 2).map(|user| join(UserId(user), group)))?;
        table.row([
            &members,
            &rate(joined, joining),
            &rate(words, sending),
            &rate(2 * some, leaving + back),
        ]);
    }
    table.print();
    Ok(())
}

fn rate(count: u64, took: Duration) -> String {
    figure(count as f64 / took.as_secs_f64())
}

fn join(user: UserId, group: GroupId) -> Join {
    Join {
        user,
        group,
        text: String::new(),
        origin: None,
    }
}

fn leave(user: UserId, group: GroupId) -> Leave {
    Leave {
        user,
        group,
        hand_over: true,
        origin: None,
    }
}

fn text(sender: UserId, group: GroupId) -> Send {
    Send {
        sender,
        to: To::Group(group),
        kind: Kind::Custom,
        body: "x".repeat(100),
        extra: None,
        client_id: None,
        mentions: Vec::new(),
        origin: None,
    }
}

/// Has changes done, many on their way at once; how long they took together.
fn all<O: WriteOperation>(
    store: &Arc<dyn Store>,
    operations: impl Iterator<Item = O>,
) -> anyhow::Result<Duration> {
    let (done, finished) = channel();
    let mut outcome = Ok(());
    let took = time(|| {
        let mut waiting = 0;
        for operation in operations {
            if waiting == IN_FLIGHT {
                waiting -= 1;
                outcome = outcome.and(finished.recv().unwrap_or(Ok(())));
            }
            let done = done.clone();
            store.change(operation, move |outcome| {
                // Who has failed looks at no more outcomes.
                let _ = done.send(outcome.map(drop));
            });
            waiting += 1;
        }
        for _ in 0..waiting {
            outcome = outcome.and(finished.recv().unwrap_or(Ok(())));
        }
    });
    outcome?;
    Ok(took)
}
