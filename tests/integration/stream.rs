//! Bodies of requests and answers that come and go in pieces.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use common::{CloseReason, SessionId};
use gate::{
    BodyPiece, BodySource, Context, Envelope, GateHandle, HttpRequest, Limits, ListenOptions,
    Module, Response,
};
use harness::node::UPLOAD_BYTES_MAX;
use harness::{Options, Script, TestNode};

/// Bytes of the answer to `/api/long`.
const LONG_BYTES: usize = 4 << 20;
/// Bytes of a piece of it.
const PIECE_BYTES: usize = 64 * 1024;

/// What a test hears of its module.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    /// The head of an upload; the test says when it may begin.
    Head(SessionId),
    /// The bodies that were whole, in bytes.
    Whole(usize),
    Lost(CloseReason),
    /// The source of an answer was dropped.
    Dropped,
}

/// Adds up uploads, and answers with a long body.
struct Depot {
    heard: Sender<Heard>,
    bytes: Arc<AtomicUsize>,
}

impl Module for Depot {
    fn on_message(&mut self, _: &mut Context<'_>, _: Envelope<'_>) {}

    fn on_upload(&mut self, context: &mut Context<'_>, request: HttpRequest) {
        self.bytes.store(0, Ordering::SeqCst);
        match request.query.as_str() {
            "refuse" => context.respond(request.session, Response::text(403, "no")),
            "wait" => self.tell(Heard::Head(request.session)),
            _ => context.read_body(request.session),
        }
    }

    fn on_body(&mut self, context: &mut Context<'_>, session: SessionId, piece: BodyPiece) {
        let sum: usize = piece.bytes.iter().map(|&byte| usize::from(byte)).sum();
        let sum = self.bytes.fetch_add(sum, Ordering::SeqCst) + sum;
        if piece.last {
            self.tell(Heard::Whole(sum));
            context.respond(session, Response::text(200, sum.to_string()));
        } else {
            context.read_body(session);
        }
    }

    fn on_upload_lost(&mut self, _: &mut Context<'_>, _: SessionId, reason: CloseReason) {
        self.tell(Heard::Lost(reason));
    }

    fn on_request(&mut self, context: &mut Context<'_>, request: HttpRequest) {
        let source = Pieces {
            left: match request.query.as_str() {
                "broken" => LONG_BYTES / 2,
                _ => LONG_BYTES,
            },
            heard: Mutex::new(self.heard.clone()),
        };
        let head = Response::new(200).with_header("content-type", "text/plain");
        let length = LONG_BYTES as u64;
        context.respond_in_pieces(request.session, head, length, Box::new(source));
    }
}

impl Depot {
    fn tell(&self, heard: Heard) {
        // A test that has heard enough has dropped its end.
        // A test that has heard enough listens no more.
        let _ = self.heard.send(heard);
    }
}

#[derive(Debug)]
struct Pieces {
    left: usize,
    heard: Mutex<Sender<Heard>>,
}

impl BodySource for Pieces {
    fn next(&mut self, session: SessionId, handle: &GateHandle) -> bool {
        let bytes = self.left.min(PIECE_BYTES);
        self.left -= bytes;
        let handle = handle.clone();
        if bytes > 0 {
            std::thread::spawn(move || handle.send_body(session, vec![b'x'; bytes].into()));
        }
        bytes > 0
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        // A test that has heard enough has gone.
        let _ = self.heard.lock().unwrap().send(Heard::Dropped);
    }
}

fn node(options: &Options) -> (TestNode, Receiver<Heard>) {
    let (heard, hears) = channel();
    let heard = Mutex::new(heard);
    let mut options = options.clone();
    options.limits.close_seconds = 1;
    let node = TestNode::start(&options, move |_| Depot {
        heard: heard.lock().unwrap().clone(),
        bytes: Arc::default(),
    });
    (node, hears)
}

fn head(query: &str, fields: &str) -> String {
    format!("POST /upload?{query} HTTP/1.1\r\nhost: test\r\n{fields}\r\n\r\n")
}

/// The sum of the bytes of a body, and the body.
fn body(bytes: usize) -> (usize, Vec<u8>) {
    let body: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
    (body.iter().map(|&byte| usize::from(byte)).sum(), body)
}

#[test]
fn bodies_of_any_length_come_in_pieces_and_the_connection_goes_on() {
    for options in Options::everywhere() {
        let (node, hears) = node(&options);
        let mut client = Script::connect(node.web());
        let (sum, bytes) = body(UPLOAD_BYTES_MAX as usize);
        client.send(head("", &format!("content-length: {}", bytes.len())));
        client.send(&bytes);
        assert_eq!(client.reply().body, sum.to_string().as_bytes());
        assert_eq!(hears.recv().unwrap(), Heard::Whole(sum));
        // Two more on the same connection, the second sent behind the first without a wait.
        client.send(head("", "transfer-encoding: chunked"));
        for chunk in bytes.chunks(1_000_000) {
            client.send(format!("{:x}\r\n", chunk.len()));
            client.send(chunk);
            client.send("\r\n");
        }
        client.send("0\r\n\r\n");
        client.send(head("", "content-length: 3") + "\x01\x02\x03");
        assert_eq!(client.reply().body, sum.to_string().as_bytes());
        assert_eq!(client.reply().body, b"6");
        assert_eq!(client.get("/page").status, 200);
        node.until("nothing is held of what was dealt with", |node| {
            node.held_bytes() < 64 * 1024
        });
    }
}

#[test]
fn a_client_that_asks_first_begins_when_the_module_agrees() {
    let (node, hears) = node(&Options::default());
    let asks = "content-length: 5\r\nexpect: 100-continue";
    let mut client = Script::connect(node.web());
    client.send(head("wait", asks));
    let Heard::Head(session) = hears.recv().unwrap() else {
        panic!("a head was sent");
    };
    node.handle().read_body(session);
    let interim = client.take_through(b"\r\n\r\n");
    assert!(interim.starts_with(b"HTTP/1.1 100 "));
    client.send([1; 5]);
    assert_eq!(client.reply().body, b"5");

    client.send(head("refuse", asks));
    let refused = client.reply();
    assert_eq!(
        (refused.status, refused.header("connection")),
        (403, Some("close"))
    );
    client.expect_end();
}

#[test]
fn what_is_too_long_is_refused_before_it_is_read() {
    let (node, hears) = node(&Options::default());
    let too_long = UPLOAD_BYTES_MAX + 1;
    for fields in [
        format!("content-length: {too_long}\r\nexpect: 100-continue"),
        format!("content-length: {too_long}"),
    ] {
        let mut client = Script::connect(node.web());
        client.send(head("", &fields));
        assert_eq!(client.reply().status, 413);
        client.expect_end();
    }
    let mut client = Script::connect(node.web());
    client.send(head("", "transfer-encoding: chunked") + "ffffff\r\n");
    assert_eq!(client.reply().status, 413);
    assert_eq!(hears.recv().unwrap(), Heard::Lost(CloseReason::TooLarge));
}

#[test]
fn a_client_is_held_up_while_the_module_is_busy() {
    let (node, hears) = node(&Options::default());
    let mut client = TcpStream::connect(node.web()).unwrap();
    let (sum, bytes) = body(UPLOAD_BYTES_MAX as usize);
    let head = head("wait", &format!("content-length: {}", bytes.len()));
    client.write_all(head.as_bytes()).unwrap();
    let Heard::Head(session) = hears.recv().unwrap() else {
        panic!("a head was sent");
    };
    let mut sender = client.try_clone().unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&sent);
    let sending = std::thread::spawn(move || {
        for piece in bytes.chunks(4_096) {
            sender.write_all(piece).unwrap();
            counts.fetch_add(piece.len(), Ordering::SeqCst);
        }
    });
    node.until("the kernel takes some of it", |_| {
        sent.load(Ordering::SeqCst) > 0
    });
    assert!(
        node.held_bytes() < 1 << 20,
        "what is not asked for is not read"
    );
    node.handle().read_body(session);
    assert_eq!(hears.recv().unwrap(), Heard::Whole(sum));
    sending.join().unwrap();
    let mut script = Script::of(&client);
    assert_eq!(script.reply().body, sum.to_string().as_bytes());
}

#[test]
fn the_module_hears_of_an_upload_that_breaks_off() {
    for options in Options::everywhere() {
        let (node, hears) = node(&options);
        let mut client = Script::connect(node.web());
        client.send(head("", "content-length: 100") + "some");
        drop(client);
        let lost = hears.recv().unwrap();
        assert!(
            matches!(lost, Heard::Lost(CloseReason::Truncated | CloseReason::Io)),
            "{lost:?}"
        );
        // One that breaks the framing is told what was wrong.
        let mut client = Script::connect(node.web());
        client.send(head("", "transfer-encoding: chunked") + "1\r\nxHEAD /");
        assert_eq!(client.reply().status, 400);
        drop(client);
        assert_eq!(hears.recv().unwrap(), Heard::Lost(CloseReason::BadProtocol));
    }
}

#[test]
fn a_body_that_trickles_ends_in_time() {
    let limits = Limits {
        frame_seconds: 1,
        ..Limits::default()
    };
    let (node, hears) = node(&Options::default().limits(limits));
    let mut client = Script::connect(node.web());
    client.send(head("", "content-length: 1000000"));
    let mut trickles = Script::of(client.stream());
    let trickling = std::thread::spawn(move || {
        while trickles.try_send(b"x").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    });
    assert_eq!(client.reply().status, 408);
    assert_eq!(
        hears.recv().unwrap(),
        Heard::Lost(CloseReason::FrameTimeout)
    );
    trickling.join().unwrap();
}

#[test]
fn an_answer_in_pieces_waits_for_its_reader() {
    for options in Options::everywhere() {
        let options = Options {
            listen: ListenOptions {
                send_buffer_bytes: Some(16 * 1024),
                ..ListenOptions::default()
            },
            ..options
        };
        let (node, hears) = node(&options);
        let mut client = Script::connect(node.web());
        client.send("GET /api/long HTTP/1.1\r\nhost: test\r\n\r\n");
        client.send("GET /page HTTP/1.1\r\nhost: test\r\n\r\n");
        let head = client.take_through(b"\r\n\r\n");
        let head = String::from_utf8(head).unwrap();
        assert!(
            head.contains(&format!("content-length: {LONG_BYTES}")),
            "{head}"
        );
        assert!(node.held_bytes() < 8 * PIECE_BYTES, "{}", node.held_bytes());
        let body = client.take(LONG_BYTES);
        assert!(body.iter().all(|&byte| byte == b'x'));
        assert_eq!(client.reply().body, b"a page", "sent behind it");
        assert_eq!(hears.recv().unwrap(), Heard::Dropped);

        client.send("HEAD /api/long HTTP/1.1\r\nhost: test\r\n\r\n");
        let head = client.take_through(b"\r\n\r\n");
        assert!(
            String::from_utf8(head)
                .unwrap()
                .contains("content-length: 4194304")
        );
        assert_eq!(hears.recv().unwrap(), Heard::Dropped);
        assert_eq!(
            client.get("/page").status,
            200,
            "no body came behind the head"
        );
    }
}

#[test]
fn an_answer_ends_with_its_reader_or_its_source() {
    let (node, hears) = node(&Options::default());
    let mut client = Script::connect(node.web());
    client.send("GET /api/long HTTP/1.1\r\nhost: test\r\n\r\n");
    assert!(!client.take_through(b"\r\n\r\n").is_empty());
    drop(client);
    assert_eq!(hears.recv().unwrap(), Heard::Dropped);

    let mut client = TcpStream::connect(node.web()).unwrap();
    client
        .write_all(b"GET /api/long?broken HTTP/1.1\r\nhost: test\r\n\r\n")
        .unwrap();
    let mut all = Vec::new();
    client.read_to_end(&mut all).unwrap();
    let begin = all.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(all.len() - begin, LONG_BYTES / 2);
    assert_eq!(hears.recv().unwrap(), Heard::Dropped);
}

#[test]
fn a_reader_that_takes_nothing_is_closed() {
    let options = Options {
        limits: Limits {
            frame_seconds: 1,
            ..Limits::default()
        },
        listen: ListenOptions {
            send_buffer_bytes: Some(16 * 1024),
            ..ListenOptions::default()
        },
        ..Options::default()
    };
    let (node, hears) = node(&options);
    let mut client = Script::connect(node.web());
    client.send("GET /api/long HTTP/1.1\r\nhost: test\r\n\r\n");
    assert!(!client.take_through(b"\r\n\r\n").is_empty());
    assert_eq!(hears.recv().unwrap(), Heard::Dropped);
    node.until("it is closed as too slow", |node| {
        node.count(|stats| stats.closes[CloseReason::SlowConsumer.index()].get()) == 1
    });
}
