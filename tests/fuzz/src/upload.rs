//! Requests whose bodies are handed up in pieces decode to the same whatever pieces they come in,
//! keep to their limits, and the file is the same in them, raw or in a form.
//!
//! The first two bytes are the lengths of the pieces, in turn; the rest is the stream.

use std::sync::LazyLock;

use module::attachment::fuzz::Form;
use network::codec::http::{HttpCodec, HttpConfig, Request, StreamedRequests};
use network::codec::{Codec, Decoded, Frame, ProtocolError};

use crate::form::{File, push};
use crate::pieces::{Step, cut, feed};

/// Small, so that short inputs reach the limits, but with room for what browsers send.
static CONFIG: LazyLock<HttpConfig> = LazyLock::new(|| HttpConfig {
    head_bytes_max: 1024,
    headers_max: 16,
    target_bytes_max: 64,
    body_bytes_max: 64,
    streamed: vec![StreamedRequests {
        method: "POST",
        path: "/up".to_owned(),
        body_bytes_max: BODY_BYTES_MAX,
    }],
});
const BODY_BYTES_MAX: u64 = 1024;
/// What waits in front of a piece of a body, at most: trailers that are not whole.
const WAITING_BYTES_MAX: usize = 4096;

/// See above.
pub fn check(input: &[u8]) {
    let Some((sizes, wire)) = input.split_first_chunk::<2>() else {
        return;
    };
    assert_eq!(feed(cut(wire, sizes), decoder()), feed([wire], decoder()));
}

fn decoder() -> impl FnMut(&mut [u8]) -> Result<Step<String>, ProtocolError> {
    let mut codec = HttpCodec::new();
    let mut body = None;
    move |input| {
        let waiting = input.len();
        let (consumed, unit) = match codec.decode(&CONFIG, input)? {
            Decoded::Partial => {
                assert!(body.is_none() || waiting < WAITING_BYTES_MAX);
                return Ok(Step::Partial);
            }
            Decoded::Skip(taken) => (taken, None),
            Decoded::Frame { consumed, frame } => match frame {
                Frame::Request(request) => (consumed, Some(format!("{request:?}"))),
                Frame::RequestHead(request) => {
                    let begun = body.replace(Upload::begin(&request));
                    assert!(begun.is_none(), "one body at a time");
                    (consumed, Some(format!("{request:?}")))
                }
                Frame::RequestBody(part) => {
                    let upload: &mut Upload = body.as_mut().expect("a head before it");
                    upload.take(part.bytes);
                    assert!(part.last || !part.bytes.is_empty());
                    let whole = if part.last { body.take() } else { None };
                    let unit = whole.map(|upload| format!("{:?}", upload.finish()));
                    (consumed, unit)
                }
                other => panic!("{other:?}"),
            },
        };
        if let Some(upload) = &mut body {
            upload.progress += codec.take_progress();
            assert_eq!(upload.progress, upload.bytes);
        }
        Ok(unit.map_or(Step::Skip(consumed), |unit| Step::Unit(consumed, unit)))
    }
}

/// What has come of a body.
#[derive(Debug)]
struct Upload {
    form: Option<Form>,
    raw: Vec<u8>,
    outcome: Result<(), String>,
    bytes: u64,
    progress: u64,
}

impl Upload {
    fn begin(head: &Request<'_>) -> Self {
        let content_type = head.headers.get("content-type").unwrap_or_default();
        Self {
            form: Form::of(content_type),
            raw: Vec::new(),
            outcome: Ok(()),
            bytes: 0,
            progress: 0,
        }
    }

    fn take(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        assert!(self.bytes <= BODY_BYTES_MAX);
        match &mut self.form {
            Some(form) if self.outcome.is_ok() => self.outcome = push(form, piece),
            Some(_) => {}
            None => self.raw.extend_from_slice(piece),
        }
    }

    /// The file, and what the body came to.
    fn finish(self) -> (File, Result<(), String>) {
        match self.form {
            Some(form) => {
                let outcome = self.outcome.and_then(|()| form.finish());
                ((form.name, form.data), outcome)
            }
            None => ((None, self.raw), Ok(())),
        }
    }
}
