//! The walk of a publish over the subscribers of one reactor, a budget at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use common::{SessionId, TopicId};
use network::{Ctx, Pressure};

use super::prepared::LocalForms;
use super::{Prepared, TopicTable};
use crate::session::SessionTable;

/// Receivers that one turn serves. A publish to more goes on in the next turn, so that reading and
/// accepting keep their share.
const RECEIVERS_PER_TURN: usize = 8192;
/// Receivers taken from the table at a time.
const RECEIVERS_PER_STEP: usize = 256;

/// The publishes that are on their way, oldest first: those to one topic keep their order.
#[derive(Debug)]
pub(crate) struct Fanouts {
    queue: VecDeque<Fanout>,
    step: Vec<SessionId>,
    /// Receivers that may still be served in this turn.
    budget: usize,
}

impl Default for Fanouts {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            step: Vec::new(),
            budget: RECEIVERS_PER_TURN,
        }
    }
}

#[derive(Debug)]
struct Fanout {
    prepared: Arc<Prepared>,
    forms: LocalForms,
    except: Option<SessionId>,
    walk: Walk,
}

#[derive(Debug)]
enum Walk {
    /// Every open session, by slot from here on.
    All {
        slot: u32,
    },
    Topic {
        topic: u32,
        position: u32,
        end: u32,
    },
}

impl Fanouts {
    /// Gives the next turn its budget.
    pub(crate) fn end_turn(&mut self) {
        self.budget = RECEIVERS_PER_TURN;
    }

    /// Takes up a publish; nothing is sent before [`Fanouts::run`].
    pub(crate) fn begin(
        &mut self,
        topics: &mut TopicTable,
        topic: TopicId,
        prepared: Arc<Prepared>,
        except: Option<SessionId>,
    ) {
        let walk = if topic == TopicId::ALL {
            Walk::All { slot: 0 }
        } else {
            let Some((topic, end)) = topics.begin_walk(topic) else {
                return;
            };
            Walk::Topic {
                topic,
                position: 0,
                end,
            }
        };
        self.queue.push_back(Fanout {
            prepared,
            forms: LocalForms::default(),
            except,
            walk,
        });
    }

    /// Sends to as many receivers as the turn's budget allows; true if there are more.
    pub(crate) fn run(
        &mut self,
        ctx: &mut Ctx<'_>,
        sessions: &mut SessionTable,
        topics: &mut TopicTable,
    ) -> bool {
        while let Some(fanout) = self.queue.front_mut() {
            // What is left of this turn may be more than there is memory for.
            if self.budget == 0 || ctx.settle_memory() == Pressure::Full {
                return true;
            }
            self.step.clear();
            let limit = RECEIVERS_PER_STEP.min(self.budget);
            let more = fanout.collect(ctx, sessions, topics, limit, &mut self.step);
            self.budget -= self.step.len().clamp(1, self.budget);
            for &session in &self.step {
                fanout.deliver(ctx, session);
            }
            if !more {
                if let Walk::Topic { topic, .. } = fanout.walk {
                    topics.end_walk(topic).run(sessions);
                }
                self.queue.pop_front();
            }
        }
        false
    }
}

impl Fanout {
    /// Puts the next receivers into `into`; false if they were the last.
    fn collect(
        &mut self,
        ctx: &Ctx<'_>,
        sessions: &SessionTable,
        topics: &TopicTable,
        limit: usize,
        into: &mut Vec<SessionId>,
    ) -> bool {
        match &mut self.walk {
            Walk::All { slot } => {
                let next = ctx.walk(*slot, limit, |id| {
                    let open = sessions
                        .get(id)
                        .is_some_and(|session| session.state.is_announced());
                    if open {
                        into.push(id);
                    }
                });
                *slot = next.unwrap_or(*slot);
                next.is_some()
            }
            Walk::Topic {
                topic,
                position,
                end,
            } => {
                while *position < *end && into.len() < limit {
                    let id = topics
                        .subscriber(*topic, *position)
                        .and_then(|slot| sessions.id_at(ctx.reactor(), slot));
                    into.extend(id);
                    *position += 1;
                }
                *position < *end
            }
        }
    }

    #[inline]
    fn deliver(&mut self, ctx: &mut Ctx<'_>, session: SessionId) {
        if self.except == Some(session) {
            return;
        }
        // Those that cannot take it are gone, or dealt with and counted by the outbox's policy.
        if let Some(form) = ctx.wire_form(session)
            && let Some(bytes) = self.forms.get(ctx, &self.prepared, form)
        {
            let _ = ctx.send_encoded(session, bytes, self.prepared.delivery());
        }
    }
}
