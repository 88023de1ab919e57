//! Real names: what users submit, and what an administrator says to it.

use std::sync::Arc;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::call::{Access, Call, Verb};
use super::caller::Caller;
use super::friend::StateWord;
use super::input::{Limit, Nothing, Number};
use super::output::{Done, UserOut};
use super::word::Word;
use crate::account::verification::{
    AnswerVerification, FindVerification, ListVerifications, Papers, SubmitVerification,
    Verification, VerificationPage,
};
use crate::friend::RequestState;
use crate::im::Im;

/// Submits papers.
pub(super) struct Submit;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "SubmitVerification")]
pub(super) struct SubmitIn {
    /// The name: 1 to 64 characters.
    #[garde(length(chars, min = 1, max = 64))]
    #[schemars(length(min = 1, max = 64))]
    name: String,
    /// The number of the document that says so: 1 to 64 characters.
    #[garde(length(chars, min = 1, max = 64))]
    #[schemars(length(min = 1, max = 64))]
    document: String,
    /// What else is to be said.
    #[serde(default)]
    #[garde(length(chars, max = 500))]
    #[schemars(length(max = 500))]
    note: String,
    /// Pictures: attachments or addresses, of 1 to 1,024 bytes each.
    #[serde(default)]
    #[garde(length(max = 8))]
    #[schemars(length(max = 8))]
    pictures: Vec<String>,
}

/// What was submitted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VerificationNumber")]
pub(super) struct SubmittedOut {
    /// The number of the submission.
    verification: u64,
}

impl Call for Submit {
    const OP: &'static str = "verification.submit";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/verification";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str =
        "Submit papers that prove your name; those that wait or were refused are replaced";
    type In = SubmitIn;
    type Out = SubmittedOut;

    fn perform(input: SubmitIn, caller: &Caller, im: &Arc<Im>, answer: Answer<SubmittedOut>) {
        let papers = Papers {
            name: input.name,
            document: input.document,
            note: input.note,
            pictures: input.pictures,
        };
        let submit = SubmitVerification {
            user: caller.user,
            papers,
        };
        let out = |verification| SubmittedOut { verification };
        im.store().change(submit, answer.with(out));
    }
}

/// A submission.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Verification")]
struct VerificationOut {
    /// Its number.
    verification: u64,
    user: UserOut<'static>,
    name: String,
    document: String,
    note: String,
    pictures: Vec<String>,
    state: StateWord,
    /// What the administrator said.
    reason: String,
    /// When it was made, in milliseconds since 1970.
    created: u64,
    /// When it was answered, in milliseconds since 1970; 0 if it was not.
    handled: u64,
}

impl From<Verification> for VerificationOut {
    fn from(found: Verification) -> Self {
        let Papers {
            name,
            document,
            note,
            pictures,
        } = found.papers;
        Self {
            verification: found.id,
            user: found.user.into(),
            name,
            document,
            note,
            pictures,
            state: found.state.into(),
            reason: found.reason,
            created: found.created_ms,
            handled: found.handled_ms,
        }
    }
}

/// What the user has submitted.
pub(super) struct Get;

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "VerificationReply")]
pub(super) struct GetOut {
    verification: VerificationOut,
}

impl From<Verification> for GetOut {
    fn from(found: Verification) -> Self {
        Self {
            verification: found.into(),
        }
    }
}

impl Call for Get {
    const OP: &'static str = "verification.get";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/verification";
    const ACCESS: Access = Access::User;
    const SUMMARY: &'static str = "The papers that you have submitted, and what was said to them";
    type In = Nothing;
    type Out = GetOut;

    fn perform(_: Nothing, caller: &Caller, im: &Arc<Im>, answer: Answer<GetOut>) {
        let find = FindVerification { user: caller.user };
        im.store().look_up(find, answer.with(GetOut::from));
    }
}

/// Submissions, to the operator's staff.
pub(super) struct List;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "VerificationsQuery")]
pub(super) struct ListIn {
    /// Those that have come so far; all if it is left out.
    #[serde(default)]
    #[garde(dive)]
    state: Option<Word<RequestState>>,
    /// From the first number above this on; `next` of the page before.
    #[serde(default)]
    after: Number,
    /// Most submissions; 100 if it is left out.
    #[serde(default)]
    #[garde(dive)]
    limit: Limit,
}

/// Submissions by ascending number.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Verifications")]
pub(super) struct ListOut {
    verifications: Vec<VerificationOut>,
    /// What to pass as `after` for the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl From<VerificationPage> for ListOut {
    fn from(page: VerificationPage) -> Self {
        let last = page.verifications.last().filter(|_| page.more);
        Self {
            next: last.map(|last| last.id),
            verifications: page.verifications.into_iter().map(Into::into).collect(),
        }
    }
}

impl Call for List {
    const OP: &'static str = "admin.verification.list";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/verifications";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str = "Papers that users have submitted to prove their names";
    type In = ListIn;
    type Out = ListOut;

    fn perform(input: ListIn, _: &Caller, im: &Arc<Im>, answer: Answer<ListOut>) {
        let list = ListVerifications {
            state: input.state.map(Word::get),
            after: input.after.0,
            limit: input.limit.get(),
        };
        im.store().look_up(list, answer.with(ListOut::from));
    }
}

/// Answers a submission.
pub(super) struct Decide;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "AnswerVerification")]
pub(super) struct DecideIn {
    /// The number of the submission.
    verification: Number,
    /// Whether the user is verified.
    accept: bool,
    /// What the user is told.
    #[serde(default)]
    #[garde(length(chars, max = 500))]
    #[schemars(length(max = 500))]
    reason: String,
}

impl Call for Decide {
    const OP: &'static str = "admin.verification.answer";
    const VERB: Verb = Verb::Post;
    const PATH: &'static str = "/verifications/{verification}";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str = "Accept or refuse papers; the user is told";
    type In = DecideIn;
    type Out = Done;

    fn perform(input: DecideIn, _: &Caller, im: &Arc<Im>, answer: Answer<Done>) {
        let decide = AnswerVerification {
            id: input.verification.0,
            accept: input.accept,
            reason: input.reason,
            origin: None,
        };
        im.store().change(decide, answer.with(|_| Done::from(())));
    }
}
