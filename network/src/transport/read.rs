//! From the socket to the codec.

use std::io;

use common::{CloseReason, ConnId};

use super::proxy;
use super::{Transport, Transports};
use crate::codec::Framing;
use crate::conn::Flags;
use crate::conn::state::State;
use crate::listener::REFUSED;
use crate::reactor::{Admission, Ctx, Handler, Net, Offer};
use crate::sys;
use crate::tls::Tls;
use crate::tls::session::Session;

/// What one read gave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Input {
    /// Bytes taken from the socket.
    pub(crate) read: usize,
    /// Bytes for the codec, at the front of the area.
    pub(crate) plain: usize,
    /// The peer has ended its side.
    pub(crate) ended: bool,
}

/// Reads once and takes in what came; `area` gets what is for the codec. `None` if there is no
/// reason to read again now.
#[inline(never)]
pub(crate) fn read<H: Handler>(
    net: &mut Net,
    handler: &mut H,
    area: &mut [u8],
    id: ConnId,
) -> Option<Input> {
    let transport = net.transports.at(id.slot())?;
    if transport.awaits_header {
        return read_header(net, handler, area, id);
    }
    read_records(net, handler, area, id)
}

/// Looks for the header of a proxy.
///
/// It stays with the kernel until it is whole, so that nothing is kept of a part of it and nothing
/// behind it is touched; each byte that is added makes an event.
fn read_header<H: Handler>(
    net: &mut Net,
    handler: &mut H,
    area: &mut [u8],
    id: ConnId,
) -> Option<Input> {
    let conn = net.conns.get_mut(id)?;
    let area = &mut area[..proxy::HEADER_BYTES_MAX];
    let seen = match conn.stream.peek(area) {
        Ok(seen) => seen,
        Err(error) => return stop(net, id, &error),
    };
    if seen == 0 {
        conn.flags.clear(Flags::READABLE);
        let ended = true;
        return Some(Input {
            ended,
            ..Input::default()
        });
    }
    match proxy::parse(&area[..seen]) {
        Ok(Some(header)) => match sys::recv(&conn.stream, &mut area[..header.bytes]) {
            Ok(read) => {
                on_header(net, handler, id, header);
                Some(Input {
                    read,
                    ..Input::default()
                })
            }
            Err(error) => stop(net, id, &error),
        },
        Ok(None) if conn.flags.has(Flags::ENDING) => {
            net.finish(id, CloseReason::Truncated);
            None
        }
        Ok(None) => {
            conn.flags.clear(Flags::READABLE);
            None
        }
        Err(proxy::NoHeader) => {
            tracing::debug!(conn = %id, "no PROXY protocol header");
            net.abort(id, CloseReason::BadProtocol);
            None
        }
    }
}

fn on_header<H: Handler>(net: &mut Net, handler: &mut H, id: ConnId, header: proxy::Header) {
    let Some(transport) = net.transports.at(id.slot()) else {
        return;
    };
    transport.awaits_header = false;
    let Some(offer) = transport.offer.as_deref() else {
        return;
    };
    let named = Offer {
        peer: header.client.unwrap_or(offer.peer),
        proxy: Some(offer.peer),
        ..*offer
    };
    if handler.on_named(&mut Ctx { net }, named) == Admission::Refuse {
        refuse(net, id);
        return;
    }
    let Some(transport) = net.transports.at(id.slot()) else {
        return;
    };
    transport.peer = Some(named.peer);
    transport.offer = Some(Box::new(named));
    if net.profiles[usize::from(named.profile)].tls.is_none() {
        if let Some(conn) = net.conns.get_mut(id) {
            conn.flags.clear(Flags::WRAPPED);
        }
        announce(net, handler, id);
    }
}

/// There is no room for whom the proxy speaks for.
fn refuse(net: &mut Net, id: ConnId) {
    let Some(conn) = net.conns.get_mut(id) else {
        return;
    };
    net.stats.refused.add(1);
    net.stats.profiles[usize::from(conn.profile)].refused.add(1);
    let profile = &net.profiles[usize::from(conn.profile)];
    if profile.framing != Framing::Http || profile.tls.is_some() {
        net.abort(id, CloseReason::TooManyConnections);
        return;
    }
    conn.flags.clear(Flags::WRAPPED);
    conn.outbox
        .append(&mut net.pool, |out| out.extend_from_slice(REFUSED));
    conn.enter(State::Flushing(CloseReason::TooManyConnections), &net.stats);
    net.expect_end(id.slot());
    net.mark_dirty(id.slot());
}

/// Reads records and opens them.
fn read_records<H: Handler>(
    net: &mut Net,
    handler: &mut H,
    area: &mut [u8],
    id: ConnId,
) -> Option<Input> {
    let conn = net.conns.get_mut(id)?;
    let tls = net.profiles[usize::from(conn.profile)].tls.as_ref()?;
    let Transports {
        slots,
        buffers,
        steps_left,
        sessions,
        ..
    } = &mut net.transports;
    let transport = slots.get_mut(id.slot() as usize)?.as_deref_mut()?;
    let session = transport.session.as_ref();
    let handshaking = session.is_none_or(Session::is_handshaking);
    if handshaking && *steps_left == 0 {
        // Those who are connected come first.
        net.carry(id.slot());
        return None;
    }

    buffers.prepare();
    let partial = session.map_or(&[][..], Session::partial);
    let kept = partial.len();
    buffers.sealed[..kept].copy_from_slice(partial);
    let free = &mut buffers.sealed[kept..];
    let read = match sys::recv(&conn.stream, free) {
        Ok(read) => read,
        Err(error) => return stop(net, id, &error),
    };
    // As with plain sockets, a short read has emptied this one.
    if read == 0 || (read < free.len() && !conn.flags.has(Flags::ENDING)) {
        conn.flags.clear(Flags::READABLE);
    }
    if read == 0 {
        let ended = true;
        return Some(Input {
            ended,
            ..Input::default()
        });
    }
    let first = transport.session.is_none();
    if first {
        transport.begun_ms = net.now_ms;
    }
    let begun_ms = transport.begun_ms;
    let session = match begun(transport, tls) {
        Ok(session) => {
            *sessions += usize::from(first);
            session
        }
        Err(error) => {
            tracing::warn!(conn = %id, %error, "cannot begin a TLS session");
            net.finish(id, CloseReason::TlsFailed);
            return None;
        }
    };
    let records = &mut buffers.sealed[..kept + read];
    let opened = session.open(records, area, &mut buffers.seals.scratch);
    if handshaking && opened.as_ref().map_or(true, |opened| opened.stepped) {
        *steps_left -= 1;
    }
    let established = handshaking && !session.is_handshaking();
    let pending = session.has_pending();
    match opened {
        Ok(opened) => {
            if pending {
                net.mark_dirty(id.slot());
            }
            if established {
                let took_ms = net.now_ms.saturating_sub(begun_ms);
                net.stats.tls_handshakes.add(1);
                net.stats.tls_handshake_time.record(took_ms * 1_000_000);
                announce(net, handler, id);
            }
            Some(Input {
                read,
                plain: opened.plain,
                ended: opened.ended,
            })
        }
        Err(error) => {
            net.fail_tls(id, &error);
            Some(Input {
                read,
                ..Input::default()
            })
        }
    }
}

/// The session, which begins with the first bytes.
fn begun<'a>(transport: &'a mut Transport, tls: &Tls) -> Result<&'a mut Session, rustls::Error> {
    let session = match transport.session.take() {
        Some(session) => session,
        None => Session::new(tls)?,
    };
    Ok(transport.session.insert(session))
}

/// The transport is ready: the handler learns that the connection is there.
fn announce<H: Handler>(net: &mut Net, handler: &mut H, id: ConnId) {
    let Some(conn) = net.conns.get_mut(id) else {
        return;
    };
    conn.enter(State::Opening, &net.stats);
    let offer = match net.transports.take_offer(id.slot()) {
        Some(offer) => offer,
        None => {
            // If it has gone by now, the next read says so.
            let Ok(peer) = conn.stream.peer_addr() else {
                return;
            };
            let profile = conn.profile;
            net.begin_client(id);
            Offer {
                peer,
                profile,
                proxy: None,
            }
        }
    };
    handler.on_open(&mut Ctx { net }, id, offer);
}

/// What an unsuccessful read means; there is no reason to read again unless it was interrupted.
fn stop(net: &mut Net, id: ConnId, error: &io::Error) -> Option<Input> {
    match error.kind() {
        io::ErrorKind::Interrupted => return Some(Input::default()),
        io::ErrorKind::WouldBlock => {
            if let Some(conn) = net.conns.get_mut(id) {
                conn.flags.clear(Flags::READABLE);
            }
        }
        _ => net.finish(id, CloseReason::Io),
    }
    None
}
