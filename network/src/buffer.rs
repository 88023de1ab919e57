//! The read buffer that all connections of a reactor share, and the spill of one that got only
//! part of a frame.
//!
//! ```text
//!   ReadBuf   [ headroom 64 KiB | area the socket is read into, 256 KiB ]
//!                      ▲────────┘
//!              a short spill is put right in front of the new bytes, so that
//!              the codec sees one slice and only the tail was ever copied
//! ```

use common::limits::{READ_BUF_BYTES, READ_HEADROOM_BYTES};

use crate::codec::ws::Inflater;

const BYTES: usize = READ_HEADROOM_BYTES + READ_BUF_BYTES;

/// One per reactor.
pub(crate) struct ReadBuf {
    /// Of a length that the compiler knows, so that it need not be looked at for each read.
    bytes: Box<[u8; BYTES]>,
    /// Holds the inflated form of a compressed message while a frame borrows it.
    pub(crate) inflater: Inflater,
}

impl ReadBuf {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; BYTES]
                .try_into()
                .expect("a buffer of just this length"),
            inflater: Inflater::default(),
        }
    }

    /// The area to read a socket into.
    #[inline]
    pub(crate) fn area(&mut self) -> &mut [u8] {
        &mut self.bytes[READ_HEADROOM_BYTES..]
    }

    /// The first `read` bytes of the area, and what inflates.
    #[inline]
    pub(crate) fn parts(&mut self, read: usize) -> (&mut [u8], &mut Inflater) {
        let area = &mut self.bytes[READ_HEADROOM_BYTES..][..read];
        (area, &mut self.inflater)
    }

    /// `spill` followed by the `read` bytes that were read, as one slice, and what inflates.
    ///
    /// # Panics
    /// If the spill is longer than the headroom.
    pub(crate) fn joined(&mut self, spill: &[u8], read: usize) -> (&mut [u8], &mut Inflater) {
        let start = READ_HEADROOM_BYTES - spill.len();
        self.bytes[start..READ_HEADROOM_BYTES].copy_from_slice(spill);
        let joined = &mut self.bytes[start..READ_HEADROOM_BYTES + read];
        (joined, &mut self.inflater)
    }
}

/// Bytes of a connection that wait for the rest of their frame, or for the connection to be read
/// again. Nothing is allocated while there are none.
///
/// Doubly boxed so that a connection without a spill pays one word and not three.
#[derive(Debug, Default)]
#[expect(
    clippy::box_collection,
    reason = "one word in a connection instead of three"
)]
pub(crate) struct Spill(Option<Box<Vec<u8>>>);

impl Spill {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |bytes| bytes.len())
    }

    /// Bytes of heap.
    #[inline]
    pub(crate) fn held_bytes(&self) -> usize {
        self.0
            .as_ref()
            .map_or(0, |bytes| size_of::<Vec<u8>>() + bytes.capacity())
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |bytes| bytes)
    }

    /// Takes the bytes, which leaves the spill empty and without heap.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.0.take().map_or_else(Vec::new, |bytes| *bytes)
    }

    /// Keeps `bytes`; the spill must be empty.
    pub(crate) fn keep(&mut self, bytes: Vec<u8>) {
        debug_assert!(self.0.is_none());
        if !bytes.is_empty() {
            self.0 = Some(Box::new(bytes));
        }
    }
}
