//! One reactor's part of the topics: topic to subscribers, and back.

use common::TopicId;
use rustc_hash::FxHashMap;
use slab::Slab;

/// Stands where a subscriber has left.
const HOLE: u32 = u32::MAX;

/// The subscribers of each topic, as slots of sessions in the order in which they subscribed. Who
/// leaves leaves a hole, so that the order stays; holes are closed when they are the majority.
#[derive(Debug, Default)]
pub(crate) struct TopicTable {
    index: FxHashMap<TopicId, u32>,
    topics: Slab<Topic>,
    lists: PlaceLists,
}

#[derive(Debug)]
struct Topic {
    id: TopicId,
    subscribers: Vec<u32>,
    live: usize,
    /// Fan-outs that walk over the subscribers: positions must not move under them.
    walks: usize,
}

/// A place in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    topic: u32,
    position: u32,
}

/// Where the table finds the memberships of a session, to tell it of a new position.
pub(crate) trait MembershipStore {
    fn memberships(&mut self, slot: u32) -> Option<&mut Memberships>;
}

/// The topics of one session. None and one, the usual cases, are kept in the session; the places of
/// one that is in more are kept by the table, under this number.
#[derive(Debug, Default)]
pub(crate) enum Memberships {
    #[default]
    None,
    One(Place),
    Many(u32),
}

/// The places of the sessions that are in more than one topic.
type PlaceLists = Slab<Vec<Place>>;

impl Memberships {
    fn as_slice<'a>(&'a self, lists: &'a PlaceLists) -> &'a [Place] {
        match self {
            Self::None => &[],
            Self::One(place) => std::slice::from_ref(place),
            Self::Many(list) => &lists[*list as usize],
        }
    }

    fn as_mut_slice<'a>(&'a mut self, lists: &'a mut PlaceLists) -> &'a mut [Place] {
        match self {
            Self::None => &mut [],
            Self::One(place) => std::slice::from_mut(place),
            Self::Many(list) => &mut lists[*list as usize],
        }
    }

    fn push(&mut self, lists: &mut PlaceLists, place: Place) {
        match self {
            Self::None => *self = Self::One(place),
            Self::One(first) => *self = Self::Many(lists.insert(vec![*first, place]) as u32),
            Self::Many(list) => lists[*list as usize].push(place),
        }
    }

    fn remove(&mut self, lists: &mut PlaceLists, topic: u32) -> Option<Place> {
        let at = self
            .as_slice(lists)
            .iter()
            .position(|place| place.topic == topic)?;
        match self {
            Self::None => None,
            Self::One(place) => {
                let place = *place;
                *self = Self::None;
                Some(place)
            }
            Self::Many(list) => {
                let places = &mut lists[*list as usize];
                let place = places.swap_remove(at);
                if let [last] = places[..] {
                    lists.remove(*list as usize);
                    *self = Self::One(last);
                }
                Some(place)
            }
        }
    }
}

impl TopicTable {
    /// In how many topics a session is.
    pub(crate) fn count(&self, memberships: &Memberships) -> usize {
        memberships.as_slice(&self.lists).len()
    }

    /// Adds a session; false if it is a subscriber already.
    pub(crate) fn subscribe(
        &mut self,
        id: TopicId,
        slot: u32,
        memberships: &mut Memberships,
    ) -> bool {
        let topic = *self.index.entry(id).or_insert_with(|| {
            self.topics.insert(Topic {
                id,
                subscribers: Vec::new(),
                live: 0,
                walks: 0,
            }) as u32
        });
        if memberships
            .as_slice(&self.lists)
            .iter()
            .any(|place| place.topic == topic)
        {
            return false;
        }
        let entry = &mut self.topics[topic as usize];
        memberships.push(
            &mut self.lists,
            Place {
                topic,
                position: entry.subscribers.len() as u32,
            },
        );
        entry.subscribers.push(slot);
        entry.live += 1;
        true
    }

    /// Removes a session; `None` if it is no subscriber.
    pub(crate) fn unsubscribe(
        &mut self,
        id: TopicId,
        memberships: &mut Memberships,
    ) -> Option<Compaction<'_>> {
        let topic = *self.index.get(&id)?;
        let place = memberships.remove(&mut self.lists, topic)?;
        Some(self.vacate(place))
    }

    /// Removes a session from one of its topics, which is returned; `None` when it has none left.
    pub(crate) fn leave_one(
        &mut self,
        memberships: &mut Memberships,
    ) -> Option<(TopicId, Compaction<'_>)> {
        let topic = memberships.as_slice(&self.lists).last()?.topic;
        let place = memberships.remove(&mut self.lists, topic)?;
        let id = self.topics[topic as usize].id;
        Some((id, self.vacate(place)))
    }

    fn vacate(&mut self, place: Place) -> Compaction<'_> {
        let topic = &mut self.topics[place.topic as usize];
        topic.subscribers[place.position as usize] = HOLE;
        topic.live -= 1;
        Compaction {
            table: self,
            topic: place.topic,
        }
    }

    /// Begins a walk: the topic, and the position where it ends, since who comes later gets only
    /// what is published later.
    pub(crate) fn begin_walk(&mut self, id: TopicId) -> Option<(u32, u32)> {
        let topic = *self.index.get(&id)?;
        let entry = &mut self.topics[topic as usize];
        entry.walks += 1;
        Some((topic, entry.subscribers.len() as u32))
    }

    pub(crate) fn end_walk(&mut self, topic: u32) -> Compaction<'_> {
        self.topics[topic as usize].walks -= 1;
        Compaction { table: self, topic }
    }

    /// The subscriber at a position, or `None` for a hole.
    #[inline]
    pub(crate) fn subscriber(&self, topic: u32, position: u32) -> Option<u32> {
        let slot = self.topics[topic as usize].subscribers[position as usize];
        (slot != HOLE).then_some(slot)
    }
}

/// A topic that may have to be tidied up after somebody left.
#[must_use]
pub(crate) struct Compaction<'a> {
    table: &'a mut TopicTable,
    topic: u32,
}

impl Compaction<'_> {
    /// Drops the topic if it is empty, or closes its holes if they are the majority and nobody
    /// walks over it.
    pub(crate) fn run(self, store: &mut impl MembershipStore) {
        let topic = &mut self.table.topics[self.topic as usize];
        if topic.walks > 0 {
            return;
        }
        if topic.live == 0 {
            self.table.index.remove(&topic.id);
            self.table.topics.remove(self.topic as usize);
            return;
        }
        if topic.subscribers.len() < 32 || topic.live * 2 > topic.subscribers.len() {
            return;
        }
        topic.subscribers.retain(|&slot| slot != HOLE);
        topic.subscribers.shrink_to(topic.live * 2);
        for (position, &slot) in topic.subscribers.iter().enumerate() {
            let lists = &mut self.table.lists;
            let place = store
                .memberships(slot)
                .map(|memberships| memberships.as_mut_slice(lists))
                .and_then(|places| places.iter_mut().find(|place| place.topic == self.topic));
            if let Some(place) = place {
                place.position = position as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    impl MembershipStore for Vec<Memberships> {
        fn memberships(&mut self, slot: u32) -> Option<&mut Memberships> {
            self.get_mut(slot as usize)
        }
    }

    fn walk(table: &mut TopicTable, id: TopicId) -> Vec<u32> {
        let Some((topic, end)) = table.begin_walk(id) else {
            return Vec::new();
        };
        let slots = (0..end)
            .filter_map(|at| table.subscriber(topic, at))
            .collect();
        table.end_walk(topic).run(&mut Vec::new());
        slots
    }

    #[test]
    fn subscribers_stay_in_the_order_in_which_they_came() {
        let mut table = TopicTable::default();
        let mut sessions: Vec<Memberships> = (0..200).map(|_| Memberships::default()).collect();
        let id = TopicId(7);
        for slot in 0..200 {
            assert!(table.subscribe(id, slot, &mut sessions[slot as usize]));
            assert!(
                !table.subscribe(id, slot, &mut sessions[slot as usize]),
                "only once"
            );
        }
        let mut expected: BTreeSet<u32> = (0..200).collect();
        for slot in (0..200).filter(|slot| slot % 4 != 1) {
            let mut own = std::mem::take(&mut sessions[slot as usize]);
            table.unsubscribe(id, &mut own).unwrap().run(&mut sessions);
            expected.remove(&slot);
            assert_eq!(
                walk(&mut table, id),
                expected.iter().copied().collect::<Vec<_>>()
            );
        }
        for slot in expected {
            let mut own = std::mem::take(&mut sessions[slot as usize]);
            let (left, compaction) = table.leave_one(&mut own).unwrap();
            assert_eq!(left, id);
            compaction.run(&mut sessions);
            assert!(table.leave_one(&mut own).is_none());
        }
        assert!(table.index.is_empty() && table.topics.is_empty());
    }
}
