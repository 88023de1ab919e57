//! Whole conversations and inboxes, looked at for gaps.

use common::UserId;
use module::inbox::Entry;
use module::message::{Conversation, Direction, History, Message};

use crate::bench::Bench;

/// Every message of a conversation that the user sees from the first on.
#[track_caller]
pub(crate) fn log(bench: &Bench, user: UserId, conversation: Conversation) -> Vec<Message> {
    let mut log: Vec<Message> = Vec::new();
    loop {
        let page = bench.look_up_now(History {
            user,
            conversation,
            direction: Direction::After(log.len() as u64),
            limit: 1_000,
        });
        let page = page.unwrap();
        for message in page.messages {
            assert_eq!(message.seq, log.len() as u64 + 1, "{conversation} is dense");
            log.push(message);
        }
        if !page.more {
            return log;
        }
    }
}

/// Every entry of an inbox that nothing has been taken from.
#[track_caller]
pub(crate) fn inbox(bench: &Bench, user: UserId) -> Vec<Entry> {
    let mut inbox: Vec<Entry> = Vec::new();
    loop {
        let page = bench.sync(user, inbox.len() as u64);
        for entry in page.entries {
            assert_eq!(
                entry.seq,
                inbox.len() as u64 + 1,
                "the inbox of {user:?} is dense"
            );
            inbox.push(entry);
        }
        if inbox.len() as u64 == page.last {
            return inbox;
        }
    }
}
