//! permessage-deflate (RFC 7692): payloads compressed and inflated, by default each message by
//! itself, so that one compressor and one decompressor serve all connections of a reactor.

use common::limits;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::context::{ContextBudget, Contexts, ReceiveContext, SendContext};
use super::extension::{DEFLATE_BITS_MIN, DeflateParams, WINDOW_BITS_MAX};
use crate::codec::ProtocolError;

/// What a flush of the compressor ends with, which is left out on the wire (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// The same, and a last block without content. A stream that does not end with it was cut off
/// inside a block, which the tail alone does not show.
const TAIL_AND_END: [u8; 6] = [0, 0, 0xff, 0xff, 0x03, 0x00];

/// Capacity that a scratch buffer keeps between turns.
const SCRATCH_BYTES_KEPT: usize = 64 * 1024;
/// Room for the ends of blocks and of the flush.
const FLUSH_BYTES: usize = 64;
/// Smallest step in which the buffer for an inflated message grows.
const STEP_BYTES_MIN: usize = 4096;

/// Compression of a listener's WebSocket connections, or of outgoing ones. Numbers out of range are
/// taken as the nearest that is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeflateConfig {
    /// 1 (quickest) to 9 (shortest); default 1. Of chat messages of 512 bytes level 1 leaves 55 %,
    /// and takes half of the time of level 6, which leaves 48 %.
    pub level: u8,
    /// Messages shorter than this are sent as they are; default 512. Compressing costs 7 µs before
    /// the first byte, and a quarter off a message of 256 bytes is no more than the headers of the
    /// packet that carries it.
    pub threshold_bytes: usize,
    /// Largest window of the server's compressor, 9 to 15 (512 bytes to 32 KiB); default 15. It
    /// decides how long the memory of a client with context takeover must reach back.
    pub server_max_window_bits: u8,
    /// Let the server's compressor go on from message to message; default false. Small messages
    /// become much shorter, for [`deflate_context_bytes`](super::deflate_context_bytes) per
    /// connection at the server.
    pub server_context_takeover: bool,
    /// Let the client's compressor go on from message to message; default false. It costs
    /// [`INFLATE_CONTEXT_BYTES`](super::INFLATE_CONTEXT_BYTES) per connection at the server.
    pub client_context_takeover: bool,
    /// Memory for takeover. When it is used up, connections do without; default 64 MiB.
    pub contexts: ContextBudget,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self {
            level: 1,
            threshold_bytes: 512,
            server_max_window_bits: WINDOW_BITS_MAX,
            server_context_takeover: false,
            client_context_takeover: false,
            contexts: ContextBudget::new(limits::CONTEXT_BYTES_MAX),
        }
    }
}

impl DeflateConfig {
    fn server_bits(&self) -> u8 {
        self.server_max_window_bits
            .clamp(DEFLATE_BITS_MIN, WINDOW_BITS_MAX)
    }

    /// How this configuration sends to a peer that allows windows of `window_bits`.
    #[inline]
    #[must_use]
    pub fn form(&self, window_bits: u8) -> DeflateForm {
        DeflateForm {
            window_bits,
            level: self.level.clamp(1, 9),
            threshold_bytes: self.threshold_bytes.min(u32::MAX as usize) as u32,
        }
    }

    /// A server's answer to an offer (section 7.1), and what comes of it. There is always one:
    /// whatever the offer leaves open may be declined by the answer.
    pub(crate) fn accept(&self, offer: &DeflateParams) -> (DeflateParams, Agreement) {
        let bits = self
            .server_bits()
            .min(offer.server_max_window_bits.unwrap_or(WINDOW_BITS_MAX));
        let contexts = Contexts {
            send: (self.server_context_takeover && !offer.server_no_context_takeover)
                .then(|| SendContext::new(&self.contexts, bits))
                .flatten(),
            receive: (self.client_context_takeover && !offer.client_no_context_takeover)
                .then(|| ReceiveContext::new(&self.contexts))
                .flatten(),
        };
        let restricted = offer.server_max_window_bits.is_some() || bits < WINDOW_BITS_MAX;
        let answer = DeflateParams {
            server_no_context_takeover: contexts.send.is_none(),
            client_no_context_takeover: contexts.receive.is_none(),
            server_max_window_bits: restricted.then_some(bits),
            // Our decompressor takes the same memory for every window.
            client_max_window_bits: None,
        };
        let agreement = Agreement {
            send_bits: bits,
            contexts,
        };
        (answer, agreement)
    }

    /// A client's offer, and the contexts that are set aside in case the server takes all of it.
    pub(crate) fn offer(&self) -> (DeflateParams, Contexts) {
        let contexts = Contexts {
            send: self
                .client_context_takeover
                .then(|| SendContext::new(&self.contexts, WINDOW_BITS_MAX))
                .flatten(),
            receive: self
                .server_context_takeover
                .then(|| ReceiveContext::new(&self.contexts))
                .flatten(),
        };
        let offer = DeflateParams {
            server_no_context_takeover: contexts.receive.is_none(),
            client_no_context_takeover: contexts.send.is_none(),
            server_max_window_bits: Some(self.server_bits()).filter(|&bits| bits < WINDOW_BITS_MAX),
            client_max_window_bits: Some(WINDOW_BITS_MAX),
        };
        (offer, contexts)
    }
}

/// What both ends have agreed on, as one of them needs to know it.
#[derive(Debug)]
pub(crate) struct Agreement {
    /// Largest window that the peer allows us.
    pub(crate) send_bits: u8,
    pub(crate) contexts: Contexts,
}

impl Agreement {
    /// What a client makes of the answer to its offer.
    pub(crate) fn of_answer(answer: &DeflateParams, mut contexts: Contexts) -> Self {
        if answer.client_no_context_takeover {
            contexts.send = None;
        }
        if answer.server_no_context_takeover {
            contexts.receive = None;
        }
        Self {
            send_bits: answer.client_max_window_bits.unwrap_or(WINDOW_BITS_MAX),
            contexts,
        }
    }
}

/// How compressed messages are made: equal forms give equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateForm {
    window_bits: u8,
    level: u8,
    threshold_bytes: u32,
}

impl DeflateForm {
    /// Whether a message of this length is compressed at all. A window that the compressor does not
    /// know leaves none.
    #[inline]
    #[must_use]
    pub const fn applies_to(self, payload_bytes: usize) -> bool {
        payload_bytes >= self.threshold_bytes as usize && self.window_bits >= DEFLATE_BITS_MIN
    }

    /// The longest payload that is sent as it is.
    pub(crate) const fn plain_bytes_max(self) -> usize {
        if self.window_bits >= DEFLATE_BITS_MIN {
            (self.threshold_bytes as usize).saturating_sub(1)
        } else {
            usize::MAX
        }
    }

    pub(super) fn new_stream(self) -> Compress {
        let level = Compression::new(u32::from(self.level));
        Compress::new_with_window_bits(level, false, self.window_bits)
    }
}

/// The compressors that all connections of a reactor share: one for each window and level in use,
/// made when it is first needed.
#[derive(Debug, Default)]
pub struct Deflaters {
    /// At most 63, since there are 7 windows and 9 levels; in practice one or two.
    streams: Vec<(u8, u8, Compress)>,
    pub(crate) scratch: Vec<u8>,
}

impl Deflaters {
    /// Compresses `payload` by itself, if that makes it shorter.
    pub(crate) fn compress(&mut self, form: DeflateForm, payload: &[u8]) -> Option<&[u8]> {
        let known = self
            .streams
            .iter()
            .position(|&(bits, level, _)| (bits, level) == (form.window_bits, form.level));
        let at = known.unwrap_or_else(|| {
            self.streams
                .push((form.window_bits, form.level, form.new_stream()));
            self.streams.len() - 1
        });
        let stream = &mut self.streams[at].2;
        stream.reset();
        deflate(stream, payload, payload.len(), &mut self.scratch)
    }

    /// Gives back what a large message has left behind.
    #[inline]
    pub(crate) fn trim(&mut self) {
        trim(&mut self.scratch);
    }
}

/// Compresses `payload` into `scratch`, up to a flush and without its tail (section 7.2.1); `None`
/// if it did not become shorter than `bytes_end`. The stream's window has moved on in both cases.
pub(super) fn deflate<'a>(
    stream: &mut Compress,
    payload: &[u8],
    bytes_end: usize,
    scratch: &'a mut Vec<u8>,
) -> Option<&'a [u8]> {
    scratch.clear();
    // What does not compress grows by an eighth at most: level 1 writes nine bits for some bytes.
    scratch.reserve(payload.len() + payload.len() / 8 + FLUSH_BYTES);
    let mut input = payload;
    loop {
        let before = stream.total_in();
        stream
            .compress_vec(input, scratch, FlushCompress::Sync)
            .ok()?;
        input = &input[(stream.total_in() - before) as usize..];
        // A flush is taken to its end even if its result will not be used: a stream of zlib-rs 0.6
        // that is reset before that loses a part of its own buffer, and in the end panics for want
        // of it.
        if scratch.len() < scratch.capacity() {
            break;
        }
        scratch.reserve(scratch.len() / 8 + FLUSH_BYTES);
    }
    let shorter = scratch.strip_suffix(&TAIL)?;
    (shorter.len() < bytes_end).then_some(shorter)
}

/// The decompressor that all connections of a reactor share, and the buffer that the inflated
/// message of one of them stands in while it is handed up.
#[derive(Debug, Default)]
pub struct Inflater {
    /// Made when it is first needed.
    pub(super) shared: SharedInflate,
    pub(super) scratch: Vec<u8>,
}

impl Inflater {
    /// Gives back what a large message has left behind.
    #[inline]
    pub(crate) fn trim(&mut self) {
        trim(&mut self.scratch);
    }
}

#[derive(Debug, Default)]
pub(super) struct SharedInflate(Option<Box<Decompress>>);

/// Where one connection's messages are inflated: with its own context or the shared one.
pub(crate) enum InflateWith<'s> {
    Shared(&'s mut SharedInflate),
    Own(&'s mut ReceiveContext),
}

/// A decompressor and the buffer that its output is borrowed from.
pub(crate) struct Inflate<'s, 'a> {
    pub(super) with: InflateWith<'s>,
    pub(super) scratch: &'a mut Vec<u8>,
}

impl<'a> Inflate<'_, 'a> {
    /// The message that `payload` is the compressed form of (section 7.2.2).
    ///
    /// # Errors
    /// `BadDeflate`; `FrameTooLarge` as soon as the output is longer than `bytes_max`.
    pub(super) fn run(
        self,
        payload: &[u8],
        bytes_max: usize,
    ) -> Result<&'a mut [u8], ProtocolError> {
        match self.with {
            InflateWith::Shared(shared) => {
                let stream = shared.0.get_or_insert_with(|| Box::new(new_inflate()));
                stream.reset(false);
                inflate(stream, false, payload, bytes_max, self.scratch)
            }
            InflateWith::Own(context) => context.inflate(payload, bytes_max, self.scratch),
        }
    }
}

/// A decompressor for every window, since a larger one than the peer's does no harm.
pub(super) fn new_inflate() -> Decompress {
    Decompress::new_with_window_bits(false, WINDOW_BITS_MAX)
}

/// Inflates one message into `scratch`. With `takeover` the stream is left open for the next one.
pub(super) fn inflate<'a>(
    stream: &mut Decompress,
    takeover: bool,
    payload: &[u8],
    bytes_max: usize,
    scratch: &'a mut Vec<u8>,
) -> Result<&'a mut [u8], ProtocolError> {
    scratch.clear();
    let mut output = Output { scratch, bytes_max };
    let mut ended = output.take_in(stream, payload)?;
    if !ended {
        let tail: &[u8] = if takeover { &TAIL } else { &TAIL_AND_END };
        ended = output.take_in(stream, tail)?;
        if !ended && !takeover {
            return Err(ProtocolError::BadDeflate);
        }
    }
    if ended {
        stream.reset(false);
    }
    Ok(scratch)
}

struct Output<'a> {
    scratch: &'a mut Vec<u8>,
    bytes_max: usize,
}

impl Output<'_> {
    /// Inflates all of `input`; true if the stream ends with it.
    ///
    /// A stream that ends before that is followed by another one (section 7.2.3.5). That begins
    /// with an empty window, for whoever ends a stream has no way to go on with it.
    fn take_in(
        &mut self,
        stream: &mut Decompress,
        mut input: &[u8],
    ) -> Result<bool, ProtocolError> {
        loop {
            if self.scratch.len() == self.scratch.capacity() {
                let left = self.bytes_max.saturating_add(1) - self.scratch.len();
                let step = self.scratch.len().max(STEP_BYTES_MIN).min(left);
                self.scratch.reserve_exact(step);
            }
            let before = stream.total_in();
            let status = stream
                .decompress_vec(input, self.scratch, FlushDecompress::None)
                .map_err(|_| ProtocolError::BadDeflate)?;
            input = &input[(stream.total_in() - before) as usize..];
            if self.scratch.len() > self.bytes_max {
                return Err(ProtocolError::FrameTooLarge(self.scratch.len() as u64));
            }
            if status == Status::StreamEnd {
                if input.is_empty() {
                    return Ok(true);
                }
                stream.reset(false);
            } else if self.scratch.len() < self.scratch.capacity() {
                // There was room for more, so everything that could be inflated has been.
                return if input.is_empty() {
                    Ok(false)
                } else {
                    Err(ProtocolError::BadDeflate)
                };
            }
        }
    }
}

#[inline]
fn trim(scratch: &mut Vec<u8>) {
    if scratch.capacity() > SCRATCH_BYTES_KEPT {
        *scratch = Vec::new();
    }
}

#[cfg(test)]
mod tests;
