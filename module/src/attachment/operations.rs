//! What the store can be asked about attachments.

use common::UserId;

use super::{AttachmentId, Hash};

/// Says that the file of a hash is about to be put in its place. Until an attachment of that hash
/// is added, it is one of those that [`ListLooseFiles`] gives.
#[derive(Clone, Copy, Debug)]
pub struct NoteFile {
    /// Whose file.
    pub hash: Hash,
}

/// Adds an attachment whose file is in its place. Refused: `UserUnknown`, `LimitReached`.
#[derive(Clone, Debug)]
pub struct AddAttachment {
    /// Who has uploaded it.
    pub owner: UserId,
    /// Of its bytes.
    pub hash: Hash,
    /// What it was called.
    pub name: String,
    /// What its bytes are.
    pub media_type: String,
    /// How many there are.
    pub bytes: u64,
    /// Width and height in pixels.
    pub pixels: Option<(u32, u32)>,
    /// Whether there is a small form of the picture.
    pub thumbnail: bool,
    /// Bytes that the owner's attachments may have together, each in whole blocks
    /// ([`charge`](super::charge)).
    pub quota: u64,
}

/// An attachment. Refused: `AttachmentUnknown`.
#[derive(Clone, Copy, Debug)]
pub struct FindAttachment {
    /// Which.
    pub id: AttachmentId,
    /// Who asks: it is only found if they have uploaded it, or may see a message that names it.
    /// Without one it is found.
    pub user: Option<UserId>,
}

/// Removes an attachment, whatever messages name it. Refused: `AttachmentUnknown`, `NotOwner`.
#[derive(Clone, Copy, Debug)]
pub struct RemoveAttachment {
    /// Who asks; the operator's own staff may remove any, and is nobody.
    pub user: Option<UserId>,
    /// Which.
    pub id: AttachmentId,
}

/// Bytes of all attachments that a user has uploaded, each in whole blocks.
#[derive(Clone, Copy, Debug)]
pub struct UsedBytes {
    /// Who.
    pub user: UserId,
}

/// Files that no attachment has any more, or never had.
#[derive(Clone, Copy, Debug)]
pub struct ListLooseFiles {
    /// Most to give.
    pub limit: usize,
}

/// Whether a file is one of those, and can be removed.
#[derive(Clone, Copy, Debug)]
pub struct IsLoose {
    /// Which.
    pub hash: Hash,
}

/// Says that loose files are gone.
#[derive(Clone, Debug)]
pub struct ForgetFiles {
    /// Which.
    pub hashes: Vec<Hash>,
}
