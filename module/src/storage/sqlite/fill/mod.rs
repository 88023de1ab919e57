//! Filling a store directly, as if many people had used it for a day: for measurements and trials
//! of stores that would take hours to come about through the front door.
//!
//! What stands in it afterwards is what the operations would have left: rows, numbers without
//! gaps, counts. It is written in the order in which the tables are clustered, without a journal,
//! and indexes are made of what is there; so ten million messages take minutes. The file gets its
//! name when it is whole: what is given up in between leaves no store.

mod shape;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Statement, params};

use super::config::Rules;
use super::open::{self, OpenError};
use super::sql::Sql;
use super::text;
use crate::account::Origin;
use crate::group::{Joining, Role};
use crate::im::now_ms;
use crate::message::Kind;
use crate::statistics::{Day, day_of};
use shape::Shape;

/// What a store is filled with.
#[derive(Clone, Debug)]
pub struct Filling {
    /// Users: guests of the names `user-0`, `user-1` and on.
    pub users: u32,
    /// Direct conversations that each user has begun; each has as many that others have.
    pub peers: u32,
    /// Groups.
    pub groups: u32,
    /// Members of each group.
    pub members: u32,
    /// Messages.
    pub messages: u32,
    /// Of the messages, those in groups.
    pub group_messages: u32,
    /// Bytes of a message's body.
    pub body_bytes: usize,
    /// Make the index that messages are searched in; otherwise the server does when it starts.
    pub search: bool,
    /// By which rules.
    pub rules: Rules,
    /// When the last message was sent, in milliseconds since 1970.
    pub now_ms: u64,
}

impl Filling {
    /// Users, and nothing else.
    #[must_use]
    pub fn of_users(users: u32) -> Self {
        Self {
            users,
            peers: 0,
            groups: 0,
            members: 0,
            messages: 0,
            group_messages: 0,
            body_bytes: 100,
            search: true,
            rules: Rules::default(),
            now_ms: now_ms(),
        }
    }
}

/// Why a store was not filled.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// There is a store already.
    #[error("there is a store in {0} already; only a new one is filled")]
    Exists(PathBuf),
    /// What was asked for does not fit together.
    #[error("{0}")]
    Shape(&'static str),
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What SQLite says.
    #[error("the store cannot be written: {0}")]
    Database(#[from] rusqlite::Error),
    /// What the file system says.
    #[error("the store cannot be written: {0}")]
    File(#[from] io::Error),
}

/// What is being done, how much of it is done, and of how much.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// In words.
    pub step: &'static str,
    /// Rows written.
    pub done: u64,
    /// Rows in all.
    pub all: u64,
}

/// Rows between two reports of progress.
const REPORT_EVERY: u64 = 8_192;
/// Memory for pages while it is filled, in KiB.
const CACHE_KIB: i64 = 512 * 1024;

/// Makes a store in a directory and fills it; `progress` is told now and then.
///
/// # Errors
/// [`FillError`]; no store is left then.
pub fn fill(
    directory: &Path,
    filling: &Filling,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), FillError> {
    let shape = Shape::new(filling.clone())?;
    let _lock = open::lock(directory)?;
    let (file, unfinished) = (directory.join(open::FILE), directory.join("unfinished.db"));
    if file.exists() {
        return Err(FillError::Exists(directory.to_owned()));
    }
    if unfinished.exists() {
        fs::remove_file(&unfinished)?;
    }
    let outcome = write(&unfinished, shape, progress);
    if outcome.is_err() {
        // What is left of it is of no use; why it came to that matters more.
        let _ = fs::remove_file(&unfinished);
        return outcome;
    }
    progress(Progress {
        step: "syncing",
        done: 0,
        all: 1,
    });
    File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, &file)?;
    File::open(directory)?.sync_all()?;
    Ok(())
}

fn write(file: &Path, shape: Shape, progress: &mut dyn FnMut(Progress)) -> Result<(), FillError> {
    let db = open::fresh(file)?;
    db.pragma_update(None, "journal_mode", "OFF")?;
    db.pragma_update(None, "synchronous", "OFF")?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // What is sorted for an index may be more than fits.
    db.pragma_update(None, "temp_store", "FILE")?;
    let conversations = shape.conversations() as usize;
    let mut filler = Filler {
        db: &db,
        logs: vec![Log::default(); conversations],
        read: vec![[0; 2]; shape.directs() as usize],
        groups_of: vec![Vec::new(); shape.filling.users as usize],
        active: vec![0; shape.filling.users as usize],
        days: BTreeMap::new(),
        shape,
        progress,
    };
    db.execute_batch("BEGIN")?;
    filler.users()?;
    filler.groups()?;
    let indexes = take_indexes(&db, "messages")?;
    filler.messages()?;
    filler.days()?;
    filler.inboxes()?;
    filler.participants()?;
    filler.conversations()?;
    filler.indexes(&indexes)?;
    if filler.shape.filling.search {
        filler.search()?;
    }
    db.execute_batch("COMMIT; PRAGMA optimize;")?;
    db.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// The last message of a conversation.
#[derive(Clone, Copy, Debug, Default)]
struct Log {
    seq: u32,
    number: u32,
}

struct Filler<'a> {
    db: &'a Connection,
    shape: Shape,
    progress: &'a mut dyn FnMut(Progress),
    /// By number of the conversation.
    logs: Vec<Log>,
    /// Up to where the two users of a direct conversation have read it: what they have said.
    read: Vec<[u32; 2]>,
    /// By number of the user, with what they have said last.
    groups_of: Vec<Vec<(u32, u32)>>,
    /// By number of the user, the last day on which they were active.
    active: Vec<u64>,
    days: BTreeMap<u64, Day>,
}

impl Filler<'_> {
    fn report(&mut self, step: &'static str, done: u64, all: u64) {
        if done.is_multiple_of(REPORT_EVERY) {
            (self.progress)(Progress { step, done, all });
        }
    }

    fn users(&mut self) -> Result<(), FillError> {
        let users = self.shape.filling.users;
        let begin_ms = self.shape.time_ms(0);
        let mut user = self.db.prepare(
            "INSERT INTO users (id, name, name_key, origin, nickname, created_ms)
             VALUES (?1, ?2, ?2, ?3, ?2, ?4)",
        )?;
        let mut index = self
            .db
            .prepare("INSERT INTO user_index (rowid, text) VALUES (?, ?)")?;
        for number in 0..users {
            let name = shape::user_name(number);
            let id = u64::from(number) + 1;
            index.execute((id, text::indexed(&format!("{name} {name}"))))?;
            user.execute((id, name, Origin::Guest as u8, begin_ms))?;
            self.count(number, begin_ms).guests += 1;
            self.report("users", number.into(), users.into());
        }
        self.db.set_meta("users", users.into())?;
        self.db.set_meta("guests", users.into())?;
        Ok(())
    }

    fn groups(&mut self) -> Result<(), FillError> {
        let (groups, begin_ms) = (self.shape.filling.groups, self.shape.time_ms(0));
        let mut group = self.db.prepare(
            "INSERT INTO groups
                (id, name, owner, creator, members, conversation, channel, joining, created_ms)
             VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        let mut index = self
            .db
            .prepare("INSERT INTO group_index (rowid, text) VALUES (?, ?)")?;
        let mut member = self
            .db
            .prepare("INSERT INTO members (grp, user, role, joined_ms) VALUES (?, ?, ?, ?)")?;
        for number in 0..groups {
            let (id, name) = (u64::from(number) + 1, format!("group-{number}"));
            let owner = self.shape.member(number, 0);
            index.execute((id, text::indexed(&name)))?;
            group.execute((
                id,
                name,
                u64::from(owner) + 1,
                self.shape.filling.members,
                self.shape.directs() + id,
                self.shape.has_channels(),
                Joining::Open as u8,
                begin_ms,
            ))?;
            for user in self.shape.members(number) {
                let role = if user == owner {
                    Role::Owner
                } else {
                    Role::Member
                };
                member.execute((id, u64::from(user) + 1, role as u8, begin_ms))?;
                self.groups_of[user as usize].push((number, 0));
            }
            self.report("groups", number.into(), groups.into());
        }
        let mut count = self
            .db
            .prepare("UPDATE users SET groups = ? WHERE id = ?")?;
        for (user, groups) in self.groups_of.iter().enumerate() {
            count.execute((groups.len(), user + 1))?;
        }
        self.db.set_meta("groups", groups.into())?;
        Ok(())
    }

    fn messages(&mut self) -> Result<(), FillError> {
        let messages = self.shape.filling.messages;
        let mut insert = self.db.prepare(
            "INSERT INTO messages
                (id, conversation, seq, sender, kind, time_ms, client_id, body)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        let mut body = String::new();
        for number in 0..messages {
            let said = self.shape.message(number);
            let log = &mut self.logs[said.conversation as usize];
            *log = Log {
                seq: log.seq + 1,
                number,
            };
            let seq = log.seq;
            let time_ms = self.shape.time_ms(number);
            self.count(said.sender, time_ms).messages += 1;
            self.shape.write_body(number, &mut body);
            insert.execute(params![
                u64::from(number) + 1,
                u64::from(said.conversation) + 1,
                seq,
                u64::from(said.sender) + 1,
                Kind::Text.number(),
                time_ms,
                format!("fill-{number:010}"),
                &body,
            ])?;
            match self.shape.group_of(said.conversation) {
                None => {
                    let [first, _] = self.shape.pair(said.conversation);
                    let side = usize::from(said.sender != first);
                    self.read[said.conversation as usize][side] = seq;
                }
                Some(group) => {
                    let groups = &mut self.groups_of[said.sender as usize];
                    let at = groups.partition_point(|&(of, _)| of < group);
                    groups[at].1 = seq;
                }
            }
            self.report("messages", number.into(), messages.into());
        }
        Ok(())
    }

    /// The counts of the day, in which this user is active.
    fn count(&mut self, user: u32, time_ms: u64) -> &mut Day {
        let today = day_of(time_ms);
        let day = self.days.entry(today).or_default();
        let active = &mut self.active[user as usize];
        if *active < today {
            *active = today;
            day.active += 1;
        }
        day
    }

    fn days(&self) -> Result<(), FillError> {
        let mut user = self
            .db
            .prepare("UPDATE users SET active_day = ? WHERE id = ?")?;
        for (number, active) in self.active.iter().enumerate() {
            user.execute((active, number + 1))?;
        }
        let mut insert = self.db.prepare(
            "INSERT INTO days (day, users, guests, messages, active) VALUES (?, ?, ?, ?, ?)",
        )?;
        for (number, day) in &self.days {
            insert.execute((number, day.users, day.guests, day.messages, day.active))?;
        }
        Ok(())
    }

    /// Each user's entries in one piece: whose they are is found in one walk over the messages, and
    /// how many there are of each in one before.
    fn inboxes(&mut self) -> Result<(), FillError> {
        let Filling {
            users, messages, ..
        } = self.shape.filling;
        let mut ends = vec![0_u32; users as usize + 1];
        for number in 0..messages {
            let conversation = self.shape.message(number).conversation;
            self.shape
                .receivers(conversation, |user| ends[user as usize + 1] += 1);
        }
        for user in 0..users as usize {
            ends[user + 1] += ends[user];
        }
        let all = ends[users as usize];
        let mut entries = vec![0_u32; all as usize];
        let mut next = ends.clone();
        for number in 0..messages {
            let conversation = self.shape.message(number).conversation;
            self.shape.receivers(conversation, |user| {
                let at = &mut next[user as usize];
                entries[*at as usize] = number;
                *at += 1;
            });
        }
        let mut inbox = self
            .db
            .prepare("INSERT INTO inboxes (user, last_seq) VALUES (?, ?)")?;
        let mut entry = self
            .db
            .prepare("INSERT INTO inbox (user, seq, message) VALUES (?, ?, ?)")?;
        let mut done = 0_u64;
        for user in 0..users as usize {
            let own = &entries[ends[user] as usize..ends[user + 1] as usize];
            inbox.execute((user + 1, own.len()))?;
            for (at, &number) in own.iter().enumerate() {
                entry.execute((user + 1, at + 1, u64::from(number) + 1))?;
                done += 1;
                self.report("inboxes", done, all.into());
            }
        }
        Ok(())
    }

    fn participants(&mut self) -> Result<(), FillError> {
        let Filling { users, peers, .. } = self.shape.filling;
        let mut insert = self.db.prepare(
            "INSERT INTO participants (user, conversation, first_seq, read_seq, unlisted_seq)
             VALUES (?, ?, 1, ?, ?)",
        )?;
        let put =
            |insert: &mut Statement<'_>, user: u32, conversation: u64, read: u32, unlisted| {
                insert.execute((u64::from(user) + 1, conversation + 1, read, unlisted))
            };
        for user in 0..users {
            let mut directs: Vec<(u32, usize)> = Vec::with_capacity(2 * peers as usize);
            directs.extend((0..peers).map(|at| (user * peers + at, 0)));
            directs.extend((0..peers).map(|at| {
                let first = (user + users - at - 1) % users;
                (first * peers + at, 1)
            }));
            directs.sort_unstable();
            for (direct, side) in directs {
                let read = self.read[direct as usize][side];
                // As sending makes it: listed once there is a message in it.
                put(&mut insert, user, direct.into(), read, 0)?;
            }
            for &(group, read) in &self.groups_of[user as usize] {
                let conversation = self.shape.directs() + u64::from(group);
                put(&mut insert, user, conversation, read, -1)?;
            }
            self.report("participants", user.into(), users.into());
        }
        Ok(())
    }

    fn conversations(&mut self) -> Result<(), FillError> {
        let mut insert = self.db.prepare(
            "INSERT INTO conversations (id, kind, a, b, last_seq, last_ms)
             VALUES (?, ?, ?, ?, ?, ?)",
        )?;
        for number in 0..self.logs.len() as u32 {
            let Log { seq, number: last } = self.logs[number as usize];
            let (kind, a, b) = match self.shape.group_of(number) {
                None => {
                    let [first, second] = self.shape.pair(number).map(|user| u64::from(user) + 1);
                    (1, first.min(second), first.max(second))
                }
                Some(group) => (2, u64::from(group) + 1, 0),
            };
            let last_ms = if seq == 0 {
                0
            } else {
                self.shape.time_ms(last)
            };
            insert.execute((u64::from(number) + 1, kind, a, b, seq, last_ms))?;
            self.report("conversations", number.into(), self.logs.len() as u64);
        }
        Ok(())
    }

    fn indexes(&mut self, indexes: &[String]) -> Result<(), FillError> {
        for (at, index) in indexes.iter().enumerate() {
            (self.progress)(Progress {
                step: "indexes",
                done: at as u64,
                all: indexes.len() as u64,
            });
            self.db.execute_batch(index)?;
        }
        Ok(())
    }

    fn search(&mut self) -> Result<(), FillError> {
        let messages = self.shape.filling.messages;
        let mut insert = self.db.prepare(super::indexing::INSERT)?;
        let mut body = String::new();
        for number in 0..messages {
            let conversation = u64::from(self.shape.message(number).conversation) + 1;
            self.shape.write_body(number, &mut body);
            let text = text::indexed_in(conversation, &body);
            insert.execute((u64::from(number) + 1, text))?;
            self.report("search", number.into(), messages.into());
        }
        self.db.set_meta("indexed", messages.into())?;
        self.db.set_meta("index_rules", super::indexing::RULES)?;
        Ok(())
    }
}

/// Takes the indexes of a table away; the statements that make them again.
fn take_indexes(db: &Connection, table: &str) -> Result<Vec<String>, FillError> {
    let indexes: Vec<(String, String)> = db.rows(
        "SELECT name, sql FROM sqlite_master
         WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
        [table],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    for (name, _) in &indexes {
        db.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    Ok(indexes.into_iter().map(|(_, sql)| sql).collect())
}
