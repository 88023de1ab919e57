//! Attachments: what they are and where their bytes can be had. They are uploaded over HTTP, see
//! [`crate::attachment::AttachmentModule`].

use std::sync::Arc;

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use super::answer::Answer;
use super::call::{Access, Call, Verb};
use super::caller::Caller;
use super::input::Number;
use super::output::Done;
use crate::attachment::{AttachmentId, View};
use crate::im::Im;
use crate::storage::refusal::Refusal;

/// An attachment.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub(super) struct AttachmentIn {
    /// The attachment.
    attachment: Number,
}

/// What an attachment is, to who may have it.
pub(super) struct Get;

impl Call for Get {
    const OP: &'static str = "attachment.get";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/attachments/{attachment}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Tell what an attachment is, with addresses of its bytes";
    type In = AttachmentIn;
    type Out = View;

    fn perform(input: AttachmentIn, caller: &Caller, im: &Arc<Im>, answer: Answer<View>) {
        let id = AttachmentId(input.attachment.0);
        match im.attachments() {
            Some(attachments) => attachments.find(caller.user, id, answer.with(|view| view)),
            None => answer.refuse(Refusal::Unavailable),
        }
    }
}

/// Removes an attachment.
pub(super) struct Remove;

impl Call for Remove {
    const OP: &'static str = "attachment.remove";
    const VERB: Verb = Verb::Delete;
    const PATH: &'static str = "/attachments/{attachment}";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "Remove an attachment of one's own, whatever messages name it";
    type In = AttachmentIn;
    type Out = Done;

    fn perform(input: AttachmentIn, caller: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let id = AttachmentId(input.attachment.0);
        match im.attachments() {
            Some(attachments) => attachments.remove(caller.user, id, answer.with(Done::from)),
            None => answer.refuse(Refusal::Unavailable),
        }
    }
}
