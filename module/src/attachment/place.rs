//! Places among the uploads, and the room that those who have one may still fill.

use std::sync::Arc;

use common::UserId;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::charge;
use super::upload::UploadError;
use crate::storage::refusal::Refusal;

/// Uploads of one user at the same time. A browser opens fewer connections to one server, and who
/// opens more must not take the places of everybody else.
const OF_USER_MAX: usize = 8;
/// Bytes that a form may put around its file.
pub(super) const FORM_BYTES_MAX: u64 = 64 * 1024;

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    places: usize,
    /// Of those who have some.
    of_users: FxHashMap<UserId, Share>,
}

#[derive(Debug, Default)]
struct Share {
    places: usize,
    /// Bytes that these uploads may still come to, in blocks.
    bytes: u64,
}

/// What is known of the length of a file before it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// All.
    Known(u64),
    /// That of the form in which it comes.
    Form(u64),
    /// Nothing.
    Unknown,
}

impl Length {
    const fn least(self) -> u64 {
        match self {
            Self::Known(bytes) => bytes,
            Self::Form(bytes) => bytes.saturating_sub(FORM_BYTES_MAX),
            Self::Unknown => 0,
        }
    }

    const fn most(self) -> u64 {
        match self {
            Self::Known(bytes) | Self::Form(bytes) => bytes,
            Self::Unknown => u64::MAX,
        }
    }
}

/// What a file may come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Room {
    /// As any file may.
    size_max: u64,
    /// As the quota allows, were there no other uploads of the user; in blocks, as the next.
    free: u64,
    /// Beside the others.
    reserved: u64,
}

/// One of the places; free again when it is dropped, with what was reserved.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    user: UserId,
    room: Room,
}

impl Places {
    pub(super) fn new(max: usize) -> Arc<Self> {
        let taken = Mutex::default();
        Arc::new(Self { max, taken })
    }

    /// A place for an upload of this user; `None` if there is none, or the user has as many as one
    /// may.
    pub(super) fn enter(self: &Arc<Self>, user: UserId) -> Option<Place> {
        let mut taken = self.taken.lock();
        if taken.places >= self.max {
            return None;
        }
        let share = taken.of_users.entry(user).or_default();
        if share.places >= OF_USER_MAX {
            return None;
        }
        share.places += 1;
        taken.places += 1;
        Some(Place {
            places: Arc::clone(self),
            user,
            room: Room::default(),
        })
    }
}

impl Place {
    pub(super) const fn user(&self) -> UserId {
        self.user
    }

    /// Reserves room for a file, of what the user's quota leaves free.
    pub(super) fn reserve(
        &mut self,
        length: Length,
        size_max: u64,
        free: u64,
    ) -> Result<(), UploadError> {
        let mut taken = self.places.taken.lock();
        let share = taken.of_users.entry(self.user).or_default();
        let left = free.saturating_sub(share.bytes);
        let room = |reserved| Room {
            size_max,
            free,
            reserved,
        };
        // What may come is reserved, or what there is; what must come has to fit.
        room(left).admit(length.least())?;
        if left == 0 {
            return Err(room(left).refusal());
        }
        let reserved = charge(length.most().min(size_max)).min(left);
        share.bytes += reserved;
        self.room = room(reserved);
        Ok(())
    }

    /// Whether a file may come to so many bytes.
    pub(super) fn admit(&self, bytes: u64) -> Result<(), UploadError> {
        self.room.admit(bytes)
    }
}

impl Room {
    fn admit(self, bytes: u64) -> Result<(), UploadError> {
        if bytes > self.size_max {
            return Err(UploadError::TooLarge);
        }
        let charged = charge(bytes);
        if charged > self.free {
            return Err(UploadError::QuotaReached);
        }
        if charged > self.reserved {
            return Err(self.refusal());
        }
        Ok(())
    }

    /// Why there is no room: where only other uploads are in the way, there may be some soon.
    fn refusal(self) -> UploadError {
        match self.free {
            0 => UploadError::QuotaReached,
            _ => Refusal::Busy.into(),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.places -= 1;
        if let Some(share) = taken.of_users.get_mut(&self.user) {
            share.places -= 1;
            share.bytes -= self.room.reserved;
            if share.places == 0 {
                taken.of_users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::BLOCK_BYTES;
    use super::*;

    const ADA: UserId = UserId(1);
    const BOB: UserId = UserId(2);

    #[test]
    fn one_user_does_not_take_the_places_of_all() {
        let places = Places::new(OF_USER_MAX + 1);
        let mut of_ada: Vec<_> = (0..OF_USER_MAX).map(|_| places.enter(ADA)).collect();
        assert!(of_ada.iter().all(Option::is_some));
        assert!(places.enter(ADA).is_none());
        let of_bob = places.enter(BOB);
        assert!(of_bob.is_some() && places.enter(BOB).is_none());
        of_ada.pop();
        assert!(places.enter(BOB).is_some());
        drop((of_ada, of_bob));
        let taken = places.taken.lock();
        assert_eq!((taken.places, taken.of_users.len()), (0, 0));
    }

    fn is_busy<T>(outcome: &Result<T, UploadError>) -> bool {
        matches!(outcome, Err(UploadError::Refused(Refusal::Busy)))
    }

    #[test]
    fn room_is_reserved_for_what_may_come() {
        let places = Places::new(100);
        let (size_max, free) = (25 * BLOCK_BYTES, 62 * BLOCK_BYTES);
        let reserve = |length| {
            let mut place = places.enter(ADA).unwrap();
            place.reserve(length, size_max, free).map(|()| place)
        };
        // Forms of short files do not keep each other out.
        let forms: Vec<_> = (0..5).map(|_| reserve(Length::Form(10_000))).collect();
        assert!(forms.iter().all(Result::is_ok));
        assert!(forms[0].as_ref().unwrap().admit(10_000).is_ok());
        // Those of which nothing is known take what there is, and are in the way of others.
        let unknown = [(); 2].map(|()| reserve(Length::Unknown).unwrap());
        assert!(unknown[0].admit(size_max).is_ok());
        let too_large = unknown[0].admit(size_max + 1);
        assert!(matches!(too_large, Err(UploadError::TooLarge)));
        drop(forms);
        let rest = reserve(Length::Form(16 * BLOCK_BYTES - 1)).unwrap();
        let left = 15 * BLOCK_BYTES;
        assert!(rest.admit(left).is_ok() && is_busy(&rest.admit(left + 1)));
        assert!(is_busy(&reserve(Length::Unknown)));
        drop(rest);
        let last = reserve(Length::Known(left)).unwrap();
        assert!(is_busy(&reserve(Length::Known(1))));
        drop((unknown, last));
        // What can never fit is no matter of the others.
        let mut place = places.enter(BOB).unwrap();
        let form = Length::Form(FORM_BYTES_MAX + BLOCK_BYTES + 1);
        for (length, free) in [(Length::Unknown, 0), (form, BLOCK_BYTES)] {
            let reserved = place.reserve(length, size_max, free);
            assert!(matches!(reserved, Err(UploadError::QuotaReached)));
        }
        assert!(place.reserve(form, size_max, 2 * BLOCK_BYTES).is_ok());
    }
}
