//! A server's answer to our upgrade, with what it says of extensions: an answer that is accepted
//! is accepted at its last byte and not before, and accepts nothing that was not offered.
//!
//! The first byte is what we offer; the rest is the answer.

use network::codec::ws::DeflateParams;
use network::codec::ws::handshake::ClientHandshake;

/// The nonce of the example in RFC 6455 section 1.3; its answer is in the dictionary of seeds.
const NONCE: [u8; 16] = *b"the sample nonce";

/// See above.
pub fn check(input: &[u8]) {
    let Some((&offered, answer)) = input.split_first() else {
        return;
    };
    let offer = (offered & 1 == 1).then(|| DeflateParams {
        server_no_context_takeover: offered & 2 != 0,
        client_no_context_takeover: offered & 4 != 0,
        server_max_window_bits: (offered & 8 != 0).then_some(9 + (offered >> 5)),
        client_max_window_bits: (offered & 16 != 0).then_some(15),
    });
    let handshake = match offer {
        Some(offer) => ClientHandshake::new(NONCE).offering(offer),
        None => ClientHandshake::new(NONCE),
    };
    let Ok(Some(accepted)) = handshake.decode(answer) else {
        return;
    };
    assert!(answer[..accepted.bytes].ends_with(b"\n"));
    assert_eq!(
        handshake.decode(&answer[..accepted.bytes]),
        Ok(Some(accepted))
    );
    for cut in 0..accepted.bytes {
        assert_eq!(handshake.decode(&answer[..cut]), Ok(None), "cut at {cut}");
    }
    let Some(deflate) = accepted.deflate else {
        return;
    };
    let offer = offer.expect("accepted and never offered");
    assert!(deflate.server_no_context_takeover || !offer.server_no_context_takeover);
    assert!(
        deflate.server_max_window_bits.unwrap_or(15) <= offer.server_max_window_bits.unwrap_or(15)
    );
    assert!(deflate.client_max_window_bits.is_none() || offer.client_max_window_bits.is_some());
}
