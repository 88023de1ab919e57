//! How many direct messages does the store acknowledge in a second, next to a bare loop that
//! inserts the same rows in transactions of the same size on the same disk? And what do a page of
//! history, a page of the inbox, the list of conversations, a search and a page of members cost as
//! the store grows, and what does a group of 100,000?
//!
//! `cargo bench -p gatehouse-benches --bench store [-- --quick] [acknowledgements|pages|group]`

mod group;
mod pages;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use common::UserId;
use gatehouse_benches::table::{Table, figure};
use gatehouse_benches::timing::{Effort, time};
use module::account::EnterGuest;
use module::message::{Kind, Receipt, Send, To};
use module::storage::refusal::Refusal;
use module::storage::sqlite::{Location, SqliteStore, StoreConfig};
use module::storage::store::Store;
use rusqlite::Connection;

/// Users of the store, and with how many of them each one writes.
#[derive(Clone, Copy)]
struct Crowd {
    users: u64,
    peers: u64,
}

/// Many conversations: what is written is spread over the whole store.
const MANY: Crowd = Crowd {
    users: 1_000,
    peers: 20,
};

const BODY_BYTES: usize = 100;

/// A part of the bench, which can be run alone.
type Part = fn(Effort) -> anyhow::Result<()>;

fn main() -> anyhow::Result<()> {
    let effort = Effort::from_args();
    let parts: [(&str, Part); 3] = [
        ("acknowledgements", acknowledgements),
        ("pages", pages::run),
        ("group", group::run),
    ];
    let asked = |name: &str| std::env::args().any(|argument| argument == name);
    let some = parts.iter().any(|(name, _)| asked(name));
    for (name, run) in parts {
        if !some || asked(name) {
            run(effort)?;
        }
    }
    Ok(())
}

/// A store in a directory, with users who write to each other.
struct Subject {
    store: Arc<SqliteStore>,
    crowd: Crowd,
    users: Vec<UserId>,
    sent: u64,
}

impl Subject {
    fn open(directory: &Path, crowd: Crowd) -> anyhow::Result<Self> {
        let config = StoreConfig {
            location: Location::Directory(directory.to_owned()),
            ..StoreConfig::default()
        };
        let store: Arc<SqliteStore> = Arc::new(SqliteStore::open(config, |_| {})?);
        let names = (0..crowd.users).map(|n| EnterGuest {
            name: format!("user {n}"),
        });
        let waiting: Vec<_> = names
            .map(|enter| {
                let (sender, receiver) = channel();
                // All receivers are kept until they have heard.
                as_store(&store).change(enter, move |user| drop(sender.send(user)));
                receiver
            })
            .collect();
        let users = waiting
            .into_iter()
            .map(|waiting| Ok(waiting.recv()??.user.id))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            store,
            crowd,
            users,
            sent: 0,
        })
    }

    /// Has `messages` acknowledged, `in_flight` on their way at once; how long each took.
    fn send(&mut self, messages: usize, in_flight: usize) -> anyhow::Result<Vec<Duration>> {
        let (done, finished) = channel::<(Instant, Result<Receipt, Refusal>)>();
        let mut latencies = Vec::with_capacity(messages);
        for at in 0..messages {
            if at >= in_flight {
                latencies.push(acknowledged(&finished)?);
            }
            self.submit(done.clone());
        }
        while latencies.len() < messages {
            latencies.push(acknowledged(&finished)?);
        }
        Ok(latencies)
    }

    fn submit(&mut self, done: Sender<(Instant, Result<Receipt, Refusal>)>) {
        let (sender, to) = self.crowd.pair(self.sent);
        let send = Send {
            sender: self.users[sender as usize],
            to: To::User(self.users[to as usize]),
            kind: Kind::Custom,
            body: "x".repeat(BODY_BYTES),
            extra: None,
            client_id: Some(client_id(self.sent)),
            mentions: Vec::new(),
            origin: None,
        };
        self.sent += 1;
        let begun = Instant::now();
        as_store(&self.store).change(send, move |outcome| {
            // Who has failed looks at no more outcomes.
            let _ = done.send((begun, outcome));
        });
    }
}

fn as_store(store: &Arc<SqliteStore>) -> &dyn Store {
    &**store
}

fn acknowledged(
    finished: &Receiver<(Instant, Result<Receipt, Refusal>)>,
) -> anyhow::Result<Duration> {
    let (begun, outcome) = finished.recv()?;
    outcome?;
    Ok(begun.elapsed())
}

impl Crowd {
    /// Sender and receiver of a message, spread over all users; two different ones.
    fn pair(self, number: u64) -> (u64, u64) {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let sender = mixed % self.users;
        let distance = 1 + (mixed / self.users) % self.peers;
        (sender, (sender + distance) % self.users)
    }
}

fn client_id(number: u64) -> String {
    format!("client-id-{number:016}")
}

/// The same tables and rows without anybody who asks, checks or answers.
struct Bare {
    connection: Connection,
    sent: u64,
}

impl Bare {
    /// On a store that has its users, and is closed.
    fn open(directory: &Path) -> anyhow::Result<Self> {
        let connection = Connection::open(directory.join("gatehouse.db"))?;
        connection.set_prepared_statement_cache_capacity(32);
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
        connection.pragma_update(None, "cache_size", -32_768)?;
        Ok(Self {
            connection,
            sent: 0,
        })
    }

    fn insert(&mut self, messages: usize, group: usize) -> anyhow::Result<()> {
        for at in 0..messages {
            if at % group == 0 {
                self.connection
                    .prepare_cached("BEGIN IMMEDIATE")?
                    .execute([])?;
            }
            self.insert_one()?;
            if at % group == group - 1 || at == messages - 1 {
                self.connection.prepare_cached("COMMIT")?.execute([])?;
            }
        }
        Ok(())
    }

    fn insert_one(&mut self) -> anyhow::Result<()> {
        let db = &self.connection;
        let (sender, to) = MANY.pair(self.sent);
        let (sender, to) = (sender + 1, to + 1);
        let (low, high) = (sender.min(to), sender.max(to));
        let found = db
            .prepare_cached(
                "SELECT id, last_seq FROM conversations WHERE kind = 1 AND a = ? AND b = ?",
            )?
            .query_row((low, high), |row| Ok((row.get(0)?, row.get(1)?)));
        let (conversation, last): (i64, i64) = match found {
            Ok(found) => found,
            Err(rusqlite::Error::QueryReturnedNoRows) => {
                db.prepare_cached("INSERT INTO conversations (kind, a, b) VALUES (1, ?, ?)")?
                    .execute((low, high))?;
                let id = db.last_insert_rowid();
                for user in [low, high] {
                    db.prepare_cached(
                        "INSERT INTO participants
                            (user, conversation, first_seq, read_seq, unlisted_seq)
                         VALUES (?, ?, 1, 0, 0)",
                    )?
                    .execute((user, id))?;
                }
                (id, 0)
            }
            Err(error) => return Err(error.into()),
        };
        db.prepare_cached("UPDATE conversations SET last_seq = ?, last_ms = ? WHERE id = ?")?
            .execute((last + 1, 1_700_000_000_000_i64, conversation))?;
        db.prepare_cached(
            "INSERT INTO messages (conversation, seq, sender, kind, time_ms, client_id, body)
             VALUES (?, ?, ?, 7, ?, ?, ?)",
        )?
        .execute((
            conversation,
            last + 1,
            sender,
            1_700_000_000_000_i64,
            client_id(self.sent),
            "x".repeat(BODY_BYTES),
        ))?;
        let message = db.last_insert_rowid();
        db.prepare_cached(
            "UPDATE participants SET read_seq = ? WHERE user = ? AND conversation = ?",
        )?
        .execute((last + 1, sender, conversation))?;
        for user in [to, sender] {
            let seq: i64 = db
                .prepare_cached(
                    "UPDATE inboxes SET last_seq = last_seq + 1 WHERE user = ?
                     RETURNING last_seq",
                )?
                .query_row([user], |row| row.get(0))?;
            db.prepare_cached("INSERT INTO inbox VALUES (?, ?, ?)")?
                .execute((user, seq, message))?;
        }
        self.sent += 1;
        Ok(())
    }
}

fn acknowledgements(effort: Effort) -> anyhow::Result<()> {
    let columns = [
        "in flight",
        "acknowledged/s",
        "in a transaction",
        "bare loop/s",
        "share",
        "p50 ms",
        "p99 ms",
    ];
    let title = format!(
        "direct messages of {BODY_BYTES} B, {} users, synchronous=FULL",
        MANY.users
    );
    let mut table = Table::new(title, columns);
    for in_flight in [1, 16, 256, 2_048] {
        let messages = effort.pick(60_000, 6_000) / if in_flight == 1 { 10 } else { 1 };
        let (ours, theirs) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let mut subject = Subject::open(ours.path(), MANY)?;
        drop(Subject::open(theirs.path(), MANY)?);
        let mut bare = Bare::open(theirs.path())?;
        subject.send(messages / 10, in_flight)?;
        let (mut rates, mut bare_rates, mut latencies) = (Vec::new(), Vec::new(), Vec::new());
        let mut group = 1.0;
        // In turns, so that both meet the same machine and disk.
        for _ in 0..3 {
            let before = subject.store.stats();
            let mut outcome = Ok(Vec::new());
            let took = time(|| outcome = subject.send(messages, in_flight));
            latencies.extend(outcome?);
            let stats = subject.store.stats();
            let commits = (stats.commits - before.commits).max(1);
            group = (stats.writes - before.writes) as f64 / commits as f64;
            rates.push(messages as f64 / took.as_secs_f64());
            let mut outcome = Ok(());
            let took = time(|| outcome = bare.insert(messages, (group.round() as usize).max(1)));
            outcome?;
            bare_rates.push(messages as f64 / took.as_secs_f64());
        }
        for list in [&mut rates, &mut bare_rates] {
            list.sort_by(f64::total_cmp);
        }
        latencies.sort();
        let percentile = |share: usize| {
            let at = (latencies.len() - 1) * share / 100;
            figure(latencies[at].as_secs_f64() * 1e3)
        };
        table.row([
            &in_flight,
            &format!("{:.0}", rates[1]),
            &figure(group),
            &format!("{:.0}", bare_rates[1]),
            &figure(rates[1] / bare_rates[1]),
            &percentile(50),
            &percentile(99),
        ]);
    }
    table.print();
    Ok(())
}
