//! A socket that seals what is written to it.

use std::io::{self, IoSlice, Write};

use super::session::{Scratch, Session};
use crate::conn::Stream;

/// Plaintext of one record (RFC 8446 section 5.1).
const RECORD_BYTES: usize = 16 * 1024;
/// Plaintext that is sealed before the kernel is asked whether it takes any. It bounds the
/// ciphertext that can be left over.
const STEP_BYTES: usize = 4 * RECORD_BYTES;
/// Pending records up to here share a write with what follows them: tickets and the first answer.
const JOINED_BYTES_MAX: usize = 4096;

/// Buffers for sealing; one set per reactor.
#[derive(Debug, Default)]
pub(crate) struct Seals {
    pub(crate) scratch: Scratch,
    /// Small slices, gathered to one record.
    gathered: Vec<u8>,
}

/// The socket of a connection, seen by its outbox.
pub(crate) struct Sealed<'a, S> {
    pub(crate) socket: &'a mut S,
    pub(crate) session: &'a mut Session,
    pub(crate) seals: &'a mut Seals,
    /// Bytes that the kernel took.
    pub(crate) written: u64,
    /// Calls to it.
    pub(crate) calls: u64,
}

impl<S: Write> Sealed<'_, S> {
    /// Writes the records that wait; true if none is left.
    pub(crate) fn write_pending(&mut self) -> io::Result<bool> {
        if !self.session.has_pending() {
            return Ok(true);
        }
        self.take_pending();
        self.push()
    }

    fn take_pending(&mut self) {
        let scratch = &mut self.seals.scratch;
        scratch.clear();
        scratch.extend(self.session.pending());
        self.session.keep_pending(&[]);
    }

    /// Hands the scratch to the kernel; what it does not take is pending. True if it took all.
    fn push(&mut self) -> io::Result<bool> {
        let records = self.seals.scratch.filled();
        let taken = loop {
            self.calls += 1;
            match self.socket.write(records) {
                Ok(n) => break n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        self.written += taken as u64;
        self.session.keep_pending(&records[taken..]);
        Ok(taken == records.len())
    }

    /// Seals up to a step of `plain`, from the front; how much it was.
    fn seal(&mut self, plain: &mut Slices<'_>) -> io::Result<usize> {
        let Seals { scratch, gathered } = &mut *self.seals;
        let mut sealed = 0;
        while sealed < STEP_BYTES {
            let record = plain.take_record(gathered);
            if record.is_empty() {
                break;
            }
            self.session
                .seal(record, scratch)
                .map_err(io::Error::other)?;
            sealed += record.len();
        }
        Ok(sealed)
    }
}

impl<S: Write> Stream for Sealed<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// Takes all of `slices` unless the kernel is full; then up to a step more than it took.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut plain = Slices { slices, at: 0 };
        let mut taken = 0;
        if self.session.pending().len() > JOINED_BYTES_MAX && !self.write_pending()? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        loop {
            self.take_pending();
            let sealed = self.seal(&mut plain)?;
            taken += sealed;
            if sealed == 0 || !self.push()? {
                return Ok(taken);
            }
        }
    }
}

/// A place in a list of slices.
struct Slices<'a> {
    slices: &'a [IoSlice<'a>],
    /// Bytes of the first slice that are taken.
    at: usize,
}

impl<'a> Slices<'a> {
    /// Takes the plaintext of the next record: from its slice if that fills the record or is the
    /// last one, else gathered from several. Empty at the end.
    fn take_record<'b>(&mut self, gathered: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        gathered.clear();
        while let Some((first, rest)) = self.slices.split_first() {
            let left = &first[self.at..];
            if gathered.is_empty() && (left.len() >= RECORD_BYTES || rest.is_empty()) {
                let record = &left[..left.len().min(RECORD_BYTES)];
                self.advance(record.len());
                return record;
            }
            let room = RECORD_BYTES - gathered.len();
            if room == 0 {
                break;
            }
            let part = &left[..left.len().min(room)];
            gathered.extend_from_slice(part);
            self.advance(part.len());
        }
        gathered
    }

    fn advance(&mut self, n: usize) {
        self.at += n;
        if self.at == self.slices[0].len() {
            self.slices = &self.slices[1..];
            self.at = 0;
        }
    }
}
