//! Who has written what to whom: arithmetic, so that it is known again without being kept.

use super::{FillError, Filling};

/// Words that bodies are made of.
const WORDS: u64 = 20_000;
/// The time over which the messages are spread: well within what inboxes keep.
const SPAN_MS: u64 = 24 * 3600 * 1000;

/// A [`Filling`] that can be done. Users, groups and messages are numbered from 0 here, and from 1
/// in the store.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) filling: Filling,
    words: Vec<String>,
}

/// Where a message stands, and who has said it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    /// Number of the conversation: the direct ones, then those of the groups.
    pub(super) conversation: u32,
    pub(super) sender: u32,
}

impl Shape {
    pub(super) fn new(filling: Filling) -> Result<Self, FillError> {
        let Filling {
            users,
            peers,
            groups,
            members,
            ..
        } = filling;
        let check = |holds, what| {
            if holds {
                Ok(())
            } else {
                Err(FillError::Shape(what))
            }
        };
        check(users > 0, "there are no users")?;
        check(
            peers <= (users - 1) / 2,
            "peers are less than half of the users",
        )?;
        check(
            filling.group_messages <= filling.messages,
            "messages in groups are a part of all messages",
        )?;
        check(
            peers > 0 || filling.group_messages == filling.messages,
            "direct messages need peers",
        )?;
        check(
            groups == 0 || (1..=users).contains(&members),
            "members of a group are users",
        )?;
        check(
            groups > 0 || filling.group_messages == 0,
            "messages in groups need groups",
        )?;
        let memberships = u64::from(groups) * u64::from(members);
        let each = memberships.div_ceil(u64::from(users));
        check(
            each <= filling.rules.groups_per_user_max,
            "a user would be in too many groups",
        )?;
        check(
            members as usize <= filling.rules.members_max,
            "a group would have too many members",
        )?;
        let shape = Self {
            filling,
            words: (0..WORDS).map(word).collect(),
        };
        let entries = shape.inbox_entries();
        check(
            u32::try_from(shape.conversations()).is_ok() && u32::try_from(entries).is_ok(),
            "it would be more than four billion conversations or entries of inboxes",
        )?;
        Ok(shape)
    }

    /// Conversations of two.
    pub(super) fn directs(&self) -> u64 {
        u64::from(self.filling.users) * u64::from(self.filling.peers)
    }

    pub(super) fn conversations(&self) -> u64 {
        self.directs() + u64::from(self.filling.groups)
    }

    /// Whether groups are channels, which stand in no inbox.
    pub(super) fn has_channels(&self) -> bool {
        self.filling.members as usize > self.filling.rules.fanout_limit
    }

    /// Entries of all inboxes together.
    fn inbox_entries(&self) -> u64 {
        let Filling {
            messages,
            group_messages,
            members,
            ..
        } = self.filling;
        let direct = 2 * u64::from(messages - group_messages);
        let each = if self.has_channels() { 0 } else { members };
        direct + u64::from(group_messages) * u64::from(each)
    }

    /// The two users of a direct conversation.
    pub(super) fn pair(&self, direct: u32) -> [u32; 2] {
        let Filling { users, peers, .. } = self.filling;
        let first = direct / peers;
        let distance = u64::from(1 + direct % peers);
        let second = (u64::from(first) + distance) % u64::from(users);
        [first, second as u32]
    }

    /// Members of a group, by ascending number: neighbours, so that all users are in about as many.
    pub(super) fn members(&self, group: u32) -> Vec<u32> {
        let mut members: Vec<u32> = (0..self.filling.members)
            .map(|at| self.member(group, at))
            .collect();
        members.sort_unstable();
        members
    }

    /// The owner is the first.
    pub(super) fn member(&self, group: u32, at: u32) -> u32 {
        let Filling { users, members, .. } = self.filling;
        let first = u64::from(group) * u64::from(members);
        ((first + u64::from(at)) % u64::from(users)) as u32
    }

    /// The users of a conversation who are entered in their inboxes.
    pub(super) fn receivers(&self, conversation: u32, each: impl FnMut(u32)) {
        match self.group_of(conversation) {
            None => self.pair(conversation).into_iter().for_each(each),
            Some(_) if self.has_channels() => {}
            Some(group) => (0..self.filling.members)
                .map(|at| self.member(group, at))
                .for_each(each),
        }
    }

    pub(super) fn group_of(&self, conversation: u32) -> Option<u32> {
        u64::from(conversation)
            .checked_sub(self.directs())
            .map(|group| group as u32)
    }

    pub(super) fn message(&self, number: u32) -> Said {
        let Filling {
            messages,
            group_messages,
            groups,
            members,
            ..
        } = self.filling;
        let drawn = mix(u64::from(number));
        // Those in groups come at even distances among the others.
        let before = |number: u64| number * u64::from(group_messages) / u64::from(messages);
        let number = u64::from(number);
        if before(number + 1) > before(number) {
            let group = (drawn % u64::from(groups)) as u32;
            let at = (drawn >> 32) % u64::from(members);
            return Said {
                conversation: (self.directs() + u64::from(group)) as u32,
                sender: self.member(group, at as u32),
            };
        }
        let conversation = (drawn % self.directs()) as u32;
        let side = (drawn >> 63) as usize;
        Said {
            conversation,
            sender: self.pair(conversation)[side],
        }
    }

    pub(super) fn time_ms(&self, number: u32) -> u64 {
        let Filling {
            messages, now_ms, ..
        } = self.filling;
        let ahead = u64::from(messages - number) * SPAN_MS / u64::from(messages.max(1));
        now_ms.saturating_sub(ahead)
    }

    /// Writes the text of a message: some words are much more frequent than others, as in life.
    pub(super) fn write_body(&self, number: u32, body: &mut String) {
        body.clear();
        let mut state = mix(!u64::from(number));
        while body.len() < self.filling.body_bytes {
            state = mix(state);
            let share = (state >> 11) as f64 / (1_u64 << 53) as f64;
            body.push_str(&self.words[(share.powi(3) * WORDS as f64) as usize]);
            body.push(' ');
        }
        // Words have no character of more than one byte.
        body.truncate(self.filling.body_bytes);
    }
}

/// A name that is found again, by its number.
pub(super) fn user_name(user: u32) -> String {
    format!("user-{user}")
}

/// A number that looks drawn by lot (splitmix64).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The word of this number, of two syllables or more.
fn word(number: u64) -> String {
    const CONSONANTS: &[u8] = b"bdfgklmnprstvwz";
    const VOWELS: &[u8] = b"aeio";
    let syllables = (CONSONANTS.len() * VOWELS.len()) as u64;
    let (mut word, mut rest) = (String::new(), number + syllables);
    while rest > 0 {
        let syllable = (rest % syllables) as usize;
        word.push(CONSONANTS[syllable / VOWELS.len()].into());
        word.push(VOWELS[syllable % VOWELS.len()].into());
        rest /= syllables;
    }
    word
}
