//! The duty to answer a request.

use std::sync::Arc;

use common::SessionId;
use gate::{GateHandle, Response};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::answer::Answer;
use super::upload::{Upload, UploadError};
use crate::storage::refusal::Refusal;

/// What is being uploaded, by session. Jobs end it from their threads.
pub(super) type Uploads = Arc<Mutex<FxHashMap<SessionId, Arc<Mutex<Stage>>>>>;

/// How far an upload has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// Who uploads is being looked up.
    Asking,
    /// Pieces come in.
    Taking(Box<Upload>),
    /// It has become an attachment, or has failed.
    Over,
}

/// The right and the duty to deal with what a client waits with, from any thread. Whoever has it
/// and panics has answered all the same: no deadline runs for a client whose turn it is not.
#[derive(Debug)]
pub(super) struct Duty {
    handle: GateHandle,
    session: SessionId,
    /// Where the upload is noted, if it is one.
    uploads: Option<Uploads>,
    owed: bool,
}

impl Duty {
    pub(super) fn of_upload(handle: GateHandle, session: SessionId, uploads: Uploads) -> Self {
        Self {
            handle,
            session,
            uploads: Some(uploads),
            owed: true,
        }
    }

    pub(super) const fn of_download(handle: GateHandle, session: SessionId) -> Self {
        Self {
            handle,
            session,
            uploads: None,
            owed: true,
        }
    }

    /// Answers.
    pub(super) fn answer(mut self, response: impl Into<Response>) {
        self.end(response.into());
    }

    /// Answers that there is too much to do.
    pub(super) fn decline(self) {
        self.answer(Answer::busy());
    }

    /// Answers that it has failed.
    pub(super) fn fail(self, error: UploadError) {
        self.answer(Answer::from(error));
    }

    /// Asks for the next piece of the body, with which the duty comes again.
    pub(super) fn read_on(mut self) {
        self.owed = false;
        self.handle.read_body(self.session);
    }

    /// Somebody has answered, or will.
    pub(super) fn pass(mut self) {
        self.owed = false;
    }

    /// Answers, and forgets the upload before the next request can come.
    fn end(&mut self, response: Response) {
        self.owed = false;
        let uploads = self.uploads.as_ref();
        let stage = uploads.and_then(|uploads| uploads.lock().remove(&self.session));
        self.handle.respond(self.session, response);
        drop(stage);
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        if self.owed {
            self.end(Answer::from(Refusal::Internal).into());
        }
    }
}
