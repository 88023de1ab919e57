//! Files that users send each other: uploaded once, named by messages, handed out to those who may
//! see one of these messages.
//!
//! ```text
//!   POST, in pieces ─▶ upload.rs ─▶ a file beside, hashed ─▶ DIR/ab/cd…   ─▶ the store: a row
//!                      (multipart.rs)                        files.rs
//!   GET, signed     ─▶ download.rs ◀─ pieces of the file
//!                      address.rs
//! ```
//!
//! What a file is, is looked up in its bytes (`content.rs`) and never believed. The bytes of equal
//! files are kept once, under their hash.

mod address;
mod answer;
mod content;
mod download;
mod duty;
mod files;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod module;
mod multipart;
mod name;
mod operations;
mod picture;
mod place;
mod service;
mod upload;

use std::fmt;
use std::str::FromStr;

use common::UserId;

use crate::message::Kind;

pub use address::{Address, Variant};
pub use module::AttachmentModule;
pub use operations::{
    AddAttachment, FindAttachment, ForgetFiles, IsLoose, ListLooseFiles, NoteFile,
    RemoveAttachment, UsedBytes,
};
pub use service::{Attachments, AttachmentsConfig, AttachmentsError, View};

/// Most attachments that one message names.
pub const NAMED_MAX: usize = 100;

/// A block of a disk, of which files take whole ones.
pub const BLOCK_BYTES: u64 = 4_096;

/// What a file of so many bytes takes of its owner's quota: whole blocks, or a quota would be no
/// bound for the disk.
#[must_use]
pub const fn charge(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES)
}

/// An attachment, as the store numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttachmentId(pub u64);

/// SHA-256 of a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not the hexadecimal form of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no hash")]
pub struct NoHash;

impl FromStr for Hash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        let mut hash = [0; 32];
        let lower = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 2 * hash.len() || !text.bytes().all(lower) {
            return Err(NoHash);
        }
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| NoHash)?;
        }
        Ok(Self(hash))
    }
}

/// A file that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its number.
    pub id: AttachmentId,
    /// Who has uploaded it.
    pub owner: UserId,
    /// Of its bytes.
    pub hash: Hash,
    /// What it was called, without a path; may be empty.
    pub name: String,
    /// What its bytes are, as a media type.
    pub media_type: String,
    /// How many there are.
    pub bytes: u64,
    /// Width and height in pixels, of a picture that was understood.
    pub pixels: Option<(u32, u32)>,
    /// Whether there is a small form of the picture.
    pub thumbnail: bool,
    /// When it was uploaded, in milliseconds since 1970.
    pub created_ms: u64,
}

/// The attachments that a message names: in the body of a picture, voice, video, file or merged
/// message that is a JSON object, the number `attachment` and those in the list `attachments`.
#[must_use]
pub fn named_in(kind: Kind, body: &str) -> Vec<AttachmentId> {
    #[derive(serde::Deserialize)]
    struct Names {
        attachment: Option<u64>,
        #[serde(default)]
        attachments: Vec<u64>,
    }
    let may_name = matches!(
        kind,
        Kind::Picture | Kind::Voice | Kind::Video | Kind::File | Kind::Merged
    );
    if !may_name || !body.starts_with('{') {
        return Vec::new();
    }
    let Ok(names) = serde_json::from_str::<Names>(body) else {
        return Vec::new();
    };
    let mut named: Vec<_> = names
        .attachment
        .into_iter()
        .chain(names.attachments)
        .collect();
    named.sort_unstable();
    named.dedup();
    named.into_iter().map(AttachmentId).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_written_in_one_way() {
        let hash = Hash(std::array::from_fn(|at| at as u8 * 8));
        let text = hash.to_string();
        assert_eq!(text.parse(), Ok(hash));
        for bad in [&text[1..], &text.to_uppercase(), &format!("{text}00"), ""] {
            assert_eq!(bad.parse::<Hash>(), Err(NoHash), "{bad}");
        }
    }

    #[test]
    fn only_what_is_meant_to_name_an_attachment_does() {
        let named =
            |kind, body| -> Vec<u64> { named_in(kind, body).into_iter().map(|id| id.0).collect() };
        let both = r#"{"attachment":7,"attachments":[3,7,9],"text":"look"}"#;
        assert_eq!(named(Kind::Picture, both), [3, 7, 9]);
        assert_eq!(named(Kind::Merged, r#"{"attachments":[1]}"#), [1]);
        assert_eq!(named(Kind::Text, both), [0; 0]);
        assert_eq!(named(Kind::Custom, both), [0; 0]);
        for body in [
            "",
            "[7]",
            "{",
            r#"{"attachment":"7"}"#,
            r#"{"attachment":-7}"#,
        ] {
            assert_eq!(named(Kind::File, body), [0; 0], "{body}");
        }
    }
}
