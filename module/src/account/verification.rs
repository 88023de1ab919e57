//! Real names, which an administrator has looked at.

use common::{SessionId, UserId};

use super::{User, checked_name};
use crate::friend::RequestState;
use crate::storage::refusal::Refusal;

/// Longest name or number of a document, in characters.
const NAME_CHARS_MAX: usize = 64;
/// Longest note of a user or reason of an administrator, in characters.
pub const NOTE_CHARS_MAX: usize = 500;
/// Most pictures of one submission.
const PICTURES_MAX: usize = 8;
/// Longest address of a picture, in bytes.
const PICTURE_BYTES_MAX: usize = 1_024;

/// What a user shows to prove their name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Papers {
    /// The name.
    pub name: String,
    /// The number of the document that says so.
    pub document: String,
    /// What the user adds.
    pub note: String,
    /// Pictures: attachments or addresses.
    pub pictures: Vec<String>,
}

impl Papers {
    /// Whether they can be submitted.
    ///
    /// # Errors
    /// `Invalid`, with what is wrong.
    pub fn check(&self) -> Result<(), Refusal> {
        if checked_name(&self.name, NAME_CHARS_MAX).is_none()
            || checked_name(&self.document, NAME_CHARS_MAX).is_none()
        {
            return Err(Refusal::Invalid(
                "name and document have 1 to 64 characters, none of them a control character",
            ));
        }
        if self.note.chars().count() > NOTE_CHARS_MAX {
            return Err(Refusal::Invalid("a note has at most 500 characters"));
        }
        let is_address = |picture: &String| (1..=PICTURE_BYTES_MAX).contains(&picture.len());
        if self.pictures.len() > PICTURES_MAX || !self.pictures.iter().all(is_address) {
            return Err(Refusal::Invalid(
                "there are at most 8 pictures, each named in 1 to 1,024 bytes",
            ));
        }
        Ok(())
    }
}

/// Submits papers; those that wait or were refused are replaced. Gives the number of the
/// submission. Refused: `Invalid`, `UserUnknown`, `AlreadyVerified`.
#[derive(Clone, Debug)]
pub struct SubmitVerification {
    /// Whose.
    pub user: UserId,
    /// What they show.
    pub papers: Papers,
}

/// A submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Its number.
    pub id: u64,
    /// Whose.
    pub user: User,
    /// What they show.
    pub papers: Papers,
    /// How far it has come.
    pub state: RequestState,
    /// What the administrator said.
    pub reason: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it was answered; 0 if it was not.
    pub handled_ms: u64,
}

/// What a user has submitted, for themselves. Refused: `VerificationUnknown`.
#[derive(Clone, Debug)]
pub struct FindVerification {
    /// Whose.
    pub user: UserId,
}

/// Submissions by ascending number, for administrators.
#[derive(Clone, Debug)]
pub struct ListVerifications {
    /// Those that have come so far; none for all.
    pub state: Option<RequestState>,
    /// From the first number above this on.
    pub after: u64,
    /// Most to give.
    pub limit: usize,
}

/// Part of a list of submissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationPage {
    /// The submissions.
    pub verifications: Vec<Verification>,
    /// Whether the list goes on.
    pub more: bool,
}

/// An administrator accepts or refuses; an answer may be changed later. The user finds it in their
/// inbox. Gives the user. Refused: `VerificationUnknown` if the papers have been replaced since
/// they were looked at, or never were.
#[derive(Clone, Debug)]
pub struct AnswerVerification {
    /// Which submission.
    pub id: u64,
    /// How.
    pub accept: bool,
    /// What the user is told.
    pub reason: String,
    /// The session that answers.
    pub origin: Option<SessionId>,
}
