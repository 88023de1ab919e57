//! The native JSON protocol: whatever clients send, each message has one reply, which bears its id,
//! and every message of ours is JSON of the documented forms. Behind the message for which a
//! session is closed nothing has a reply.
//!
//! The input is messages, one a line; the first byte of each says which of three sessions sends it,
//! and a line with nothing else closes that session.

use common::SessionId;
use gate::fuzz::{Said, Stage};
use gate::{CloseReason, MessageKind, Module};
use module::adapter::native::Native;
use module::{Im, ImConfig};
use serde_json::Value;

/// See above.
pub fn check(input: &[u8]) {
    let mut stage = Stage::new();
    let mut native = Native::new(Im::inline(ImConfig::default()).expect("a store in memory"));
    let mut ended = [false; 3];
    for line in input.split(|&byte| byte == b'\n').take(64) {
        let Some((&who, text)) = line.split_first() else {
            continue;
        };
        let session = SessionId::new(0, u32::from(who % 3), 1);
        let ended = &mut ended[usize::from(who % 3)];
        if text.is_empty() {
            *ended = false;
            let said = stage.perform(|context| {
                native.on_close(context, session, CloseReason::PeerEof);
            });
            look_at(&said);
            continue;
        }
        let said = stage.perform(|context| {
            let envelope = gate::fuzz::envelope(session, MessageKind::Text, text);
            native.on_message(context, envelope);
        });
        look_at(&said);
        let replies: Vec<_> = said
            .iter()
            .filter_map(|said| reply_to(session, said))
            .collect();
        if *ended {
            assert!(replies.is_empty(), "a reply behind the end");
            continue;
        }
        *ended = said.iter().any(|said| match said {
            Said::Closed(of, why) => *of == session && *why == CloseReason::BadProtocol,
            _ => false,
        });
        let [reply] = &replies[..] else {
            panic!(
                "{} replies to {:?}",
                replies.len(),
                text.escape_ascii().to_string()
            );
        };
        let request: Option<Value> = serde_json::from_slice(text).ok();
        // Fields that no operation knows are passed over and not looked at, so what stands in them
        // need not be UTF-8.
        let Some(request) = request else {
            continue;
        };
        let id = request.get("id");
        if let Some(answered) = reply.get("id").filter(|id| !id.is_null()) {
            assert_eq!(Some(answered), id, "the id of another request");
        }
    }
}

/// The reply to this session in what was said, if it is one.
fn reply_to(session: SessionId, said: &Said) -> Option<Value> {
    let Said::Sent(to, message) = said else {
        return None;
    };
    let value: Value = serde_json::from_slice(&message.payload).expect("JSON");
    (*to == session && value.get("push").is_none()).then_some(value)
}

fn look_at(said: &[Said]) {
    for said in said {
        let (Said::Sent(_, message) | Said::Published(message)) = said else {
            continue;
        };
        let value: Value = serde_json::from_slice(&message.payload).expect("JSON");
        let push = value.get("push").is_some() && value.get("data").is_some();
        let outcomes = ["ok", "error"]
            .iter()
            .filter(|name| value.get(**name).is_some())
            .count();
        assert!(
            push || (value.get("id").is_some() && outcomes == 1),
            "{value}"
        );
        if let Some(error) = value.get("error") {
            assert!(
                error["code"].is_string() && error["message"].is_string(),
                "{value}"
            );
        }
    }
}
