//! Who of the users in an answer is online, as far as the caller may know.

use std::sync::Arc;

use common::UserId;
use rustc_hash::FxHashSet;
use serde::Serialize;

use super::answer::Answer;
use super::caller::Caller;
use crate::im::Im;
use crate::storage::refusal::Refusal;

/// Users who are online and have not blocked the caller.
#[derive(Debug)]
pub(super) struct WhoIsOnline(FxHashSet<UserId>);

impl WhoIsOnline {
    pub(super) fn has(&self, user: UserId) -> bool {
        self.0.contains(&user)
    }
}

/// What answers with `out` of what was found, and of who is online among its `users`.
pub(super) fn answer_with_online<F: Send + 'static, T: Serialize + 'static>(
    im: &Arc<Im>,
    caller: &Caller,
    answer: Answer<T>,
    users: impl FnOnce(&F) -> Vec<UserId> + Send + 'static,
    out: impl FnOnce(F, &WhoIsOnline) -> T + Send + 'static,
) -> impl FnOnce(Result<F, Refusal>) + Send + 'static {
    let (im, viewer) = (Arc::clone(im), caller.user);
    move |found| match found {
        Ok(found) => {
            let users = users(&found);
            let out = move |online: Vec<_>| out(found, &WhoIsOnline(online.into_iter().collect()));
            im.online_among(viewer, users, answer.with(out));
        }
        Err(refusal) => answer.refuse(refusal),
    }
}
