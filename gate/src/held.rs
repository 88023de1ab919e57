//! Bytes on their way, counted for as long as anyone holds them.

use std::sync::Arc;

use bytes::Bytes;
use network::MemoryBudget;
use network::codec::http::Response;

/// A piece of a body or a message to many, and the node's memory that it is accounted to: queues,
/// jobs of other threads and any number of outboxes may hold it, and it counts once.
struct Held {
    bytes: Bytes,
    memory: Arc<MemoryBudget>,
}

/// The same bytes, accounted for until the last owner lets them go.
pub(crate) fn hold(bytes: Bytes, memory: &Arc<MemoryBudget>) -> Bytes {
    memory.take(bytes.len());
    Bytes::from_owner(Held {
        bytes,
        memory: Arc::clone(memory),
    })
}

/// The same answer, its body accounted for: a long one is queued by reference, and may wait for a
/// client that does not read for as long as it likes.
pub(crate) fn hold_body(response: Response, memory: &Arc<MemoryBudget>) -> Response {
    response.map_body(|body| match body.is_empty() {
        true => body,
        false => hold(body, memory),
    })
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_counts_until_its_last_owner_is_gone() {
        let memory = Arc::new(MemoryBudget::new(1 << 20));
        let piece = hold(Bytes::from_static(b"0123456789"), &memory);
        let part = piece.slice(3..5);
        assert_eq!(memory.used(), 10);
        drop(piece);
        assert_eq!((&*part, memory.used()), (&b"34"[..], 10));
        drop(part);
        assert_eq!(memory.used(), 0);
    }
}
