//! The threads that read, beside the writer and each other.

use std::sync::Arc;

use crossbeam_channel::Receiver;
use parking_lot::Mutex;
use rusqlite::Connection;

use super::sql::{Fault, Outcome, refusal_of};
use crate::storage::operation::{Operation, Read, Reply};

/// An operation that looks at one state of the database.
pub(super) trait Query: Operation {
    fn query(self, db: &Connection) -> Outcome<Self::Output>;
}

/// Works until nobody can ask for anything any more.
pub(super) fn run(queue: &Receiver<Read>, connection: &Arc<Mutex<Connection>>) {
    for read in queue {
        perform(connection, read);
    }
}

/// Answers one question.
pub(super) fn perform(db: &Mutex<Connection>, read: Read) {
    match read {
        Read::FindCredentials(operation, reply) => answer(db, operation, reply),
        Read::FindSession(operation, reply) => answer(db, operation, reply),
        Read::FindAccount(operation, reply) => answer(db, operation, reply),
        Read::FindUsers(operation, reply) => answer(db, operation, reply),
        Read::SearchUsers(operation, reply) => answer(db, operation, reply),
        Read::ListSessions(operation, reply) => answer(db, operation, reply),
        Read::History(operation, reply) => answer(db, operation, reply),
        Read::Conversations(operation, reply) => answer(db, operation, reply),
        Read::SearchMessages(operation, reply) => answer(db, operation, reply),
        Read::Readers(operation, reply) => answer(db, operation, reply),
        Read::FindMuted(operation, reply) => answer(db, operation, reply),
        Read::Sync(operation, reply) => answer(db, operation, reply),
        Read::Changes(operation, reply) => answer(db, operation, reply),
        Read::ListFriends(operation, reply) => answer(db, operation, reply),
        Read::ListRequests(operation, reply) => answer(db, operation, reply),
        Read::ListBlocks(operation, reply) => answer(db, operation, reply),
        Read::FindBlockers(operation, reply) => answer(db, operation, reply),
        Read::FindGroup(operation, reply) => answer(db, operation, reply),
        Read::ListGroups(operation, reply) => answer(db, operation, reply),
        Read::SearchGroups(operation, reply) => answer(db, operation, reply),
        Read::ListMembers(operation, reply) => answer(db, operation, reply),
        Read::ListMemberIds(operation, reply) => answer(db, operation, reply),
        Read::ListApplications(operation, reply) => answer(db, operation, reply),
        Read::FindNearby(operation, reply) => answer(db, operation, reply),
        Read::FindVerification(operation, reply) => answer(db, operation, reply),
        Read::ListVerifications(operation, reply) => answer(db, operation, reply),
        Read::FindLastSeen(operation, reply) => answer(db, operation, reply),
        Read::FindStatistics(operation, reply) => answer(db, operation, reply),
        Read::ListAccounts(operation, reply) => answer(db, operation, reply),
        Read::ListAllGroups(operation, reply) => answer(db, operation, reply),
        Read::FindAttachment(operation, reply) => answer(db, operation, reply),
        Read::UsedBytes(operation, reply) => answer(db, operation, reply),
        Read::IsLoose(operation, reply) => answer(db, operation, reply),
        Read::ListLooseFiles(operation, reply) => answer(db, operation, reply),
    }
}

fn answer<Q: Query>(db: &Mutex<Connection>, operation: Q, reply: Reply<Q::Output>) {
    // Free again when the reply is called, which may ask for more.
    let outcome = snapshot(&db.lock(), operation).map_err(|fault| match fault {
        Fault::Refused(refusal) => refusal,
        Fault::Failed(error) => refusal_of(&error),
    });
    reply.send(outcome);
}

fn snapshot<Q: Query>(db: &Connection, operation: Q) -> Outcome<Q::Output> {
    // All statements of a query see the same state.
    let transaction = db.unchecked_transaction()?;
    let outcome = operation.query(db);
    transaction.finish()?;
    outcome
}
