//! From a readable socket to frames: read until the kernel has no more or the budget is used up,
//! decode what came, keep what is left.

use std::io;

use common::limits::READ_HEADROOM_BYTES;
use common::{CloseReason, ConnId, Tick};

use super::Flags;
use super::state::State;
use crate::buffer::ReadBuf;
use crate::codec::http::{BodyPart, CONTINUE};
use crate::codec::ws::{Inflater, Opcode};
use crate::codec::{Decoded, Frame, Payload};
use crate::memory::Pressure;
use crate::reactor::{Ctx, Ending, Handler, LastInput, Messages, Net};
use crate::sys;
use crate::transport;

/// Serves one connection that may have input, and accounts for what it then holds of it.
///
/// Nearly all that come by here are calm and have sent whole frames: this is their way, short and
/// with nothing to account for. The others go the long one.
#[inline]
pub(crate) fn serve<H: Handler>(net: &mut Net, handler: &mut H, buf: &mut ReadBuf, id: ConnId) {
    let Some(conn) = net.conns.get_mut(id) else {
        return;
    };
    if !conn.is_calm() || net.pressure == Pressure::Full {
        let budget = net.read_bytes_per_turn;
        serve_in_long(net, handler, buf, id, budget);
        return;
    }
    if !conn.flags.has(Flags::READABLE) {
        return;
    }
    let area = buf.area();
    let room = area.len();
    let read = sys::recv(&conn.stream, area);
    net.stats.reads.add(1);
    match read {
        Ok(n) if n > 0 => {
            // A short read has emptied the socket: whatever comes later makes an edge of its own.
            if n < room {
                conn.flags.clear(Flags::READABLE);
            }
            conn.heard = net.now;
            net.stats.bytes_in.add(n as u64);
            let (bytes, inflater) = buf.parts(n);
            let mut taken = take_together(net, handler, id, bytes);
            if taken.bytes < n {
                let more = decode(net, handler, inflater, id, &mut bytes[taken.bytes..]);
                taken.bytes += more.bytes;
                taken.frames += more.frames;
                keep(net, id, taken, |left| bytes[left..].to_vec(), n);
                account(net, id, 0);
            }
            if n == room {
                let budget = net.read_bytes_per_turn.saturating_sub(n);
                serve_in_long(net, handler, buf, id, budget);
            }
        }
        read => on_nothing(net, handler, id, read),
    }
}

/// Serves a connection of which anything may be true.
#[inline(never)]
fn serve_in_long<H: Handler>(
    net: &mut Net,
    handler: &mut H,
    buf: &mut ReadBuf,
    id: ConnId,
    budget: usize,
) {
    let before = net.conns.get(id).map_or(0, |conn| conn.input_bytes());
    read(net, handler, buf, id, budget);
    account(net, id, before);
}

/// Accounts for what the connection holds of its input, which was `before` bytes.
fn account(net: &mut Net, id: ConnId, before: usize) {
    let Some(conn) = net.conns.get_mut(id) else {
        return;
    };
    if conn.is_mid_input() {
        conn.flags.set(Flags::MID_INPUT);
    } else {
        conn.flags.clear(Flags::MID_INPUT);
    }
    let after = conn.input_bytes();
    if after != before {
        net.input_bytes = net.input_bytes + after - before;
        net.settle_memory();
    }
}

fn read<H: Handler>(
    net: &mut Net,
    handler: &mut H,
    buf: &mut ReadBuf,
    id: ConnId,
    mut budget: usize,
) {
    loop {
        let Some(conn) = net.conns.get_mut(id) else {
            return;
        };
        let hears = conn.state.hears() || conn.state == State::Greeting;
        if net.pressure == Pressure::Full && hears {
            net.carry(id.slot());
            return;
        }
        if conn.flags.has(Flags::UNSEEN) && !conn.is_blocked() {
            conn.flags.clear(Flags::UNSEEN);
            decode_spill(net, handler, &mut buf.inflater, id, &[]);
            continue;
        }
        if !conn.flags.has(Flags::READABLE) || !conn.state.reads() {
            return;
        }
        if conn.state.hears() && conn.is_blocked() {
            return;
        }
        if budget == 0 {
            net.stats.carried.add(1);
            net.carry(id.slot());
            return;
        }
        let area = buf.area();
        net.stats.reads.add(1);
        // What a connection that drains still sends is discarded, sealed or not.
        if conn.flags.has(Flags::WRAPPED) && !matches!(conn.state, State::Draining(_)) {
            let Some(input) = transport::read(net, handler, area, id) else {
                return;
            };
            budget = budget.saturating_sub(input.read);
            net.stats.bytes_in.add(input.read as u64);
            if input.plain > 0 {
                on_bytes(net, handler, buf, id, input.plain);
            }
            if input.ended {
                on_end(net, handler, id);
                return;
            }
            continue;
        }
        match sys::recv(&conn.stream, area) {
            Ok(n) if n > 0 => {
                // Here the end of the stream may have come in the same edge as these bytes.
                if n < area.len() && !conn.flags.has(Flags::ENDING) {
                    conn.flags.clear(Flags::READABLE);
                }
                budget = budget.saturating_sub(n);
                net.stats.bytes_in.add(n as u64);
                on_bytes(net, handler, buf, id, n);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => {
                on_nothing(net, handler, id, read);
                return;
            }
        }
    }
}

/// A read has brought no bytes.
#[cold]
fn on_nothing<H: Handler>(net: &mut Net, handler: &mut H, id: ConnId, read: io::Result<usize>) {
    let Some(conn) = net.conns.get_mut(id) else {
        return;
    };
    match read {
        Ok(_) => {
            conn.flags.clear(Flags::READABLE);
            on_end(net, handler, id);
        }
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock => conn.flags.clear(Flags::READABLE),
            io::ErrorKind::Interrupted => net.carry(id.slot()),
            _ => net.finish(id, CloseReason::Io),
        },
    }
}

/// `n` new bytes lie in the area of `buf`.
fn on_bytes<H: Handler>(net: &mut Net, handler: &mut H, buf: &mut ReadBuf, id: ConnId, n: usize) {
    let Some(conn) = net.conns.get_mut(id) else {
        return;
    };
    conn.heard = net.now;
    if matches!(conn.state, State::Draining(_)) {
        return;
    }
    if conn.spill.len() > READ_HEADROOM_BYTES {
        let (area, inflater) = buf.parts(n);
        decode_spill(net, handler, inflater, id, area);
        return;
    }
    let spill = conn.spill.take();
    let (bytes, inflater) = buf.joined(&spill, n);
    let taken = decode(net, handler, inflater, id, bytes);
    keep(net, id, taken, |left| bytes[left..].to_vec(), bytes.len());
}

/// Decodes what the spill holds, followed by `more`.
fn decode_spill<H: Handler>(
    net: &mut Net,
    handler: &mut H,
    inflater: &mut Inflater,
    id: ConnId,
    more: &[u8],
) {
    let Some(conn) = net.conns.get_mut(id) else {
        return;
    };
    let mut bytes = conn.spill.take();
    bytes.extend_from_slice(more);
    let taken = decode(net, handler, inflater, id, &mut bytes);
    let length = bytes.len();
    keep(
        net,
        id,
        taken,
        |left| {
            bytes.drain(..left);
            bytes
        },
        length,
    );
}

/// What a run over a slice of input took.
#[derive(Default)]
struct Taken {
    bytes: usize,
    frames: u32,
}

/// Keeps the bytes behind those taken, and the time since when a unit is unfinished.
fn keep(
    net: &mut Net,
    id: ConnId,
    taken: Taken,
    rest: impl FnOnce(usize) -> Vec<u8>,
    length: usize,
) {
    let now = net.now;
    let Some(conn) = net.conns.get_mut(id) else {
        return;
    };
    if conn.flags.has(Flags::MUTE) {
        return;
    }
    if taken.bytes < length {
        conn.spill.keep(rest(taken.bytes));
    } else if !conn.stack.mid_frame() {
        if conn.state.is_open() {
            conn.since = Tick::default();
        }
        return;
    }
    if conn.state.is_open() && (taken.frames > 0 || conn.since == Tick::default()) {
        conn.since = now;
        net.schedule(id.slot());
    }
}

/// Hands up the messages at the front of `bytes`, and writes at once what answers them.
#[inline]
fn take_together<H: Handler>(
    net: &mut Net,
    handler: &mut H,
    id: ConnId,
    bytes: &mut [u8],
) -> Taken {
    if !net.cork(id) {
        return Taken::default();
    }
    let mut messages = Messages::new(id, bytes);
    handler.on_messages(&mut Ctx { net }, id, &mut messages);
    let taken = Taken {
        bytes: messages.bytes_taken(),
        frames: messages.count(),
    };
    net.stats.frames_in.add(u64::from(taken.frames));
    net.write_corked();
    taken
}

/// Hands up the messages at the front of `bytes` that need nothing but to be unwrapped.
#[inline]
fn take_whole<H: Handler>(net: &mut Net, handler: &mut H, id: ConnId, bytes: &mut [u8]) -> Taken {
    let mut taken = Taken::default();
    while taken.bytes < bytes.len()
        && let Some(conn) = net.conns.get_mut(id)
        && conn.state.is_open()
        && !conn.is_blocked()
    {
        let config = &net.profiles[usize::from(conn.profile)].stack;
        let rest = &mut bytes[taken.bytes..];
        let Some((consumed, kind, payload)) = conn.stack.decode_whole(config, rest) else {
            break;
        };
        taken.bytes += consumed;
        taken.frames += 1;
        net.stats.frames_in.add(1);
        let frame = Frame::message(kind, Payload::Borrowed(payload));
        handler.on_frame(&mut Ctx { net }, id, frame);
    }
    taken
}

/// Decodes frames from the front of `bytes` and hands them up, until the rest is partial, the
/// connection is blocked, or it ends.
#[inline(never)]
fn decode<H: Handler>(
    net: &mut Net,
    handler: &mut H,
    inflater: &mut Inflater,
    id: ConnId,
    bytes: &mut [u8],
) -> Taken {
    let mut at = 0;
    let mut frames = 0;
    loop {
        let usual = take_whole(net, handler, id, &mut bytes[at..]);
        at += usual.bytes;
        frames += usual.frames;
        if at == bytes.len() {
            break;
        }
        let Some(conn) = net.conns.get_mut(id) else {
            break;
        };
        if conn.state.hears() {
            if conn.is_blocked() {
                conn.flags.set(Flags::UNSEEN);
                return Taken { bytes: at, frames };
            }
        } else if !matches!(conn.state, State::AwaitClose(_)) {
            break;
        }
        let config = &net.profiles[usize::from(conn.profile)].stack;
        match conn.stack.decode(config, inflater, &mut bytes[at..]) {
            Ok(Decoded::Partial) => {
                if conn.stack.take_continue() {
                    conn.outbox
                        .append(&mut net.pool, |out| out.extend_from_slice(CONTINUE));
                    net.mark_dirty(id.slot());
                }
                return Taken { bytes: at, frames };
            }
            Ok(Decoded::Skip(n)) => at += n,
            Ok(Decoded::Frame { consumed, frame }) => {
                at += consumed;
                // Each piece of a body does not begin its time anew.
                let goes_on = matches!(&frame, Frame::RequestBody(part) if !part.last);
                frames += u32::from(!goes_on);
                on_frame(net, handler, id, frame);
            }
            Err(error) => {
                let last = LastInput::Violation(error);
                let heard = conn.state.hears();
                if heard && handler.on_last(&mut Ctx { net }, id, last) == Ending::Later {
                    net.mute(id);
                } else {
                    net.fail(id, error);
                }
                break;
            }
        }
    }
    Taken {
        bytes: bytes.len(),
        frames,
    }
}

#[inline]
fn on_frame<H: Handler>(net: &mut Net, handler: &mut H, id: ConnId, frame: Frame<'_>) {
    let Some(conn) = net.conns.get_mut(id) else {
        return;
    };
    if !conn.state.hears() {
        // Our close is on its way: only the answer to it is awaited.
        if let Frame::Close(close) = frame {
            net.on_peer_close(id, close.map(|close| close.code));
        }
        return;
    }
    match frame {
        Frame::Ping(payload) => {
            // Without room for the pong the connection has just been dealt with by its policy.
            let _ = net.control(id, Opcode::Pong, payload);
            net.stats.pongs.add(1);
            return;
        }
        Frame::Close(close) => {
            net.on_peer_close(id, close.map(|close| close.code));
            return;
        }
        Frame::Request(_) => conn.flags.set(Flags::ANSWERING),
        Frame::RequestHead(_) => conn.flags.set(Flags::HELD),
        Frame::RequestBody(BodyPart { last, .. }) => {
            let waits_for = if last { Flags::ANSWERING } else { Flags::HELD };
            conn.flags.set(waits_for);
        }
        Frame::Text(_) | Frame::Binary(_) | Frame::Pong(_) | Frame::Upgraded => {}
    }
    if conn.state == State::Opening {
        conn.enter(State::Open, &net.stats);
        conn.since = Tick::default();
        // The idle time may be shorter than what is left of the handshake's.
        net.schedule(id.slot());
    }
    net.stats.frames_in.add(1);
    handler.on_frame(&mut Ctx { net }, id, frame);
}

/// The peer has ended its side of the stream.
fn on_end<H: Handler>(net: &mut Net, handler: &mut H, id: ConnId) {
    let Some(conn) = net.conns.get_mut(id) else {
        return;
    };
    let unfinished = !conn.spill.is_empty()
        || conn.stack.mid_frame()
        || (conn.flags.has(Flags::WRAPPED) && net.transports.is_mid_unit(id.slot()));
    match conn.state {
        State::Greeting if unfinished => net.finish(id, CloseReason::Truncated),
        State::Greeting => net.finish(id, CloseReason::PeerEof),
        State::Opening | State::Open if conn.flags.has(Flags::ANSWERING) => {
            // The request is with the handler; its answer still goes out, and then the end.
            conn.stack.forget_keep_alive();
        }
        State::Opening | State::Open if unfinished => net.finish(id, CloseReason::Truncated),
        State::Open if conn.stack.is_tcp() => {
            // A script that pipes its requests ends its side at once, and reads the replies then.
            conn.flags.set(Flags::PEER_DONE);
            if handler.on_last(&mut Ctx { net }, id, LastInput::End) == Ending::Later {
                net.mute(id);
            } else {
                net.end(id, LastInput::End);
            }
        }
        State::Opening | State::Open => {
            conn.flags.set(Flags::PEER_DONE);
            conn.enter(State::Flushing(CloseReason::PeerEof), &net.stats);
            net.expect_end(id.slot());
            net.mark_dirty(id.slot());
        }
        State::AwaitClose(reason) | State::Flushing(reason) | State::Draining(reason) => {
            net.finish(id, reason);
        }
        State::Connecting | State::Closed(_) => {}
    }
}
