//! Requests by the rules of RFC 9112, every split of them, and properties of the codec.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A request without its borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    method: String,
    target: String,
    host: Option<String>,
    minor_version: u8,
    keep_alive: bool,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Owned {
    fn of(request: &Request<'_>) -> Self {
        Self {
            method: request.method.to_owned(),
            target: request.target.to_owned(),
            host: request.host.map(str::to_owned),
            minor_version: request.minor_version,
            keep_alive: request.keep_alive,
            headers: request
                .headers
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_vec()))
                .collect(),
            body: request.body.to_vec(),
        }
    }
}

/// What a stream came to: the requests in order, and the error or the bytes at the end of it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    requests: Vec<Owned>,
    end: Result<Vec<u8>, ProtocolError>,
}

/// Feeds pieces as a connection does: what is left over goes in front of what comes next.
fn feed<'p>(config: &HttpConfig, pieces: impl IntoIterator<Item = &'p [u8]>) -> Outcome {
    let mut codec = HttpCodec::new();
    let mut buffer = Vec::new();
    let mut requests = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let bytes = buffer.len();
            let taken = match codec.decode(config, &mut buffer) {
                Ok(Decoded::Partial) => break,
                Ok(Decoded::Skip(taken)) => taken,
                Ok(Decoded::Frame {
                    consumed,
                    frame: Frame::Request(request),
                }) => {
                    requests.push(Owned::of(&request));
                    consumed
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => {
                    return Outcome {
                        requests,
                        end: Err(error),
                    };
                }
            };
            assert!(0 < taken && taken <= bytes);
            assert!(!codec.mid_frame());
            buffer.drain(..taken);
        }
    }
    Outcome {
        requests,
        end: Ok(buffer),
    }
}

/// Decodes `wire` whole, byte by byte and cut in two at every place; all must come to the same.
fn decode_with(config: &HttpConfig, wire: &[u8]) -> Outcome {
    let whole = feed(config, [wire]);
    assert_eq!(
        feed(config, wire.chunks(1)),
        whole,
        "byte by byte: {}",
        wire.escape_ascii()
    );
    for cut in 0..wire.len() {
        let (front, back) = wire.split_at(cut);
        assert_eq!(
            feed(config, [front, back]),
            whole,
            "cut at {cut}: {}",
            wire.escape_ascii()
        );
    }
    whole
}

fn decode(wire: impl AsRef<[u8]>) -> Outcome {
    decode_with(&HttpConfig::default(), wire.as_ref())
}

/// The one request that `wire` is.
#[track_caller]
fn request(wire: impl AsRef<[u8]>) -> Owned {
    let mut outcome = decode(wire);
    assert_eq!(outcome.end, Ok(Vec::new()));
    assert_eq!(outcome.requests.len(), 1);
    outcome.requests.remove(0)
}

/// The error that `wire` is, without a request before it.
#[track_caller]
fn error_with(config: &HttpConfig, wire: impl AsRef<[u8]>) -> ProtocolError {
    let outcome = decode_with(config, wire.as_ref());
    assert_eq!(outcome.requests, []);
    outcome.end.expect_err("an error")
}

#[track_caller]
fn error(wire: impl AsRef<[u8]>) -> ProtocolError {
    error_with(&HttpConfig::default(), wire)
}

/// A POST with these lines behind the Host.
fn post(lines: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}")
}

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

#[test]
fn a_request_whole() {
    let request = request(
        "POST /v1/send?to=7 HTTP/1.1\r\nHost: a.example:80\r\nX-Empty:\r\nx-blank:  b \t\r\n\
         Content-Length: 5\r\n\r\nhello",
    );
    assert_eq!(
        request,
        Owned {
            method: "POST".to_owned(),
            target: "/v1/send?to=7".to_owned(),
            host: Some("a.example:80".to_owned()),
            minor_version: 1,
            keep_alive: true,
            headers: vec![
                ("Host".to_owned(), b"a.example:80".to_vec()),
                ("X-Empty".to_owned(), Vec::new()),
                ("x-blank".to_owned(), b"b".to_vec()),
                ("Content-Length".to_owned(), b"5".to_vec()),
            ],
            body: b"hello".to_vec(),
        }
    );
}

#[test]
fn requests_in_a_row() {
    let wire = [
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n",
        &post("Content-Length: 2\r\n", "{}"),
        &chunked("2\r\nab\r\n0\r\n\r\n"),
        "\r\n\r\nGET /4 HTTP/1.0\r\n\r\n",
        "GET /5 HT",
    ]
    .concat();
    let outcome = decode(&wire);
    let bodies: Vec<&[u8]> = outcome
        .requests
        .iter()
        .map(|request| &request.body[..])
        .collect();
    assert_eq!(bodies, [&b""[..], b"{}", b"ab", b""]);
    assert_eq!(outcome.end, Ok(b"GET /5 HT".to_vec()));
}

#[test]
fn a_head_that_does_not_parse() {
    for wire in [
        "\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: nameless\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx: \0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx\0: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx: \x7f\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\t HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\rHTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx\ty: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx: a\r\n\tContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx: a\rContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nx: a\nContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\n\u{e9}: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\r\nHost: a\r\n\r\n",
        "GET\r\n\r\n",
        "/ HTTP/1.1\r\n\r\n",
        "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert_eq!(
            error(wire),
            ProtocolError::BadHead,
            "{}",
            wire.escape_debug()
        );
    }
}

#[test]
fn versions() {
    for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.0"] {
        let wire = format!("GET / {version}\r\nHost: a\r\n\r\n");
        assert_eq!(error(wire), ProtocolError::BadVersion, "{version}");
    }
    for version in ["http/1.1", "HTTP/1", "HTTP/11", "HTTP/1.10", "HTTX/1.1"] {
        let wire = format!("GET / {version}\r\nHost: a\r\n\r\n");
        assert_eq!(error(wire), ProtocolError::BadHead, "{version}");
    }
    // The preface of HTTP/2 with prior knowledge (RFC 9113 section 3.4).
    assert_eq!(
        error("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ProtocolError::BadVersion
    );
}

#[test]
fn hosts() {
    for lines in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost: b\r\n",
        "Host: a, b\r\n",
        "Host: a b\r\n",
        "Host: a,b\r\n",
        "Host: user@a\r\n",
        "Host: a/b\r\n",
        "Host: a?b\r\n",
        "Host: a#b\r\n",
        "Host: http://a\r\n",
        "Host: a:b\r\n",
        "Host: a:1:2\r\n",
        "Host: ::1\r\n",
        "Host: [::1\r\n",
        "Host: [::1]a\r\n",
        "Host: []\r\n",
        "Host: [a/b]\r\n",
        "Host: \u{e9}\r\n",
    ] {
        let wire = format!("GET / HTTP/1.1\r\n{lines}\r\n");
        assert_eq!(
            error(wire),
            ProtocolError::BadHost,
            "{}",
            lines.escape_debug()
        );
    }
    for (lines, host) in [
        ("Host:\r\n", ""),
        ("HOST: [::1]:80\r\n", "[::1]:80"),
        ("X: a\r\nhost: a_b.example:\r\n", "a_b.example:"),
        ("Host: 127.0.0.1:8080\r\n", "127.0.0.1:8080"),
    ] {
        let request = request(format!("GET / HTTP/1.1\r\n{lines}\r\n"));
        assert_eq!(request.host.as_deref(), Some(host));
    }
    assert_eq!(request("GET / HTTP/1.0\r\n\r\n").host, None);
    let twice = "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n";
    assert_eq!(error(twice), ProtocolError::BadHost);
}

#[test]
fn targets() {
    for (method, sent, target) in [
        ("GET", "/", "/"),
        ("GET", "/a%20b?c=d&e", "/a%20b?c=d&e"),
        ("GET", "/?next=http://b/", "/?next=http://b/"),
        ("GET", "/%F0%9F%92%AC", "/%F0%9F%92%AC"),
        ("GET", "/?100%", "/?100%"),
        ("GET", "//a/b", "//a/b"),
        ("GET", "http://a/b?c", "/b?c"),
        ("GET", "HTTPS://a:8443", "/"),
        ("GET", "http://[::1]:80/", "/"),
        ("GET", "http://a?b", "?b"),
        ("OPTIONS", "*", "*"),
        ("OPTIONS", "http://a", "*"),
        ("OPTIONS", "http://a/", "/"),
    ] {
        let request = request(format!("{method} {sent} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(request.target, target);
    }
    for (method, target) in [
        ("GET", "*"),
        ("GET", "a.example:443"),
        ("GET", "b/c"),
        ("GET", "?b"),
        ("GET", "http:///b"),
        ("GET", "://a/b"),
        ("GET", "1x://a/b"),
        ("GET", "a/b://c"),
        ("GET", "ftp://a/b"),
        ("GET", "http:/a/b"),
        ("GET", "http://:80/"),
        ("GET", "http://user@a/"),
        ("GET", "http://a:b/"),
        ("GET", "http://a b/"),
        ("POST", "*"),
        ("OPTIONS", "*a"),
        ("GET", "/#a"),
        ("GET", "/?a#b"),
        ("GET", "/\u{fc}"),
        ("GET", "/?\u{fc}"),
        ("GET", "/%"),
        ("GET", "/%2"),
        ("GET", "/%2x"),
        ("GET", "/%2?0"),
        ("GET", "/a%00b"),
        ("GET", "http://a/%zz"),
    ] {
        let wire = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let wrong = match target.contains(' ') {
            true => ProtocolError::BadHead,
            false => ProtocolError::BadTarget,
        };
        assert_eq!(error(wire), wrong, "{target}");
    }
    for target in ["a.example:443", "*", "/", "http://a/"] {
        let wire = format!("CONNECT {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(error(wire), ProtocolError::NoTunnel, "{target}");
    }
}

/// RFC 9112 section 3.2.2: the authority of the target counts, and the Host field does not; but
/// there must be one.
#[test]
fn the_host_of_an_absolute_target_wins() {
    let wire = "GET http://b.example:81/x HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(request(wire).host.as_deref(), Some("b.example:81"));
    let hostless = "GET http://b.example/ HTTP/1.1\r\n\r\n";
    assert_eq!(error(hostless), ProtocolError::BadHost);
    let old = "GET http://b.example/ HTTP/1.0\r\n\r\n";
    assert_eq!(request(old).host.as_deref(), Some("b.example"));
}

#[test]
fn methods_are_handed_up_as_they_came() {
    for method in ["get", "PATCH", "M-SEARCH", "TRACE", "x"] {
        let wire = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(request(wire).method, method);
    }
}

#[test]
fn expectations() {
    for lines in [
        "Expect: 200-ok\r\n",
        "Expect: 100-continue, more\r\n",
        "Expect: 100-continue\r\nExpect: x\r\n",
        "Expect: 100-continue;q=1\r\n",
    ] {
        let wire = post(&format!("{lines}Content-Length: 1\r\n"), "");
        assert_eq!(error(wire), ProtocolError::BadExpectation, "{lines}");
    }
    for lines in [
        "Expect: 100-Continue\r\n",
        "Expect: 100-continue, 100-continue,\r\n",
        "Expect:\r\n",
    ] {
        request(post(lines, ""));
    }
    request("PUT / HTTP/1.0\r\nExpect: x\r\n\r\n");
    // The size is known before the body has been asked for.
    let large = post("Expect: 100-continue\r\nContent-Length: 11\r\n", "");
    assert_eq!(error_with(&WIDE, large), ProtocolError::BodyTooLarge);
}

#[test]
fn paths_and_queries() {
    for (target, path, query) in [
        ("/a?b=c?d", "/a", "b=c?d"),
        ("/a", "/a", ""),
        ("/a?", "/a", ""),
        ("?b", "/", "b"),
    ] {
        let request = Request {
            method: "GET",
            target,
            host: None,
            minor_version: 1,
            keep_alive: true,
            headers: Headers::default(),
            body: Payload::Borrowed(&mut []),
        };
        assert_eq!((request.path(), request.query()), (path, query));
    }
}

#[test]
fn headers() {
    let headers = Headers::from_checked(b"A: 1\r\nb: x , Upgrade\r\nB:y\r\nC: \xff\r\n");
    assert_eq!(headers.get("a"), Some("1"));
    assert_eq!(headers.get("C"), None);
    assert_eq!(headers.get("D"), None);
    assert_eq!(headers.count("b"), 2);
    assert!(headers.has_token("B", "upgrade") && headers.has_token("B", "Y"));
    assert!(!headers.has_token("B", "up"));
}

#[test]
fn persistence() {
    for (minor_version, lines, keep_alive) in [
        (1, "", true),
        (1, "Connection: close\r\n", false),
        (1, "Connection: x, CLOSE\r\n", false),
        (1, "Connection: Upgrade\r\n", true),
        (1, "Connection: keep-alive\r\nConnection: close\r\n", false),
        (0, "", false),
        (0, "Connection: Keep-Alive\r\n", true),
        (0, "Connection: keep-alive, close\r\n", false),
    ] {
        let wire = format!("GET / HTTP/1.{minor_version}\r\nHost: a\r\n{lines}\r\n");
        assert_eq!(
            request(wire).keep_alive,
            keep_alive,
            "{minor_version} {lines}"
        );
    }
}

#[test]
fn content_lengths() {
    for lines in [
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\ncontent-length: 2\r\n",
        "Content-Length: 1, 1\r\n",
        "Content-Length: 1,\r\n",
        "Content-Length: ,1\r\n",
        "Content-Length: 1;\r\n",
        "Content-Length: \"1\"\r\n",
        "Content-Length: 1e0\r\n",
        "Content-Length: 1_0\r\n",
        "Content-Length:\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x1\r\n",
        "Content-Length: 1 1\r\n",
        "Content-Length: 1.0\r\n",
        "Content-Length: \u{661}\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 1\r\n",
    ] {
        let wire = post(lines, "x");
        assert_eq!(
            error(wire),
            ProtocolError::BadContentLength,
            "{}",
            lines.escape_debug()
        );
    }
    assert_eq!(request(post("Content-Length: 0\r\n", "")).body, b"");
    assert_eq!(
        request(post("Content-Length: 0003\r\n", "abc")).body,
        b"abc"
    );
    assert_eq!(
        request("PUT / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc").body,
        b"abc"
    );
    assert_eq!(
        request("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx").body,
        b"x"
    );
}

#[test]
fn transfer_encodings() {
    for lines in [
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked, gzip, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: , chunked\r\n",
        "Transfer-Encoding: gzip chunked\r\n",
        "Transfer-Encoding: gzip;q=1, chunked\r\n",
        "Transfer-Encoding: gzip, xchunked\r\n",
        "Transfer-Encoding: chunked\u{a0}\r\n",
        "Transfer-Encoding: 'chunked'\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let wire = post(lines, "0\r\n\r\n");
        assert_eq!(
            error(wire),
            ProtocolError::BadTransferEncoding,
            "{}",
            lines.escape_debug()
        );
    }
    for lines in [
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: deflate,gzip ,\tCHUNKED\r\n",
    ] {
        let unknown = ProtocolError::UnknownTransferCoding;
        assert_eq!(error(post(lines, "0\r\n\r\n")), unknown, "{lines}");
    }
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(error(old), ProtocolError::BadTransferEncoding);
    assert_eq!(
        request(post(
            "transfer-encoding:\tChunKed \r\n",
            "1\r\nx\r\n0\r\n\r\n"
        ))
        .body,
        b"x"
    );
}

#[test]
fn chunks() {
    for (chunks, body) in [
        ("0\r\n\r\n", ""),
        ("000\r\n\r\n", ""),
        ("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"),
        ("00A\r\n0123456789\r\n1\r\n\n\r\n0\r\n\r\n", "0123456789\n"),
        ("5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
        ("1;a=b;c=\"d;e\"\r\nx\r\n0;f\r\n\r\n", "x"),
        ("1 \t;a\r\nx\r\n0\r\n\r\n", "x"),
        ("1\r\nx\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n", "x"),
    ] {
        let request = request(chunked(chunks));
        assert_eq!(request.body, body.as_bytes(), "{}", chunks.escape_debug());
        assert_eq!(request.headers.len(), 2);
    }
    for chunks in [
        "\r\n",
        ";a\r\n",
        "x\r\n",
        "-1\r\nx\r\n",
        "+1\r\nx\r\n",
        "0x1\r\nx\r\n",
        " 1\r\nx\r\n",
        "1 \r\nx\r\n",
        "1 1\r\nx\r\n",
        "1\nx\r\n",
        "1;a\nx\r\n",
        "1;\ra\r\nx\r\n",
        "1;\0\r\nx\r\n",
        "1\r\nxy\r\n",
        "1\r\nx\n0",
        "1\r\nx\r\r",
    ] {
        assert_eq!(
            error(chunked(chunks)),
            ProtocolError::BadChunk,
            "{}",
            chunks.escape_debug()
        );
    }
    for chunks in [
        "0\r\nx\r\n\r\n",
        "0\r\n x: a\r\n\r\n",
        "0\r\nx: a\n\r\n",
        "0\r\n\n",
        "0\r\nx: \0\r\n\r\n",
    ] {
        assert_eq!(
            error(chunked(chunks)),
            ProtocolError::BadHead,
            "{}",
            chunks.escape_debug()
        );
    }
}

const SMALL: HttpConfig = HttpConfig {
    head_bytes_max: 80,
    headers_max: 3,
    target_bytes_max: 20,
    body_bytes_max: 10,
    streamed: Vec::new(),
};

/// Small bodies, heads as long as they like.
const WIDE: HttpConfig = HttpConfig {
    body_bytes_max: 10,
    head_bytes_max: 200,
    headers_max: 10,
    target_bytes_max: 100,
    streamed: Vec::new(),
};

#[test]
fn head_limits() {
    let head = |blanks: usize| {
        let filler = " ".repeat(blanks);
        format!("GET / HTTP/1.1\r\nHost: a\r\nX:{filler}\r\n\r\n")
    };
    let spare = SMALL.head_bytes_max - head(0).len();
    assert_eq!(
        decode_with(&SMALL, head(spare).as_bytes()).requests.len(),
        1
    );
    assert_eq!(
        error_with(&SMALL, head(spare + 1)),
        ProtocolError::HeadTooLarge
    );
    assert_eq!(
        error_with(&SMALL, &head(100)[..80]),
        ProtocolError::HeadTooLarge
    );

    let fields = |count: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "A:\r\n".repeat(count)
        )
    };
    assert_eq!(decode_with(&SMALL, fields(2).as_bytes()).requests.len(), 1);
    assert_eq!(error_with(&SMALL, fields(3)), ProtocolError::HeadTooLarge);
    assert_eq!(error(fields(64)), ProtocolError::HeadTooLarge);
    assert_eq!(request(fields(63)).headers.len(), 64);

    let target =
        |bytes: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(bytes - 1));
    assert_eq!(decode_with(&SMALL, target(20).as_bytes()).requests.len(), 1);
    assert_eq!(error_with(&SMALL, target(21)), ProtocolError::TargetTooLong);
    assert_eq!(
        error_with(&SMALL, target(100)),
        ProtocolError::TargetTooLong
    );
}

#[test]
fn body_limits() {
    let sized =
        |bytes: &str| format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n");
    let wire = sized("10") + "0123456789";
    assert_eq!(
        decode_with(&SMALL, wire.as_bytes()).requests[0].body,
        b"0123456789"
    );
    for bytes in ["11", "18446744073709551616", &"9".repeat(30)] {
        assert_eq!(
            error_with(&SMALL, sized(bytes)),
            ProtocolError::BodyTooLarge
        );
    }

    let wire = chunked("8\r\n01234567\r\n2\r\n89\r\n0\r\n\r\n");
    assert_eq!(
        decode_with(&SMALL, wire.as_bytes()).requests[0].body,
        b"0123456789"
    );
    for chunks in [
        "b\r\n",
        "8\r\n01234567\r\n3\r\n",
        "ffffffffffffffff\r\n",
        "10000000000000000\r\n",
    ] {
        assert_eq!(
            error_with(&SMALL, chunked(chunks)),
            ProtocolError::BodyTooLarge
        );
    }
}

/// The caller pays for what stands around the data as well.
#[test]
fn chunk_overhead_limits() {
    let extension = |bytes: usize| format!("0;{}\r\n\r\n", "x".repeat(bytes));
    request(chunked(&extension(252)));
    assert_eq!(error(chunked(&extension(253))), ProtocolError::BadChunk);
    assert_eq!(error(chunked(&"0".repeat(256))), ProtocolError::BadChunk);

    let padded = format!("1;{}\r\nx\r\n", "x".repeat(40));
    let wire = chunked(&(padded.repeat(2) + "0\r\n\r\n"));
    assert_eq!(error_with(&SMALL, wire), ProtocolError::BodyTooLarge);

    let trailer = |bytes: usize| format!("0\r\nX:{}\r\n\r\n", " ".repeat(bytes));
    assert_eq!(
        feed(&HttpConfig::default(), [chunked(&trailer(4090)).as_bytes()])
            .requests
            .len(),
        1
    );
    let wire = chunked(&trailer(4091));
    let outcome = feed(&HttpConfig::default(), [wire.as_bytes()]);
    assert_eq!(outcome.end, Err(ProtocolError::HeadTooLarge));
    assert_eq!(
        error_with(&SMALL, chunked("0\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n")),
        ProtocolError::HeadTooLarge
    );
}

/// Chunks are joined in the caller's buffer only once the request is complete, and the bytes of the
/// next request behind it stay as they are.
#[test]
fn bytes_behind_a_request_stay() {
    let wire = chunked("1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
    let mut partial = wire.as_bytes()[..wire.len() - 1].to_vec();
    let before = partial.clone();
    let mut codec = HttpCodec::new();
    assert!(matches!(
        codec.decode(&HttpConfig::default(), &mut partial),
        Ok(Decoded::Partial)
    ));
    assert_eq!(partial, before);

    let mut input = [wire.as_bytes(), b"GET /next"].concat();
    let decoded = codec.decode(&HttpConfig::default(), &mut input);
    let Ok(Decoded::Frame {
        consumed,
        frame: Frame::Request(request),
    }) = decoded
    else {
        panic!("{decoded:?}");
    };
    assert_eq!((&request.body[..], consumed), (&b"ab"[..], wire.len()));
    assert_eq!(&input[consumed..], b"GET /next");
}

#[test]
fn a_body_held_back() {
    let config = HttpConfig::default();
    let continues = |wire: &str| {
        let mut codec = HttpCodec::new();
        let mut input = wire.as_bytes().to_vec();
        codec.decode(&config, &mut input).unwrap();
        let due = codec.take_continue();
        assert!(!codec.take_continue(), "twice");
        due
    };
    let expect = "Expect: 100-continue\r\n";
    assert!(continues(&post(
        &format!("{expect}Content-Length: 1\r\n"),
        ""
    )));
    assert!(continues(&post(
        &format!("{expect}Transfer-Encoding: chunked\r\n"),
        ""
    )));
    assert!(!continues(&post(
        &format!("{expect}Transfer-Encoding: chunked\r\n"),
        "1"
    )));
    assert!(!continues(&post(
        &format!("{expect}Content-Length: 2\r\n"),
        "x"
    )));
    assert!(!continues(&post(
        &format!("{expect}Content-Length: 1\r\n"),
        "x"
    )));
    assert!(!continues(&post(
        &format!("{expect}Content-Length: 0\r\n"),
        ""
    )));
    assert!(!continues(&post(expect, "")));
    assert!(!continues(&post("Content-Length: 1\r\n", "")));
    assert!(!continues(&format!(
        "PUT / HTTP/1.0\r\n{expect}Content-Length: 1\r\n\r\n"
    )));
    assert!(!continues("PUT / HTTP/1.1\r\n"));
    // The body comes without waiting, before anyone has asked.
    let mut codec = HttpCodec::new();
    let mut input = post(&format!("{expect}Content-Length: 2\r\n"), "").into_bytes();
    codec.decode(&config, &mut input).unwrap();
    input.push(b'x');
    codec.decode(&config, &mut input).unwrap();
    assert!(!codec.take_continue());
}

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn encode_response(response: &Response, context: ResponseContext, out: &mut Vec<u8>) {
    encode_response_head(response, context, DATE, out);
    out.extend_from_slice(&response.sent_body(context));
}

fn encoded(response: &Response, context: ResponseContext) -> String {
    let mut out = Vec::new();
    encode_response(response, context, &mut out);
    String::from_utf8(out).unwrap()
}

const OPEN: ResponseContext = ResponseContext {
    keep_alive: true,
    head_only: false,
    minor_version: 1,
};

#[test]
fn responses() {
    let head = ResponseContext {
        head_only: true,
        ..OPEN
    };
    let old = ResponseContext {
        minor_version: 0,
        ..OPEN
    };
    let cases = [
        (
            Response::new(200),
            OPEN,
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            Response::json(200, "{}"),
            ResponseContext::CLOSING,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: 2\r\n\r\n{}",
        ),
        (
            Response::text(404, "no").with_header("x-a", String::from("b")),
            old,
            "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain; charset=utf-8\r\nx-a: b\r\n\
             connection: keep-alive\r\ncontent-length: 2\r\n\r\nno",
        ),
        (
            Response::html(200, "<p>"),
            head,
            "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\n\
             content-length: 3\r\n\r\n",
        ),
        (Response::new(204), OPEN, "HTTP/1.1 204 No Content\r\n\r\n"),
        (
            Response::text(304, "ignored"),
            OPEN,
            "HTTP/1.1 304 Not Modified\r\ncontent-type: text/plain; charset=utf-8\r\n\r\n",
        ),
        (
            Response::new(101).with_header("upgrade", "websocket"),
            OPEN,
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        ),
        (
            Response::new(426).with_header("Upgrade", "websocket"),
            ResponseContext::CLOSING,
            "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nconnection: upgrade, close\r\n\
             content-length: 0\r\n\r\n",
        ),
        (
            Response::new(299),
            OPEN,
            "HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n",
        ),
    ];
    for (response, context, expected) in cases {
        // The one field that they all have stands in front of those of the connection.
        let date = format!("date: {DATE}\r\n");
        let text = encoded(&response, context);
        assert_eq!(text.contains(&date), response.status() >= 200);
        assert_eq!(text.replacen(&date, "", 1), expected);
    }
}

#[test]
fn every_error_has_a_named_status() {
    for error in [
        ProtocolError::BadHead,
        ProtocolError::BadTarget,
        ProtocolError::NoTunnel,
        ProtocolError::BadExpectation,
        ProtocolError::UnknownTransferCoding,
        ProtocolError::TargetTooLong,
        ProtocolError::HeadTooLarge,
        ProtocolError::BodyTooLarge,
        ProtocolError::BadContentLength,
        ProtocolError::BadTransferEncoding,
        ProtocolError::BadChunk,
        ProtocolError::BadVersion,
        ProtocolError::BadHost,
    ] {
        assert_ne!(reason_phrase(error.http_status()), "", "{error}");
    }
}

#[test]
fn a_value_cannot_split_a_response() {
    let response = Response::new(302).with_header("location", "/a\r\nset-cookie: b\0\x7f\tc");
    assert_eq!(response.headers()[0].1, "/a  set-cookie: b   c");
}

#[test]
#[should_panic(expected = "a header name is a token")]
fn a_name_cannot_split_a_response() {
    // It panics, so nothing comes of it.
    let _ = Response::new(200).with_header("a: b\r\nc", "d");
}

#[test]
#[should_panic(expected = "the encoder's to write")]
fn framing_fields_are_the_encoders() {
    // The same.
    let _ = Response::new(200).with_header("Content-Length", "5");
}

#[test]
fn context_of_a_request() {
    let mut input = b"HEAD / HTTP/1.0\r\n\r\n".to_vec();
    let decoded = HttpCodec::new().decode(&HttpConfig::default(), &mut input);
    let Ok(Decoded::Frame {
        frame: Frame::Request(request),
        ..
    }) = decoded
    else {
        panic!("{decoded:?}");
    };
    let context = ResponseContext {
        keep_alive: false,
        head_only: true,
        minor_version: 0,
    };
    assert_eq!(ResponseContext::of(&request), context);
    // Not even a request, and yet one whose client expects no body.
    let refusing = ResponseContext::refusing(b"HEAD / HTTP/9");
    assert!(refusing.head_only && !refusing.keep_alive);
    assert_eq!(
        ResponseContext::refusing(b"HEADING"),
        ResponseContext::CLOSING
    );
}

/// Cuts `wire` at these places, in whatever order they come.
fn pieces<'w>(wire: &'w [u8], cuts: &[prop::sample::Index]) -> Vec<&'w [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
    cuts.sort_unstable();
    let mut from = 0;
    cuts.push(wire.len());
    cuts.into_iter()
        .map(|to| &wire[std::mem::replace(&mut from, to)..to])
        .collect()
}

fn any_cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    vec(any::<prop::sample::Index>(), 0..5)
}

/// A request, and whether its body is sent in chunks of this size.
fn any_request() -> impl Strategy<Value = (Owned, Option<usize>)> {
    let headers = vec(("x-[a-z0-9-]{1,8}", "([!-~]([ -~]{0,8}[!-~])?)?"), 0..4);
    let body = vec(any::<u8>(), 0..40);
    (
        "[A-Z]{1,8}",
        "/([!$&-~]|%[2-7][0-9A-F]){0,12}",
        headers,
        body,
        proptest::option::of(1..10_usize),
    )
        .prop_map(|(method, target, headers, body, chunk_bytes)| {
            let framing = match chunk_bytes {
                Some(_) => ("transfer-encoding".to_owned(), b"chunked".to_vec()),
                None => (
                    "content-length".to_owned(),
                    body.len().to_string().into_bytes(),
                ),
            };
            let headers = [("host".to_owned(), b"a".to_vec()), framing]
                .into_iter()
                .chain(
                    headers
                        .into_iter()
                        .map(|(name, value)| (name, value.into_bytes())),
                )
                .collect();
            let request = Owned {
                method,
                target,
                host: Some("a".to_owned()),
                minor_version: 1,
                keep_alive: true,
                headers,
                body,
            };
            (request, chunk_bytes)
        })
}

fn encode_request(request: &Owned, chunk_bytes: Option<usize>, wire: &mut Vec<u8>) {
    wire.extend_from_slice(
        format!("{} {} HTTP/1.1\r\n", request.method, request.target).as_bytes(),
    );
    for (name, value) in &request.headers {
        wire.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    wire.extend_from_slice(b"\r\n");
    let Some(chunk_bytes) = chunk_bytes else {
        return wire.extend_from_slice(&request.body);
    };
    for chunk in request.body.chunks(chunk_bytes) {
        wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        wire.extend_from_slice(&[chunk, b"\r\n"].concat());
    }
    wire.extend_from_slice(b"0\r\n\r\n");
}

/// Bits of requests, which put together at random come near to being one.
fn any_noise() -> impl Strategy<Value = Vec<u8>> {
    let bits = vec![
        "GET / HTTP/1.1\r\n",
        "POST /a HTTP/1.0\r\n",
        "Host: a\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "\r\n",
        "\r",
        "\n",
        " ",
        ":",
        "0\r\n",
        "3\r\n",
        "abc",
        ";",
        "\0",
    ];
    vec(prop::sample::select(bits), 0..20).prop_map(|bits| bits.concat().into_bytes())
}

proptest! {
    #[test]
    fn request_round_trip(sent in vec(any_request(), 1..4), cuts in any_cuts()) {
        let mut wire = Vec::new();
        for (request, chunk_bytes) in &sent {
            encode_request(request, *chunk_bytes, &mut wire);
        }
        let outcome = feed(&HttpConfig::default(), pieces(&wire, &cuts));
        let requests = sent.into_iter().map(|(request, _)| request).collect();
        prop_assert_eq!(outcome, Outcome { requests, end: Ok(Vec::new()) });
    }

    #[test]
    fn response_round_trip(
        status in 200..600_u16,
        value in any::<String>(),
        body in vec(any::<u8>(), 0..50),
        keep_alive: bool,
    ) {
        let response = Response::text(status, body.clone()).with_header("x-a", value);
        let context = ResponseContext { keep_alive, ..OPEN };
        let mut out = Vec::new();
        encode_response(&response, context, &mut out);

        let mut table = [httparse::EMPTY_HEADER; 8];
        let mut parsed = httparse::Response::new(&mut table);
        let httparse::Status::Complete(head_bytes) = parsed.parse(&out).unwrap() else {
            panic!("{}", out.escape_ascii());
        };
        prop_assert_eq!(parsed.code, Some(status));
        prop_assert_eq!(parsed.reason, Some(reason_phrase(status)));
        let (_, sent) = &response.headers()[1];
        prop_assert_eq!(parsed.headers[1].value.trim_ascii(), sent.trim_ascii().as_bytes());
        let has_body = status != 204 && status != 304;
        prop_assert_eq!(&out[head_bytes..], if has_body { &body[..] } else { b"" });
        prop_assert_eq!(parsed.headers.len(), 3 + usize::from(has_body) + usize::from(!keep_alive));
    }

    /// What the fuzz target `http` asks: noise in any pieces comes to the same.
    #[test]
    fn noise(wire in any_noise(), cuts in any_cuts()) {
        for config in [SMALL, HttpConfig::default()] {
            let whole = feed(&config, [&wire[..]]);
            prop_assert_eq!(feed(&config, pieces(&wire, &cuts)), whole);
        }
    }
}
