//! Defaults and maxima. Relations between them are checked where they are defined.

/// Bytes of the one read buffer that all connections of a reactor share.
pub const READ_BUF_BYTES: usize = 256 * 1024;
/// Bytes of an unfinished frame that may be moved in front of the next read; longer ones are
/// collected in a buffer of their own.
pub const READ_HEADROOM_BYTES: usize = 64 * 1024;
/// Largest message that a listener takes by default, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Most fragments of one WebSocket message.
pub const FRAGMENTS_MAX: u32 = 1 << 20;
/// Largest HTTP request head, in bytes.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most header fields of a request.
pub const HEADERS_MAX: usize = 64;
/// Largest request target, in bytes.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;
/// Largest HTTP request body by default, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Most bytes that wait for one connection by default.
pub const OUTBOX_BYTES_MAX: usize = 1024 * 1024;
/// Most bytes that the contexts of WebSocket compression take together by default.
pub const CONTEXT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Seconds until the first complete frame, or the upgrade.
pub const HANDSHAKE_SECONDS: u32 = 15;
/// Seconds from the first byte of a frame to its last.
pub const FRAME_SECONDS: u32 = 30;
/// Seconds without a sign of life until a session is asked for one, and then again until it is
/// closed.
pub const IDLE_SECONDS: u32 = 60;
/// Seconds that a peer has to answer a close.
pub const CLOSE_SECONDS: u32 = 5;
/// Seconds until a session must be logged in, where a login is asked for.
pub const AUTH_SECONDS: u32 = 15;
/// Events that may wait for one worker.
pub const MAILBOX_EVENTS_MAX: usize = 65_536;
/// Batches of commands that may wait for one reactor.
pub const COMMAND_BATCHES_MAX: usize = 1024;

const _: () = {
    assert!(READ_HEADROOM_BYTES * 2 <= READ_BUF_BYTES);
    assert!(HEAD_BYTES_MAX < READ_HEADROOM_BYTES);
    assert!(TARGET_BYTES_MAX < HEAD_BYTES_MAX);
    assert!(CLOSE_SECONDS > 0 && HANDSHAKE_SECONDS > 0 && FRAME_SECONDS > 0);
};
