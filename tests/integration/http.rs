//! HTTP/1.1 on the port of the WebSocket (RFC 9110, RFC 9112).

use gate::{Limits, ListenOptions, Message, Response};
use harness::node::LONG_PAGE_BYTES;
use harness::{Echo, Options, Probe, Script, Seen, TestNode, WsClient};

fn post(body: &str) -> String {
    format!(
        "POST /api/echo HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_page_and_what_is_none() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    let mut client = Script::connect(node.web());
    let page = client.get("/page");
    assert_eq!((page.status, page.body), (200, b"a page".to_vec()));
    assert_eq!(client.get("/nowhere").status, 404);
    client.send("POST /page HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n");
    let refused = client.reply();
    assert_eq!(refused.status, 405);
    assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"));
    client.send("HEAD /page HTTP/1.1\r\nhost: test\r\n\r\n");
    let head = String::from_utf8(client.take_through(b"\r\n\r\n")).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-length: 6"));
    assert_eq!(
        client.get("/page").status,
        200,
        "no body came behind the head"
    );
}

#[test]
fn the_chat_page_is_served() {
    let node = TestNode::im(&Options::default());
    let mut client = Script::connect(node.web());
    for path in ["/", "/chat.css", "/chat/parts.css", "/chat/hub.js"] {
        let page = client.get(path);
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.body.is_empty());
        assert!(page.header("content-security-policy").is_some());
    }
    assert_eq!(client.get("/im").status, 426, "speaks WebSocket only");
}

#[test]
fn every_script_of_the_chat_page_is_served() {
    let node = TestNode::im(&Options::default());
    let mut client = Script::connect(node.web());
    let mut found = vec!["/chat.js".to_owned(), "/chat/hub.js".to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        next += 1;
        let script = client.get(&path);
        assert_eq!(script.status, 200, "{path}");
        let kind = script.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("text/javascript"), "{path}: {kind}");
        let text = String::from_utf8(script.body).expect("a script is text");
        let folder = &path[..=path.rfind('/').expect("a path has a slash")];
        // `import … from './x.js';` and `import './x.js';`
        for quoted in text.split('\'') {
            if !quoted.ends_with(".js") || !quoted.starts_with('.') || quoted.contains('\n') {
                continue;
            }
            let imported = match quoted.strip_prefix("../") {
                Some(above) => format!(
                    "{}/{above}",
                    folder
                        .trim_end_matches('/')
                        .rsplit_once('/')
                        .expect("a folder")
                        .0
                ),
                None => format!("{folder}{}", quoted.trim_start_matches("./")),
            };
            if !found.contains(&imported) {
                found.push(imported);
            }
        }
    }
    assert!(found.len() > 20, "the page imports its parts: {found:?}");
}

#[test]
fn bodies_of_both_kinds_reach_the_module() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        let mut client = Script::connect(node.web());
        client.send(post("of a length"));
        assert_eq!(client.reply().body, b"of a length");
        client.send(
            "POST /api/echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n\
             3\r\nin \r\n6\r\nchunks\r\n0\r\n\r\n",
        );
        assert_eq!(client.reply().body, b"in chunks");
        let long = "x".repeat(500_000);
        client.send(post(&long));
        assert_eq!(client.reply().body, long.as_bytes());
        client.drip(post("drop by drop"));
        assert_eq!(client.reply().body, b"drop by drop");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        let mut client = Script::connect(node.web());
        let requests: String = (0..200).map(|n| post(&n.to_string())).collect();
        client.send(requests);
        for number in 0..200 {
            assert_eq!(client.reply().body, number.to_string().as_bytes());
        }
    }
}

#[test]
fn the_next_request_waits_for_the_answer_to_this_one() {
    let (probe, sightings) = Probe::new();
    let node = TestNode::start(&Options::single(), move |_| probe.clone());
    let mut client = Script::connect(node.web());
    client
        .send("GET /api/1 HTTP/1.1\r\nhost: test\r\n\r\nGET /page HTTP/1.1\r\nhost: test\r\n\r\n");
    let Seen::Request(session, path) = sightings.take() else {
        panic!("a request")
    };
    assert_eq!(path, "/api/1");
    // Messages have no place on a connection that speaks HTTP.
    node.handle().send(session, Message::text("out of place"));
    let mut other = WsClient::open(node.web(), "/");
    let answering = sightings.opened();
    node.handle().send(answering, Message::text("go on"));
    other.expect("go on");
    node.handle()
        .respond(session, Response::text(200, "the first"));
    assert_eq!(client.reply().body, b"the first");
    assert_eq!(client.reply().body, b"a page");
}

#[test]
fn a_client_that_expects_100_gets_it() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    let mut client = Script::connect(node.web());
    client.send(
        "POST /api/echo HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n\
         expect: 100-continue\r\n\r\n",
    );
    client.expect("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    assert_eq!(client.reply().body, b"body");
}

#[test]
fn connections_are_kept_or_closed_as_the_client_says() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        let mut client = Script::connect(node.web());
        client.send("GET /api/ HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        assert_eq!(client.reply().header("connection"), Some("close"));
        client.expect_end();
        let mut client = Script::connect(node.web());
        client.send("GET /page HTTP/1.0\r\n\r\n");
        assert_eq!(client.reply().status, 200);
        client.expect_end();
        let mut client = Script::connect(node.web());
        client.send(post("half of the stream"));
        client.finish();
        assert_eq!(client.reply().body, b"half of the stream");
        client.expect_end();
    }
}

/// RFC 9110 section 9: what nobody knows is told from what is not taken here.
#[test]
fn methods() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    let mut client = Script::connect(node.web());
    for (request, status, allow) in [
        ("OPTIONS * HTTP/1.1", 204, Some("OPTIONS")),
        ("OPTIONS http://test HTTP/1.1", 204, Some("OPTIONS")),
        ("OPTIONS /page HTTP/1.1", 204, Some("HEAD")),
        ("DELETE /page HTTP/1.1", 405, Some("GET")),
        ("TRACE /page HTTP/1.1", 405, Some("GET")),
        ("TRACE /api/ HTTP/1.1", 405, Some("GET")),
        ("get /page HTTP/1.1", 501, None),
        ("BREW /page HTTP/1.1", 501, None),
        ("BREW /api/ HTTP/1.1", 200, None),
        ("GET http://elsewhere/page HTTP/1.1", 200, None),
    ] {
        client.send(format!("{request}\r\nhost: test\r\ncookie: secret\r\n\r\n"));
        let reply = client.reply();
        assert_eq!(reply.status, status, "{request}");
        assert!(!reply.body.windows(6).any(|part| part == b"secret"));
        let named = reply.header("allow").map(|methods| {
            let wanted = allow.unwrap_or("-");
            methods.split(", ").any(|method| method == wanted)
        });
        assert_eq!(named, allow.map(|_| true), "{request}");
    }
}

/// Whatever the answer, HEAD gets its head alone: the next answer follows at once.
#[test]
fn heads_of_every_answer() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    let mut client = Script::connect(node.web());
    for (target, status) in [("/page", 200), ("/nowhere", 404), ("/api/", 200)] {
        client.send(format!(
            "HEAD {target} HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nab"
        ));
        let head = String::from_utf8(client.take_through(b"\r\n\r\n")).unwrap();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{target}: {head}"
        );
        assert!(!head.contains("content-length: 0"), "{target}: {head}");
    }
    for refused in [
        "HEAD /%zz HTTP/1.1\r\nhost: a\r\n\r\n",
        "HEAD / HTTP/1.1\r\n\r\n",
        "HEAD / HTTP/1.1\r\nhost: a\r\ncontent-length: 9999999999\r\n\r\n",
    ] {
        let mut client = Script::connect(node.web());
        client.send(format!("GET /page HTTP/1.1\r\nhost: a\r\n\r\n{refused}"));
        assert_eq!(client.reply().status, 200);
        let head = client.take_through(b"\r\n\r\n");
        assert!(head.starts_with(b"HTTP/1.1 4"), "{}", head.escape_ascii());
        client.expect_end();
    }
}

/// RFC 9110 section 6.6.1: answers are dated by the host's clock, in the one form to be sent.
#[test]
fn answers_are_dated() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    let mut client = Script::connect(node.web());
    for path in ["/page", "/nowhere", "/api/"] {
        let reply = client.get(path);
        let date = reply.header("date").expect("a date");
        let told = httpdate::parse_http_date(date).expect("a date of HTTP");
        assert_eq!(httpdate::fmt_http_date(told), date);
        let apart = match told.elapsed() {
            Ok(past) => past,
            Err(ahead) => ahead.duration(),
        };
        assert!(apart.as_secs() < 120, "{date}");
    }
    client.send("bad\r\n\r\n");
    assert!(client.reply().header("date").is_some());
}

#[test]
fn a_request_that_is_never_finished_is_answered_408() {
    let limits = Limits {
        handshake_seconds: 1,
        frame_seconds: 1,
        ..Limits::default()
    };
    for options in Options::crosswise() {
        let node = TestNode::start(&options.limits(limits.clone()), |_| Echo);
        let unfinished = "POST /api/ HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n\r\nslow";
        let mut first = Script::connect(node.web());
        first.send(unfinished);
        let mut second = Script::connect(node.web());
        second.send(post("one"));
        assert_eq!(second.reply().body, b"one");
        second.send(unfinished);
        for client in [&mut first, &mut second] {
            let reply = client.reply();
            assert_eq!(reply.status, 408);
            assert_eq!(reply.header("connection"), Some("close"));
            client.expect_end();
        }
        let mut silent = Script::connect(node.web());
        silent.expect_end();
    }
}

#[test]
fn nothing_is_answered_behind_the_last_answer() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        let mut client = Script::connect(node.web());
        client.send(
            "GET /api/1 HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n\
             GET /page HTTP/1.1\r\nhost: test\r\n\r\n",
        );
        assert_eq!(client.reply().status, 200);
        client.expect_end();
        let mut old = Script::connect(node.web());
        old.send("GET /page HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
        assert_eq!(old.reply().header("connection"), Some("keep-alive"));
        old.send("GET /page HTTP/1.0\r\n\r\n");
        assert_eq!(old.reply().header("connection"), Some("close"));
        old.expect_end();
    }
}

/// Who asks for more than it reads is not heard meanwhile, and gets all of it in the end.
#[test]
fn answers_that_nobody_reads_are_bounded() {
    const REQUESTS: usize = 4000;
    let options = Options {
        listen: ListenOptions {
            send_buffer_bytes: Some(16 * 1024),
            ..ListenOptions::default()
        },
        limits: Limits {
            outbox_bytes_max: 64 * 1024,
            ..Limits::default()
        },
        ..Options::single()
    };
    let node = TestNode::start(&options, |_| Echo);
    let mut client = Script::connect(node.web());
    client.send("GET /long HTTP/1.1\r\nhost: a\r\n\r\n".repeat(REQUESTS));
    // This one comes later, and its answer shows that the others have been looked at.
    assert_eq!(Script::connect(node.web()).get("/page").status, 200);
    let answered = node.count(|stats| stats.frames_out.get());
    assert!(answered < 100, "{answered} long answers are in memory");
    for _ in 0..REQUESTS {
        let reply = client.reply();
        assert_eq!((reply.status, reply.body.len()), (200, LONG_PAGE_BYTES));
    }
}

#[test]
fn bad_requests_are_answered_and_ended() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    let long = "x".repeat(20_000);
    let many: String = (0..100).map(|n| format!("x-{n}: 1\r\n")).collect();
    for (request, status) in [
        ("no request at all\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\nhost: a\n\n".to_owned(), 400),
        ("GET / HTTP/2.0\r\nhost: a\r\n\r\n".to_owned(), 505),
        (
            format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", &long[..9000]),
            414,
        ),
        (
            format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"),
            431,
        ),
        (format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"), 431),
        (
            "POST /api/ HTTP/1.1\r\nhost: a\r\ncontent-length: 9999999999\r\n\r\n".to_owned(),
            413,
        ),
        (
            "POST /api/ HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n".to_owned(),
            400,
        ),
        (
            "POST /api/ HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n".to_owned(),
            400,
        ),
        (
            "POST /api/ HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n".to_owned(),
            501,
        ),
        (
            "POST /api/ HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n\
             content-length: 9999999999\r\n\r\n"
                .to_owned(),
            413,
        ),
        (
            "POST /api/ HTTP/1.1\r\nhost: a\r\nexpect: an answer\r\n\
             content-length: 1\r\n\r\n"
                .to_owned(),
            417,
        ),
        (
            "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n".to_owned(),
            501,
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
        ("GET /#a HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), 400),
        ("GET /%zz HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), 400),
        ("GET * HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), 400),
        (
            "GET / HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n".to_owned(),
            400,
        ),
        (
            "POST /api/ HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\
             \r\n\r\n0\r\n\r\n"
                .to_owned(),
            400,
        ),
        (
            "POST /api/ HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_owned(),
            400,
        ),
    ] {
        let mut client = Script::connect(node.web());
        client.send(&request);
        let reply = client.reply();
        let shown = &request[..request.len().min(80)];
        assert_eq!(reply.status, status, "{shown}");
        assert_eq!(reply.header("connection"), Some("close"), "{shown}");
        client.expect_end();
    }
}
