//! Attachments as a whole: their directory, their rules, and who may have them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::UserId;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;

use super::address::{Address, Signer};
use super::files::Files;
use super::place::{FORM_BYTES_MAX, Length, Place, Places};
use super::upload::UploadError;
use super::{
    Attachment, AttachmentId, FindAttachment, ForgetFiles, ListLooseFiles, RemoveAttachment,
    UsedBytes, Variant,
};
use crate::account::token::{TokenError, kept_secret};
use crate::blocking::BlockingPool;
use crate::im::now_ms;
use crate::storage::refusal::Refusal;
use crate::storage::store::Store;

/// Threads that write and read files.
const THREADS: usize = 4;
/// Pieces that may wait for them.
const JOBS_MAX: usize = 4_096;
/// Name of the file with the secret that addresses are signed with.
const SECRET_FILE: &str = "address-secret";
/// Loose files that are looked at together.
const LOOSE: usize = 256;

/// What is decided about attachments.
#[derive(Clone, Debug)]
pub struct AttachmentsConfig {
    /// Where they are kept; without it in a directory that goes with the process.
    pub directory: Option<PathBuf>,
    /// Bytes of one, at most.
    pub size_max: u64,
    /// Bytes of all that one user has uploaded, at most; each file takes whole blocks of them
    /// ([`charge`](super::charge)).
    pub quota: u64,
    /// Uploads at the same time, eight of each user; those beyond are told to try again.
    pub uploads_max: usize,
    /// Pixels of a picture, at most; decoding takes four bytes of memory for each, in JPEG up to
    /// eleven and the file, of one picture at a time.
    pub pixels_max: u64,
    /// How long an address that was given out is good; up to half as long again.
    pub address_lifetime: Duration,
    /// How often files that nobody has any more are looked for.
    pub interval: Duration,
}

impl Default for AttachmentsConfig {
    fn default() -> Self {
        Self {
            directory: None,
            size_max: 100 << 20,
            quota: 2 << 30,
            uploads_max: 256,
            pixels_max: 40_000_000,
            address_lifetime: Duration::from_secs(24 * 3600),
            interval: Duration::from_secs(600),
        }
    }
}

/// Why attachments cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum AttachmentsError {
    /// Their directory cannot be made or written to.
    #[error("cannot write to the directory of attachments {0}: {1}")]
    Directory(String, io::Error),
    /// The secret with which addresses are signed cannot be kept.
    #[error(transparent)]
    Secret(#[from] TokenError),
    /// A thread could not be started.
    #[error("cannot start a thread for attachments: {0}")]
    Thread(io::Error),
}

/// An attachment as it is told to those who may have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Attachment")]
pub struct View {
    /// Its number, with which messages name it.
    pub id: u64,
    /// What it was called; may be empty.
    pub name: String,
    /// What its bytes are, as a media type.
    #[serde(rename = "type")]
    pub media_type: String,
    /// How many there are.
    pub size: u64,
    /// Pixels, of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels, of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Where its bytes are, as path and query.
    pub url: String,
    /// Where its small form is, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail_url: Option<String>,
    /// Until when these addresses are good, in milliseconds since 1970.
    pub expires: u64,
}

/// Everything about attachments that workers share.
pub struct Attachments {
    config: AttachmentsConfig,
    store: Arc<dyn Store>,
    files: Files,
    signer: Signer,
    pool: BlockingPool,
    /// One thread, for their memory is bounded one at a time. Files do not wait for it.
    pictures: BlockingPool,
    places: Arc<Places>,
    janitor: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

impl std::fmt::Debug for Attachments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attachments")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Attachments {
    /// Attachments over a store, with a thread that tidies up.
    ///
    /// # Errors
    /// [`AttachmentsError`].
    pub fn open(
        config: AttachmentsConfig,
        store: Arc<dyn Store>,
    ) -> Result<Arc<Self>, AttachmentsError> {
        let (directory, temporary) = match &config.directory {
            Some(directory) => (directory.clone(), false),
            None => (temporary_directory(), true),
        };
        let name = directory.display().to_string();
        let files = Files::open(directory.clone(), temporary)
            .map_err(|error| AttachmentsError::Directory(name, error))?;
        let secret = match temporary {
            true => rand::random(),
            false => kept_secret(&directory, SECRET_FILE)?,
        };
        let service = Arc::new(Self {
            signer: Signer::new(&secret, config.address_lifetime.as_secs()),
            store,
            files,
            pool: BlockingPool::new(THREADS, JOBS_MAX).map_err(AttachmentsError::Thread)?,
            pictures: BlockingPool::new(1, config.uploads_max.min(JOBS_MAX))
                .map_err(AttachmentsError::Thread)?,
            places: Places::new(config.uploads_max),
            janitor: Mutex::new(None),
            config,
        });
        service.start_janitor()?;
        Ok(service)
    }

    /// What was decided.
    #[must_use]
    pub fn config(&self) -> &AttachmentsConfig {
        &self.config
    }

    /// Bytes of the body of an upload, at most.
    #[must_use]
    pub const fn body_bytes_max(&self) -> u64 {
        self.config.size_max.saturating_add(FORM_BYTES_MAX)
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    /// Has a thread do what takes a disk; false, and nothing is done, if too much waits.
    #[must_use]
    pub(super) fn submit(&self, job: impl FnOnce() + Send + 'static) -> bool {
        self.pool.submit(job)
    }

    /// Has a thread do what takes a disk with something; or does `full` with it at once, if too
    /// much waits.
    pub(super) fn submit_or<T: Send + 'static>(
        &self,
        with: T,
        job: impl FnOnce(T) + Send + 'static,
        full: impl FnOnce(T),
    ) {
        self.pool.submit_or(with, job, full);
    }

    /// The same for what decodes a picture: one at a time.
    pub(super) fn submit_picture<T: Send + 'static>(
        &self,
        with: T,
        job: impl FnOnce(T) + Send + 'static,
        full: impl FnOnce(T),
    ) {
        self.pictures.submit_or(with, job, full);
    }

    /// What an attachment is, for a user who may have it. Refused: `AttachmentUnknown`.
    pub fn find(
        self: &Arc<Self>,
        user: UserId,
        id: AttachmentId,
        then: impl FnOnce(Result<View, Refusal>) + Send + 'static,
    ) {
        let service = Arc::clone(self);
        let find = FindAttachment {
            id,
            user: Some(user),
        };
        self.store.look_up(find, move |found| {
            then(found.map(|found| service.view(&found)));
        });
    }

    /// Removes an attachment that the user has uploaded, whatever messages name it. Refused:
    /// `AttachmentUnknown`, `NotOwner`.
    pub fn remove(
        &self,
        user: UserId,
        id: AttachmentId,
        then: impl FnOnce(Result<(), Refusal>) + Send + 'static,
    ) {
        let user = Some(user);
        self.store.change(RemoveAttachment { user, id }, then);
    }

    /// An attachment with addresses that are good for a while.
    #[must_use]
    pub fn view(&self, of: &Attachment) -> View {
        let expires = self.signer.expiry(now_ms() / 1_000);
        let address = |variant| self.signer.address(of, variant, expires);
        View {
            id: of.id.0,
            name: of.name.clone(),
            media_type: of.media_type.clone(),
            size: of.bytes,
            width: of.pixels.map(|(width, _)| width),
            height: of.pixels.map(|(_, height)| height),
            url: address(Variant::Whole),
            thumbnail_url: of.thumbnail.then(|| address(Variant::Thumbnail)),
            expires: expires * 1_000,
        }
    }

    /// What an address says, if we have given it out and it is good.
    pub(super) fn check(&self, path: &str, query: &str) -> Option<Address> {
        self.signer.check(path, query, now_ms() / 1_000)
    }

    /// A place among the uploads that go on at the same time; `None` if there is none.
    pub(super) fn enter(&self, user: UserId) -> Option<Place> {
        self.places.enter(user)
    }

    /// Reserves room for an upload. For threads that may block.
    pub(super) fn reserve(&self, place: &mut Place, length: Length) -> Result<(), UploadError> {
        let user = place.user();
        let used = self.store.look_up_now(UsedBytes { user })?;
        let free = self.config.quota.saturating_sub(used);
        place.reserve(length, self.config.size_max, free)
    }

    fn start_janitor(self: &Arc<Self>) -> Result<(), AttachmentsError> {
        let (stop, stopped) = bounded::<()>(1);
        let weak = Arc::downgrade(self);
        let interval = self.config.interval;
        let run = move || {
            loop {
                // Held only while there is work, so that whoever else lets go last ends this.
                let Some(service) = weak.upgrade() else {
                    return;
                };
                service.remove_loose_files();
                drop(service);
                match stopped.recv_timeout(interval) {
                    Err(RecvTimeoutError::Timeout) => {}
                    _ => return,
                }
            }
        };
        let thread = thread::Builder::new()
            .name("attachments".to_owned())
            .spawn(run)
            .map_err(AttachmentsError::Thread)?;
        *self.janitor.lock() = Some((stop, thread));
        Ok(())
    }

    /// Removes files that no attachment has.
    fn remove_loose_files(&self) {
        loop {
            let loose = match self.store.look_up_now(ListLooseFiles { limit: LOOSE }) {
                Ok(loose) if loose.is_empty() => return,
                Ok(loose) => loose,
                Err(error) => {
                    tracing::warn!(%error, "loose files are left for later");
                    return;
                }
            };
            for hash in loose {
                let lock = self.files.lock(hash);
                if let Err(error) = self.remove_loose_file(hash) {
                    tracing::warn!(%error, %hash, "a loose file cannot be removed");
                    return;
                }
                drop(lock);
            }
        }
    }

    /// With the lock of the hash: nobody takes the file into use meanwhile.
    fn remove_loose_file(&self, hash: super::Hash) -> Result<(), UploadError> {
        if self.store.look_up_now(super::IsLoose { hash })? {
            self.files.remove(hash)?;
            self.store.change_now(ForgetFiles { hashes: vec![hash] })?;
        }
        Ok(())
    }
}

impl Drop for Attachments {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.janitor.lock().take() {
            drop(stop);
            // The last owner may be that thread.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!("the thread of attachments has panicked");
            }
        }
    }
}

/// A directory of this process alone.
fn temporary_directory() -> PathBuf {
    let random: u64 = rand::random();
    std::env::temp_dir().join(format!("gatehouse-attachments-{random:016x}"))
}
