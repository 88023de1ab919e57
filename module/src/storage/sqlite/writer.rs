//! The one thread that writes: whatever is waiting becomes one transaction, so that all of it
//! shares the cost of one sync to the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use parking_lot::Mutex;
use rusqlite::Connection;

use super::config::{Retention, Rules, TimeOfDay};
use super::courier::Release;
use super::ending::Endings;
use super::indexing::Indexing;
use super::retention::Sweep;
use super::sql::{Fault, Sql, is_environment, refusal_of};
use super::tally::Tally;
use super::turnover::earliest;
use super::tx::{Execute, Tx};
use crate::inbox::Event;
use crate::storage::operation::{Reply, Write};
use crate::storage::refusal::Refusal;

/// Most writes of one transaction: bounds how long the first of them waits for the others.
const BATCH_MAX: usize = 1_024;
/// For how long nothing must have been written before the index is brought up to date.
const QUIET: Duration = Duration::from_millis(20);
/// For how long tidying waits for a quiet moment; where there is none, it takes a step as often.
const PATIENCE: Duration = Duration::from_millis(250);
/// Messages that may be missing from the index before indexing takes a step behind every commit.
const UNINDEXED_MAX: u64 = 100_000;

/// For how long channels are not told who has come and gone after that could not be kept, in
/// milliseconds.
const TURNOVER_RETRY_MS: u64 = 10_000;

/// What the writer has done, for whoever wants to know.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) commits: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) failed_commits: AtomicU64,
}

/// Owns the write side of the database.
pub(super) struct Writer {
    pub(super) queue: Receiver<Write>,
    pub(super) connection: Arc<Mutex<Connection>>,
    pub(super) releases: Sender<Vec<Release>>,
    pub(super) rules: Rules,
    pub(super) retention: Retention,
    pub(super) time: TimeOfDay,
    /// Time never goes back, whatever the host's clock does.
    pub(super) last_ms: u64,
    pub(super) indexing: Indexing,
    pub(super) endings: Endings,
    /// When a channel is to be told who has come and gone, in milliseconds since 1970.
    pub(super) turnover_ms: Option<u64>,
    pub(super) counters: Arc<Counters>,
    pub(super) sweep: Option<Sweep>,
    /// The last step of tidying was one of indexing: the next is the sweep's, if there is one.
    pub(super) indexed_last: bool,
    /// The last step of tidying did not succeed.
    pub(super) failed: bool,
}

impl Writer {
    /// Works until nobody can ask for anything any more, and all that was asked is done.
    pub(super) fn run(mut self) {
        let mut sweep_at = Instant::now() + self.retention.interval;
        let mut tidied_at = Instant::now();
        let mut quiet = false;
        loop {
            // Nobody waits for the index, but a write that comes now would wait for its sync: it is
            // left alone while writes follow each other.
            let wait = if quiet {
                Duration::ZERO
            } else if self.has_tidying() {
                QUIET
            } else {
                sweep_at.saturating_duration_since(Instant::now())
            };
            match self.queue.recv_timeout(wait.min(self.until_turnover())) {
                Ok(first) => {
                    quiet = false;
                    self.failed = false;
                    self.commit(Some(first));
                    let now = Instant::now();
                    self.begin_sweep(&mut sweep_at, now);
                    let waits_long = self.has_tidying() && now >= tidied_at + PATIENCE;
                    if waits_long || self.indexing.behind() > UNINDEXED_MAX {
                        self.tidy();
                        tidied_at = now;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    if self.until_turnover().is_zero() {
                        self.commit(None);
                    }
                    let now = Instant::now();
                    self.begin_sweep(&mut sweep_at, now);
                    // Small steps, with a look at the queue after each.
                    quiet = self.has_tidying();
                    if quiet {
                        self.tidy();
                        tidied_at = now;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Err(error) = self.connection.lock().execute_batch("PRAGMA optimize") {
            tracing::debug!(%error, "the store's statistics were not renewed");
        }
    }

    /// Begins a sweep if it is time.
    fn begin_sweep(&mut self, sweep_at: &mut Instant, now: Instant) {
        if now >= *sweep_at {
            *sweep_at = now + self.retention.interval;
            self.sweep.get_or_insert_with(Sweep::default);
        }
    }

    /// How long until a channel is to be told who has come and gone.
    fn until_turnover(&self) -> Duration {
        self.turnover_ms.map_or(Duration::MAX, |at_ms| {
            let now_ms = self.last_ms.max((self.time)());
            Duration::from_millis(at_ms.saturating_sub(now_ms))
        })
    }

    /// Does what is waiting, `first` before all, and what has become due, and lets the outcomes go
    /// once they are durable.
    pub(super) fn commit(&mut self, first: Option<Write>) {
        self.last_ms = self.last_ms.max((self.time)());
        let connection = Arc::clone(&self.connection);
        let connection = connection.lock();
        let mut batch = Batch {
            releases: Vec::new(),
            tally: Tally::default(),
            turnover_ms: self.turnover_ms,
            failed: None,
        };
        if let Err(error) = connection.run("BEGIN IMMEDIATE", []) {
            batch.failed = Some(refusal_of(&error));
        }
        let waiting = first.into_iter().chain(self.queue.try_iter());
        for write in waiting.take(BATCH_MAX) {
            batch.perform(&connection, &self.rules, self.last_ms, write);
        }
        let gathered = batch.tell_gathered(&connection, &self.rules, self.last_ms);
        let finish = || {
            batch.tally.keep(&connection, self.last_ms)?;
            connection.run("COMMIT", [])
        };
        if batch.failed.is_none()
            && let Err(error) = finish()
        {
            batch.failed = Some(refusal_of(&error));
        }
        let count = |counter: &AtomicU64, by: usize| {
            counter.fetch_add(by as u64, Ordering::Relaxed);
        };
        if let Some(refusal) = batch.failed {
            count(&self.counters.failed_commits, 1);
            roll_back(&connection);
            let retry_ms = self.last_ms + TURNOVER_RETRY_MS;
            self.turnover_ms = self.turnover_ms.map(|at_ms| at_ms.max(retry_ms));
            for release in &mut batch.releases {
                release.revoke(refusal);
            }
        } else {
            count(&self.counters.commits, 1);
            count(&self.counters.writes, batch.releases.len());
            for release in &batch.releases {
                self.indexing.count(&release.events);
                self.endings.count(&release.events);
            }
            self.turnover_ms = batch.turnover_ms;
            if !gathered.is_empty() {
                batch.releases.push(Release::unasked(gathered));
            }
        }
        drop(connection);
        // The courier ends after this thread does.
        let _ = self.releases.send(batch.releases);
    }

    fn has_tidying(&self) -> bool {
        let waits = self.indexing.behind() > 0 || self.sweep.is_some() || self.endings.waits();
        waits && !self.failed
    }

    /// A step of what nobody waits for. If it does not succeed, it is left until after the next
    /// write.
    fn tidy(&mut self) {
        let connection = Arc::clone(&self.connection);
        let connection = connection.lock();
        let sweeps = self.sweep.is_some() && (self.indexed_last || self.indexing.behind() == 0);
        // An end is some hundred steps at most, and the others wait for it.
        let ends = self.endings.waits();
        self.indexed_last = !sweeps && !ends;
        let outcome = if ends {
            self.endings.step(&connection)
        } else if !sweeps && self.indexing.behind() > 0 {
            self.indexing.step(&connection)
        } else if let Some(sweep) = &mut self.sweep {
            let now_ms = self.last_ms.max((self.time)());
            let outcome = sweep.step(&connection, &self.retention, now_ms);
            if !matches!(outcome, Ok(true)) {
                self.sweep = None;
            }
            outcome.map(drop)
        } else {
            return;
        };
        if let Err(error) = outcome {
            // Nobody is to be told; the log has it.
            let _ = refusal_of(&error);
            roll_back(&connection);
            self.failed = true;
        }
    }
}

fn roll_back(connection: &Connection) {
    // SQLite has rolled back by itself after some errors; then there is no transaction.
    if !connection.is_autocommit()
        && let Err(error) = connection.run("ROLLBACK", [])
    {
        tracing::error!(%error, "a transaction of the store could not be rolled back");
    }
}

/// The writes of one transaction.
struct Batch {
    releases: Vec<Release>,
    tally: Tally,
    turnover_ms: Option<u64>,
    /// Why none of them can be done, once that is known.
    failed: Option<Refusal>,
}

/// Everything that one write works with.
struct Step<'a> {
    batch: &'a mut Batch,
    db: &'a Connection,
    rules: &'a Rules,
    now_ms: u64,
}

impl Batch {
    /// Tells channels who has come and gone, if it is time; what is told.
    fn tell_gathered(&mut self, db: &Connection, rules: &Rules, now_ms: u64) -> Vec<Event> {
        let due = self.turnover_ms.is_some_and(|at_ms| at_ms <= now_ms);
        if !due || self.failed.is_some() {
            return Vec::new();
        }
        let mut tx = Tx::new(db, rules, now_ms);
        match tx.tell_gathered() {
            Ok(next_ms) => self.turnover_ms = next_ms,
            Err(Fault::Refused(refusal)) => self.failed = Some(refusal),
            Err(Fault::Failed(error)) => self.failed = Some(refusal_of(&error)),
        }
        tx.events
    }

    fn perform(&mut self, db: &Connection, rules: &Rules, now_ms: u64, write: Write) {
        let step = Step {
            batch: self,
            db,
            rules,
            now_ms,
        };
        match write {
            Write::Register(operation, reply) => step.perform(operation, reply),
            Write::EnterGuest(operation, reply) => step.perform(operation, reply),
            Write::Enter(operation, reply) => step.perform(operation, reply),
            Write::EnterExternal(operation, reply) => step.perform(operation, reply),
            Write::OpenSession(operation, reply) => step.perform(operation, reply),
            Write::CloseSessions(operation, reply) => step.perform(operation, reply),
            Write::ChangePassword(operation, reply) => step.perform(operation, reply),
            Write::SetProfile(operation, reply) => step.perform(operation, reply),
            Write::SetDisabled(operation, reply) => step.perform(operation, reply),
            Write::Send(operation, reply) => step.perform(operation, reply),
            Write::SendSystem(operation, reply) => step.perform(operation, reply),
            Write::Signal(operation, reply) => step.perform(operation, reply),
            Write::Recall(operation, reply) => step.perform(operation, reply),
            Write::Delete(operation, reply) => step.perform(operation, reply),
            Write::Clear(operation, reply) => step.perform(operation, reply),
            Write::MarkRead(operation, reply) => step.perform(operation, reply),
            Write::SetConversation(operation, reply) => step.perform(operation, reply),
            Write::RequestFriend(operation, reply) => step.perform(operation, reply),
            Write::AnswerFriend(operation, reply) => step.perform(operation, reply),
            Write::SetFriend(operation, reply) => step.perform(operation, reply),
            Write::RemoveFriend(operation, reply) => step.perform(operation, reply),
            Write::SetBlock(operation, reply) => step.perform(operation, reply),
            Write::CreateGroup(operation, reply) => step.perform(operation, reply),
            Write::SetGroup(operation, reply) => step.perform(operation, reply),
            Write::Join(operation, reply) => step.perform(operation, reply),
            Write::Invite(operation, reply) => step.perform(operation, reply),
            Write::AnswerApplication(operation, reply) => step.perform(operation, reply),
            Write::Leave(operation, reply) => step.perform(operation, reply),
            Write::Kick(operation, reply) => step.perform(operation, reply),
            Write::SetRole(operation, reply) => step.perform(operation, reply),
            Write::Transfer(operation, reply) => step.perform(operation, reply),
            Write::SetMember(operation, reply) => step.perform(operation, reply),
            Write::MuteMember(operation, reply) => step.perform(operation, reply),
            Write::Dismiss(operation, reply) => step.perform(operation, reply),
            Write::SetPosition(operation, reply) => step.perform(operation, reply),
            Write::SubmitVerification(operation, reply) => step.perform(operation, reply),
            Write::AnswerVerification(operation, reply) => step.perform(operation, reply),
            Write::NoteSeen(operation, reply) => step.perform(operation, reply),
            Write::FindWatched(operation, reply) => step.perform(operation, reply),
            Write::NoteFile(operation, reply) => step.perform(operation, reply),
            Write::AddAttachment(operation, reply) => step.perform(operation, reply),
            Write::RemoveAttachment(operation, reply) => step.perform(operation, reply),
            Write::ForgetFiles(operation, reply) => step.perform(operation, reply),
        }
    }
}

impl Step<'_> {
    /// Does one write in a savepoint of its own, so that its refusal undoes nothing of the others.
    fn perform<O: Execute>(self, operation: O, reply: Reply<O::Output>) {
        let Self {
            batch,
            db,
            rules,
            now_ms,
        } = self;
        let mut tx = Tx::new(db, rules, now_ms);
        let outcome = match batch.failed {
            Some(refusal) => Err(refusal),
            None => tx.attempt(operation).map_err(|fault| match fault {
                Fault::Refused(refusal) => refusal,
                Fault::Failed(error) => {
                    let refusal = refusal_of(&error);
                    // What is left of the transaction cannot be trusted to be whole.
                    if is_environment(&error) || db.is_autocommit() {
                        batch.failed = Some(refusal);
                    }
                    refusal
                }
            }),
        };
        let events = if outcome.is_ok() {
            batch.tally.add(tx.tally, &tx.events);
            batch.turnover_ms = earliest(batch.turnover_ms, tx.turnover_ms);
            tx.events
        } else {
            Vec::new()
        };
        batch.releases.push(Release::new(reply, outcome, events));
    }
}

impl Tx<'_> {
    fn attempt<O: Execute>(&mut self, operation: O) -> Result<O::Output, Fault> {
        self.db.run("SAVEPOINT operation", [])?;
        let outcome = operation.execute(self);
        if outcome.is_err() && !self.db.is_autocommit() {
            self.db.run("ROLLBACK TO operation", [])?;
        }
        if !self.db.is_autocommit() {
            self.db.run("RELEASE operation", [])?;
        }
        outcome
    }
}
