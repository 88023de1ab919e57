//! One upload, from its first piece to the attachment.

use std::io::{self, Write};
use std::sync::Arc;

use ring::digest::{Context, SHA256};

use super::files::{Files, Incoming};
use super::multipart::{Form, FormError, Part};
use super::picture::{self, Picture, TooManyPixels};
use super::place::Place;
use super::service::Attachments;
use super::{AddAttachment, Hash, NoteFile, Variant, View, content};
use crate::storage::refusal::Refusal;

/// Why an upload has not become an attachment.
#[derive(Debug, thiserror::Error)]
pub(super) enum UploadError {
    /// The store refuses it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It is not as it should be.
    #[error(transparent)]
    Form(#[from] FormError),
    /// It is a picture of too many pixels.
    #[error(transparent)]
    Pixels(#[from] TooManyPixels),
    /// It has more bytes than may be.
    #[error("the file is too large")]
    TooLarge,
    /// The quota leaves less room than it needs.
    #[error("your attachments have reached their quota")]
    QuotaReached,
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The disk is full, or fails.
    #[error("the file cannot be kept")]
    Disk(#[from] io::Error),
}

/// An upload on its way.
#[derive(Debug)]
pub(super) struct Upload {
    service: Arc<Attachments>,
    place: Place,
    name: String,
    form: Option<Form>,
    file: Written,
}

/// What has been written.
#[derive(Debug)]
struct Written {
    file: Incoming,
    digest: Digest,
    /// The first bytes, which say what it is.
    front: Vec<u8>,
    bytes: u64,
}

/// SHA-256 of what has come so far.
struct Digest(Context);

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest")
    }
}

impl Upload {
    /// Begins an upload for which there is room. A form says itself what its file is called.
    pub(super) fn begin(
        service: &Arc<Attachments>,
        place: Place,
        name: String,
        form: Option<Form>,
    ) -> Result<Self, UploadError> {
        let file = Written {
            file: service.files().begin()?,
            digest: Digest(Context::new(&SHA256)),
            front: Vec::new(),
            bytes: 0,
        };
        Ok(Self {
            service: Arc::clone(service),
            place,
            name,
            form,
            file,
        })
    }

    /// Takes the next piece of the body.
    pub(super) fn write(&mut self, piece: &[u8]) -> Result<(), UploadError> {
        let (name, file, place) = (&mut self.name, &mut self.file, &self.place);
        let Some(form) = &mut self.form else {
            return file.write(piece, place);
        };
        form.push(piece, |part| match part {
            Part::Begin(called) => {
                *name = called;
                Ok(())
            }
            Part::Data(bytes) => file.write(bytes, place),
        })
    }

    /// The body is whole.
    pub(super) fn finish(self) -> Result<Whole, UploadError> {
        if let Some(form) = &self.form {
            form.finish()?;
        }
        let Written {
            file,
            digest,
            front,
            bytes,
        } = self.file;
        if bytes == 0 {
            return Err(UploadError::Empty);
        }
        let hash = digest.0.finish();
        Ok(Whole {
            service: self.service,
            place: self.place,
            name: self.name,
            file,
            hash: Hash(hash.as_ref().try_into().map_err(|_| Refusal::Internal)?),
            media_type: content::media_type(&front),
            bytes,
            picture: Picture::default(),
        })
    }
}

/// A file that has come whole, and is no attachment yet.
#[derive(Debug)]
pub(super) struct Whole {
    service: Arc<Attachments>,
    place: Place,
    name: String,
    file: Incoming,
    hash: Hash,
    media_type: &'static str,
    bytes: u64,
    picture: Picture,
}

impl Whole {
    /// Whether it is to be looked at before it is kept.
    pub(super) fn may_be_picture(&self) -> bool {
        picture::format(self.media_type).is_some()
    }

    /// Looks at it, which may take long.
    pub(super) fn look(&mut self) -> Result<(), UploadError> {
        let pixels_max = self.service.config().pixels_max;
        self.picture = picture::look(self.file.rewound()?, self.media_type, pixels_max)?;
        Ok(())
    }

    /// Makes an attachment of it. Its file is in its place before the store knows of it, and noted
    /// there before that, so that no file is ever left that nobody knows.
    pub(super) fn keep(self) -> Result<View, UploadError> {
        let Self {
            service,
            place,
            name,
            file,
            hash,
            media_type,
            bytes,
            picture: Picture { pixels, thumbnail },
        } = self;
        file.sync()?;
        let small = match &thumbnail {
            Some(thumbnail) => Some(small_file(service.files(), thumbnail)?),
            None => None,
        };
        let store = service.store();
        let lock = service.files().lock(hash);
        store.change_now(NoteFile { hash })?;
        service.files().place(file, hash, Variant::Whole)?;
        if let Some(small) = small {
            service.files().place(small, hash, Variant::Thumbnail)?;
        }
        let added = store.change_now(AddAttachment {
            owner: place.user(),
            hash,
            name,
            media_type: media_type.to_owned(),
            bytes,
            pixels,
            thumbnail: thumbnail.is_some(),
            quota: service.config().quota,
        });
        drop(lock);
        Ok(service.view(&added?))
    }
}

fn small_file(files: &Files, thumbnail: &[u8]) -> io::Result<Incoming> {
    let mut file = files.begin()?;
    file.write_all(thumbnail)?;
    file.sync()?;
    Ok(file)
}

impl Written {
    fn write(&mut self, bytes: &[u8], place: &Place) -> Result<(), UploadError> {
        self.bytes += bytes.len() as u64;
        place.admit(self.bytes)?;
        let wanted = content::FRONT_BYTES - self.front.len();
        self.front
            .extend_from_slice(&bytes[..bytes.len().min(wanted)]);
        self.digest.0.update(bytes);
        self.file.write_all(bytes)?;
        Ok(())
    }
}
