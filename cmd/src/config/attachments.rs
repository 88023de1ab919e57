//! `[attachments]`: what was typed, what it means, and the way back.

use std::time::Duration;

use module::attachment::AttachmentsConfig;
use module::storage::sqlite::{Location, StoreConfig};
use serde::{Deserialize, Serialize};

use super::check::{Check, Checked};
use super::raw::Typed;
use super::typed::typed;
use super::value::{Number, Seconds, Size};

/// Most bytes of a file and of a quota: what is more than this is a slip of the finger.
const BYTES_MAX: usize = 1 << 44;
/// Most pixels of a picture: decoding takes 2 GiB for so many.
const PIXELS_MAX: usize = 1 << 29;
/// Name of their directory in that of the store.
const FOLDER: &str = "attachments";

/// `[attachments]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section: [attachments]")]
pub struct RawAttachments {
    /// Where they are kept; empty for a directory in that of the store.
    pub path: Typed<String>,
    /// Size of one.
    pub size: Typed<Size>,
    /// Size of all that one user has uploaded.
    pub quota: Typed<Size>,
    /// Uploads at the same time.
    pub uploads: Typed<Number>,
    /// Pixels of a picture.
    pub pixels: Typed<Number>,
    /// Time for which an address is good.
    pub address_lifetime: Typed<Seconds>,
    /// Time for which they are kept that no message names.
    pub unused: Typed<Seconds>,
}

impl Check<'_> {
    /// What is decided about attachments; how long they are kept is entered with the store.
    pub(super) fn attachments(
        &self,
        raw: &RawAttachments,
        store: &mut StoreConfig,
    ) -> Checked<AttachmentsConfig> {
        let default = AttachmentsConfig::default();
        let path = raw.path.as_ref();
        let path = path.filter(|path| !path.get_ref().is_empty());
        let directory = match (&store.location, path) {
            (Location::Memory, None) => None,
            (Location::Memory, Some(path)) => {
                return self.refuse(
                    path,
                    "they would outlive what is known of them: the store is in memory",
                );
            }
            (Location::Directory(store), None) => Some(store.join(FOLDER)),
            (Location::Directory(_), Some(path)) => Some(self.path(path.get_ref())),
        };
        let unused = store.retention.attachments;
        store.retention.attachments = self.time(&raw.unused, unused)?;
        let pixels = self.number(&raw.pixels, default.pixels_max as usize, 1..=PIXELS_MAX)?;
        Ok(AttachmentsConfig {
            directory,
            size_max: self.bytes(&raw.size, default.size_max)?,
            quota: self.bytes(&raw.quota, default.quota)?,
            uploads_max: self.number(&raw.uploads, default.uploads_max, 1..=1_000_000)?,
            pixels_max: pixels as u64,
            address_lifetime: self.time(&raw.address_lifetime, default.address_lifetime)?,
            ..default
        })
    }

    fn time(&self, typed: &Typed<Seconds>, default: Duration) -> Checked<Duration> {
        let seconds = self.seconds(typed, default.as_secs() as u32, 1)?;
        Ok(Duration::from_secs(seconds.into()))
    }

    fn bytes(&self, typed: &Typed<Size>, default: u64) -> Checked<u64> {
        let Some(typed) = typed else {
            return Ok(default);
        };
        match typed.get_ref().0 {
            bytes if (1..=BYTES_MAX).contains(&bytes) => Ok(bytes as u64),
            bytes => {
                let message = format!("{} is outside 1B to {}", Size(bytes), Size(BYTES_MAX));
                self.refuse(typed, message)
            }
        }
    }
}

pub(super) fn attachments_to_typed(
    attachments: &AttachmentsConfig,
    store: &StoreConfig,
) -> RawAttachments {
    let seconds = |time: Duration| Seconds(time.as_secs() as u32);
    let directory = attachments.directory.as_ref();
    RawAttachments {
        path: typed(directory.map_or_else(String::new, |path| path.display().to_string())),
        size: typed(Size(attachments.size_max as usize)),
        quota: typed(Size(attachments.quota as usize)),
        uploads: typed(Number(attachments.uploads_max)),
        pixels: typed(Number(attachments.pixels_max as usize)),
        address_lifetime: typed(seconds(attachments.address_lifetime)),
        unused: typed(seconds(store.retention.attachments)),
    }
}
