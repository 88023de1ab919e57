//! A message on its way to many.

use bytes::Bytes;
use common::TopicId;
use network::codec::{EncodeError, MessageKind, WireForm};
use network::{Ctx, Delivery, Overflow};
use parking_lot::Mutex;

use crate::held::hold;

/// A payload and its kind: what a module sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Text or binary.
    pub kind: MessageKind,
    /// The bytes.
    pub payload: Bytes,
    /// How it is treated if its receiver reads too slowly; by default as the listener says.
    pub delivery: Delivery,
}

impl Message {
    /// A message of this kind.
    #[must_use]
    pub fn new(kind: MessageKind, payload: impl Into<Bytes>) -> Self {
        Self {
            kind,
            payload: payload.into(),
            delivery: Delivery::default(),
        }
    }

    /// A text message.
    #[must_use]
    pub fn text(payload: impl Into<Bytes>) -> Self {
        Self::new(MessageKind::Text, payload)
    }

    /// A binary message.
    #[must_use]
    pub fn binary(payload: impl Into<Bytes>) -> Self {
        Self::new(MessageKind::Binary, payload)
    }

    /// Sets what happens where an outbox has no room for it, in place of the listener's policy.
    #[must_use]
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.delivery.overflow = Some(overflow);
        self
    }

    /// Says what it stands for: of waiting messages under [`Overflow::Latest`] the latest of each
    /// key is kept. A published message without a key has that of its topic.
    #[must_use]
    pub const fn key(mut self, key: u64) -> Self {
        self.delivery.key = key;
        self
    }
}

/// A message that is encoded once for each wire form in use, whatever number of reactors and
/// receivers there are.
#[derive(Debug)]
pub(crate) struct Prepared {
    message: Message,
    /// Taken once per reactor, publish and form, not per receiver.
    encoded: Mutex<Vec<(WireForm, Result<Bytes, EncodeError>)>>,
}

impl Prepared {
    pub(crate) const fn new(message: Message) -> Self {
        Self {
            message,
            encoded: Mutex::new(Vec::new()),
        }
    }

    /// A message to the subscribers of a topic, which is its key if it has none.
    pub(crate) const fn of_topic(topic: TopicId, mut message: Message) -> Self {
        if message.delivery.key == 0 {
            message.delivery.key = topic.0;
        }
        Self::new(message)
    }

    #[cfg(feature = "fuzz")]
    pub(crate) const fn message(&self) -> &Message {
        &self.message
    }

    pub(crate) const fn payload_bytes(&self) -> usize {
        self.message.payload.len()
    }

    pub(crate) const fn delivery(&self) -> Delivery {
        self.message.delivery
    }

    /// The message as it stands on the wire; encoded by the first who asks.
    pub(crate) fn wire(&self, ctx: &mut Ctx<'_>, form: WireForm) -> Result<Bytes, EncodeError> {
        let form = form.for_length(self.message.payload.len());
        let mut encoded = self.encoded.lock();
        if let Some((_, bytes)) = encoded.iter().find(|(known, _)| *known == form) {
            return bytes.clone();
        }
        let bytes = ctx
            .encode(form, self.message.kind, &self.message.payload)
            .map(|bytes| hold(bytes, ctx.memory()));
        encoded.push((form, bytes.clone()));
        bytes
    }
}

/// One reactor's own copies of a prepared message, so that the counts of references that a
/// fan-out moves stay on one core.
#[derive(Debug, Default)]
pub(crate) struct LocalForms(Vec<(WireForm, Option<Bytes>)>);

impl LocalForms {
    #[inline]
    pub(crate) fn get(
        &mut self,
        ctx: &mut Ctx<'_>,
        prepared: &Prepared,
        form: WireForm,
    ) -> Option<Bytes> {
        if let Some((_, bytes)) = self.0.iter().find(|(known, _)| *known == form) {
            return bytes.clone();
        }
        let bytes = prepared
            .wire(ctx, form)
            .ok()
            .map(|bytes| hold(Bytes::copy_from_slice(&bytes), ctx.memory()));
        self.0.push((form, bytes.clone()));
        bytes
    }
}
