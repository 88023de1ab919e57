//! Telling after something was done.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use common::{GroupId, UserId};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, select};
use serde::Serialize;

use super::config::WebhookConfig;
use super::event::{About, Envelope, MessageOut, NoticeOut, OfflineOut, SessionOut, Told};
use super::kind::EventKind;
use super::outage::Outage;
use super::poster::{Answer, Patience, Poster, new_id};
use super::stats::Stats;
use crate::delivery::Delivery;
use crate::group::ListMemberIds;
use crate::message::{FindMuted, Message};
use crate::storage::operation::ReadOperation;
use crate::storage::refusal::Refusal;
use crate::storage::store::Store;

/// Users of one request about a message that they have not seen.
const USERS_PER_REQUEST: usize = 1_000;
/// Time after which something is told again for the first time; it doubles each time.
const BACKOFF: Duration = Duration::from_millis(500);
/// The longest it gets.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// What is left at the end of the process is told within this time, and lost after it.
const FAREWELL: Duration = Duration::from_secs(2);

/// What members of a channel are looked up with.
#[derive(Debug)]
pub(super) struct Reach {
    pub(super) store: Weak<dyn Store>,
    pub(super) delivery: Weak<Delivery>,
}

/// Tells one event after the other.
#[derive(Clone, Debug)]
pub(super) struct Telling {
    pub(super) config: Arc<WebhookConfig>,
    pub(super) poster: Arc<Poster>,
    pub(super) stats: Arc<Stats>,
    pub(super) outage: Arc<Outage>,
    pub(super) reach: Arc<OnceLock<Reach>>,
    /// Disconnected when the end has come.
    pub(super) open: Receiver<()>,
    /// Until when what is left may be told then.
    pub(super) farewell: Arc<OnceLock<Patience>>,
}

impl Telling {
    pub(super) fn tell(&self, told: Told) {
        match told.about {
            About::Message(ref message) => self.deliver(&told, &MessageOut::of(message)),
            About::Offline(ref message, ref users) => {
                for users in users.chunks(USERS_PER_REQUEST) {
                    self.tell_offline(&told, message, users);
                }
            }
            About::OfflineInChannel(ref message, group) => {
                self.tell_channel(&told, message, group);
            }
            About::Session {
                ref user,
                platform,
                only,
            } => {
                let is_login = told.kind == EventKind::SessionLogin;
                let session = SessionOut {
                    user,
                    platform: platform.as_str(),
                    first: is_login.then_some(only),
                    last: (!is_login).then_some(only),
                };
                self.deliver(&told, &session);
            }
            About::Notice(ref notice, of) => {
                let of = of.map(|user| user.0);
                self.deliver(&told, &NoticeOut { notice, of });
            }
        }
    }

    /// Tells of those who are away and have not muted the conversation.
    fn tell_offline(&self, told: &Told, message: &Message, users: &[UserId]) {
        let muted = self.ask(&FindMuted {
            conversation: message.conversation,
            users: users.to_vec(),
        });
        // Where the store does not say, it is told once too often rather than not at all.
        let muted = muted.unwrap_or_default();
        let wanting = users.iter().filter(|user| !muted.contains(user));
        let users: Vec<u64> = wanting.map(|user| user.0).collect();
        if users.is_empty() {
            return;
        }
        let offline = OfflineOut {
            message: MessageOut::of(message),
            users,
        };
        self.deliver(told, &offline);
    }

    /// Goes through the members of a channel, page by page, whether the sender still is one or not.
    fn tell_channel(&self, told: &Told, message: &Message, group: GroupId) {
        let sender = message.from.as_ref().map(|user| user.id);
        let mut after = UserId(0);
        loop {
            let members = self.ask(&ListMemberIds {
                group,
                after,
                limit: USERS_PER_REQUEST,
            });
            let Some(members) = members else {
                self.stats.given_up.add(1);
                return;
            };
            let Some(delivery) = self.reach.get().and_then(|reach| reach.delivery.upgrade()) else {
                return;
            };
            let is_away =
                |user: &&UserId| Some(**user) != sender && !delivery.presence.is_online(**user);
            let away: Vec<UserId> = members.iter().filter(is_away).copied().collect();
            drop(delivery);
            if !away.is_empty() {
                self.tell_offline(told, message, &away);
            }
            match members.last() {
                Some(last) if members.len() == USERS_PER_REQUEST => after = *last,
                _ => return,
            }
        }
    }

    /// What the store answers; asked again while it has too much to do. None if it fails, or the
    /// end comes.
    fn ask<O: ReadOperation + Clone>(&self, question: &O) -> Option<O::Output> {
        for attempt in 1..=self.config.retries.saturating_add(1) {
            match self.ask_once(question.clone())? {
                Ok(found) => return Some(found),
                Err(Refusal::Busy) if self.pause(attempt) => {}
                Err(_) => return None,
            }
        }
        None
    }

    fn ask_once<O: ReadOperation>(&self, question: O) -> Option<Result<O::Output, Refusal>> {
        let (answer, answered) = bounded(1);
        // Not held while it is waited for: whoever lets go of the store last ends its threads.
        let store = self.reach.get()?.store.upgrade()?;
        // At the end nobody waits for the answer.
        store.look_up(question, move |found| drop(answer.send(found)));
        drop(store);
        select! {
            recv(answered) -> found => found.ok(),
            recv(self.open) -> _ => None,
        }
    }

    /// Makes a request, again and again if need be.
    fn deliver(&self, told: &Told, data: &impl Serialize) {
        let id = new_id("evt");
        let event = told.kind.as_str();
        let endpoint = &self.config.endpoint;
        for attempt in 1..=self.config.retries.saturating_add(1) {
            let mut timeout = self.config.timeout;
            if let Some(farewell) = self.farewell.get() {
                match farewell.left() {
                    Some(left) => timeout = timeout.min(left),
                    None => break,
                }
            }
            let envelope = Envelope {
                id: &id,
                kind: event,
                time: told.time_ms,
                attempt,
                data,
            };
            match self
                .poster
                .post(endpoint, &id, &envelope.to_json(), timeout)
            {
                Ok(answer) if (200..300).contains(&answer.status) => {
                    self.stats.delivered.add(1);
                    if self.outage.ends() {
                        tracing::info!(%endpoint, event, id, "the webhook takes events again");
                    }
                    return;
                }
                Ok(Answer { status, .. }) => {
                    tracing::debug!(%endpoint, event, id, attempt, status, "webhook");
                }
                Err(error) => tracing::debug!(%endpoint, event, id, attempt, %error, "webhook"),
            }
            if attempt > self.config.retries || !self.pause(attempt) {
                break;
            }
            self.stats.retried.add(1);
        }
        self.stats.given_up.add(1);
        if self.outage.begins() {
            tracing::warn!(%endpoint, event, id, "the webhook does not take events");
        } else {
            tracing::debug!(%endpoint, event, id, "webhook not told");
        }
    }

    /// Waits before the next attempt; false if the end comes.
    fn pause(&self, attempt: u32) -> bool {
        let pause = backoff(attempt, rand::random_range(0.5..=1.0));
        self.open.recv_timeout(pause) == Err(RecvTimeoutError::Timeout)
    }

    /// How long what is left may take at the end.
    pub(super) fn farewell() -> Patience {
        Patience::of(FAREWELL)
    }
}

/// How long to wait after an attempt; `share` of it, so that not everybody comes back at once.
fn backoff(attempt: u32, share: f64) -> Duration {
    let doubled = BACKOFF.saturating_mul(1 << (attempt - 1).min(16));
    doubled.min(BACKOFF_MAX).mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let pauses = [1, 2, 3, 7, 40].map(|attempt| backoff(attempt, 1.0).as_millis());
        assert_eq!(pauses, [500, 1_000, 2_000, 30_000, 30_000]);
        assert_eq!(backoff(1, 0.5), Duration::from_millis(250));
    }
}
