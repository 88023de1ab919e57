//! Replies, in the order of their requests although the store answers when it likes.

use std::collections::VecDeque;
use std::sync::Arc;

use common::ErrorCode;
use gate::{Message, MessageKind, Overflow};
use serde::Serialize;
use serde_json::value::RawValue;

use super::client::Client;
use super::wire::json;
use crate::api::Outcome;
use crate::im::ImError;

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeOut<'a> {
    Ok(&'a RawValue),
    Error {
        code: &'static str,
        message: &'a str,
    },
}

#[derive(Serialize)]
struct ReplyOut<'a> {
    id: Option<&'a RawValue>,
    #[serde(flatten)]
    outcome: OutcomeOut<'a>,
}

pub(super) fn encode(kind: MessageKind, id: Option<&RawValue>, outcome: &Outcome) -> Message {
    let outcome = match outcome {
        Ok(data) => OutcomeOut::Ok(data),
        Err(error) => OutcomeOut::Error {
            code: error.code.as_str(),
            message: &error.text,
        },
    };
    let payload = json(&ReplyOut { id, outcome });
    // Who asks must get an answer: without room for it there is no going on.
    Message::new(kind, payload).overflow(Overflow::Close)
}

/// Replies that wait for their turn. There is one only while something waits.
#[derive(Debug, Default)]
pub(super) struct Replies {
    slots: VecDeque<Slot>,
    /// The number of the first slot.
    first: u64,
}

#[derive(Debug)]
struct Slot {
    reply: Option<Message>,
    /// The store is just being asked: if the outcome is there already, whoever asks sends it.
    asking: bool,
}

impl Replies {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// A reply that is known already.
    pub(super) fn push(&mut self, reply: Message) {
        self.slots.push_back(Slot {
            reply: Some(reply),
            asking: false,
        });
    }

    /// The number of a reply that is about to be asked for.
    pub(super) fn reserve(&mut self) -> u64 {
        self.slots.push_back(Slot {
            reply: None,
            asking: true,
        });
        self.first + self.slots.len() as u64 - 1
    }

    /// The store was asked.
    pub(super) fn asked(&mut self, number: u64) {
        if let Some(slot) = self.slot(number) {
            slot.asking = false;
        }
    }

    /// Fills a slot in.
    pub(super) fn fill(&mut self, number: u64, reply: Message) {
        if let Some(slot) = self.slot(number) {
            slot.reply = Some(reply);
        }
    }

    /// The next reply whose turn it is.
    pub(super) fn next(&mut self) -> Option<Message> {
        let front = self.slots.front_mut().filter(|slot| !slot.asking)?;
        let reply = front.reply.take()?;
        self.slots.pop_front();
        self.first += 1;
        Some(reply)
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot> {
        let at = number.checked_sub(self.first)?;
        self.slots.get_mut(usize::try_from(at).ok()?)
    }
}

/// The right and the duty to reply to one request.
#[derive(Debug)]
pub(super) struct Ticket {
    client: Arc<Client>,
    number: u64,
    id: Option<Box<RawValue>>,
    used: bool,
}

impl Ticket {
    pub(super) fn new(client: Arc<Client>, number: u64, id: Option<&RawValue>) -> Self {
        Self {
            client,
            number,
            id: id.map(RawValue::to_owned),
            used: false,
        }
    }

    /// Replies, now or when those before it have been sent.
    pub(super) fn reply(mut self, outcome: &Outcome) {
        self.used = true;
        let reply = encode(self.client.kind(), self.id.as_deref(), outcome);
        self.client.fill(self.number, reply);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Whoever had it has failed; the replies behind it must not wait for ever.
        if !self.used {
            let error = ImError::new(ErrorCode::Internal, "the server failed");
            let reply = encode(self.client.kind(), self.id.as_deref(), &Err(error));
            self.client.fill(self.number, reply);
        }
    }
}
