//! Requests for static files: a path finds the file of its name or none, and a part of a file is a
//! part of it, as its `content-range` says.
//!
//! The input is a request from its target on.

use std::sync::LazyLock;

use gate::Files;
use gate::fuzz::Folder;
use network::codec::{Codec, Decoded, Frame, http};

static BODY: &[u8] = b"0123456789abcdef";

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    Folder::new(
        Files::new()
            .with_file("index.html", BODY)
            .with_file("a b/\u{e9}.txt", BODY)
            .with_file("sub/index.html", BODY)
            .with_file("empty", &b""[..]),
    )
});

/// See above.
pub fn check(input: &[u8]) {
    let mut wire = b"GET /".to_vec();
    wire.extend_from_slice(input);
    let decoded = http::HttpCodec::new().decode(&http::HttpConfig::default(), &mut wire);
    let Ok(Decoded::Frame {
        frame: Frame::Request(request),
        ..
    }) = decoded
    else {
        return;
    };
    let Some(response) = FOLDER.answer(&request) else {
        return;
    };
    let field = |name: &str| {
        let mut values = response
            .headers()
            .iter()
            .filter(|(known, _)| *known == name);
        let value = values.next().map(|(_, value)| &**value);
        assert!(values.next().is_none(), "{name} twice");
        value
    };
    for (_, value) in response.headers() {
        assert!(
            !value.bytes().any(|byte| byte.is_ascii_control()),
            "{value:?}"
        );
    }
    match response.status() {
        200 => assert!([BODY, b""].contains(&&response.body()[..])),
        206 => {
            let place = field("content-range").expect("says which part it is");
            let (range, of) = place
                .strip_prefix("bytes ")
                .and_then(|place| place.split_once('/'))
                .expect("bytes first-last/of");
            let (first, last) = range.split_once('-').expect("first-last");
            let [first, last, of] =
                [first, last, of].map(|n| n.parse::<usize>().expect("a number"));
            assert_eq!(of, BODY.len());
            assert_eq!(response.body()[..], BODY[first..=last]);
        }
        301 => assert!(
            field("location")
                .expect("leads somewhere")
                .starts_with("/sub")
        ),
        304 => assert!(response.body().is_empty()),
        400 | 412 => {}
        416 => assert!(field("content-range").is_some()),
        other => panic!("{other}"),
    }
}
