//! Files over HTTP: conditions, ranges, and paths that lead nowhere (RFC 9110 sections 8, 13, 14).

use std::fs;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::{Duration, Instant};

use gate::{Files, FilesError, Limits, ListenOptions};
use harness::{Echo, HttpReply, Options, Script, TestNode};
use socket2::SockRef;
use tempfile::TempDir;

/// Longer than a kernel buffer, so that it leaves in pieces.
const LONG_BYTES: usize = 3_000_000;

fn folder() -> TempDir {
    let folder = TempDir::new().expect("a folder can be made");
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("docs/.git")).unwrap();
    fs::write(at("index.html"), "<p>home").unwrap();
    fs::write(at("docs/index.html"), "<p>docs").unwrap();
    fs::write(at("docs/.git/config"), "secret").unwrap();
    fs::write(at(".env"), "secret").unwrap();
    fs::write(at("empty.js"), "").unwrap();
    fs::write(at("ten.txt"), "0123456789").unwrap();
    fs::write(at("long.bin"), long()).unwrap();
    symlink("ten.txt", at("linked.txt")).unwrap();
    folder
}

fn long() -> Vec<u8> {
    (0..LONG_BYTES).map(|at| (at % 251) as u8).collect()
}

fn serve(folder: &TempDir) -> TestNode {
    let files = Files::load(folder.path(), Files::BYTES_MAX).expect("a folder that can be read");
    TestNode::with_files(&Options::default(), files, |_| Echo)
}

/// The answer to a GET with these lines.
fn ask(client: &mut Script, path: &str, lines: &str) -> HttpReply {
    client.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n{lines}\r\n"));
    client.reply()
}

#[test]
fn a_folder_is_served() {
    let folder = folder();
    let node = serve(&folder);
    let mut client = Script::connect(node.web());
    for (path, content_type, body) in [
        ("/", "text/html; charset=utf-8", "<p>home"),
        ("/index.html", "text/html; charset=utf-8", "<p>home"),
        ("/docs/?a=b", "text/html; charset=utf-8", "<p>docs"),
        ("/empty.js", "text/javascript; charset=utf-8", ""),
        ("/ten.txt", "text/plain; charset=utf-8", "0123456789"),
        ("/linked.txt", "text/plain; charset=utf-8", "0123456789"),
        ("/page", "text/plain; charset=utf-8", "a page"),
    ] {
        let reply = client.get(path);
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("content-type"), Some(content_type), "{path}");
        assert_eq!(reply.body, body.as_bytes(), "{path}");
    }
    let reply = client.get("/long.bin");
    assert!(reply.body == long(), "{} bytes", reply.body.len());
    assert_eq!(
        reply.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(reply.header("cache-control"), Some("no-cache"));
    let reply = client.get("/docs?a=b");
    assert_eq!(reply.status, 301);
    assert_eq!(reply.header("location"), Some("/docs/?a=b"));
    for (path, status) in [
        ("/nowhere", 404),
        ("/.env", 404),
        ("/docs/.git/config", 404),
        ("//docs", 404),
        ("/../ten.txt", 400),
        ("/docs/%2e%2e/ten.txt", 400),
        ("/docs%2findex.html", 400),
    ] {
        let reply = client.get(path);
        assert_eq!(reply.status, status, "{path}");
        assert!(!reply.body.windows(6).any(|part| part == b"secret"));
    }
    client.send("PUT /ten.txt HTTP/1.1\r\nhost: test\r\ncontent-length: 1\r\n\r\nx");
    let refused = client.reply();
    assert_eq!(refused.status, 405);
    assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"));
    client.send("HEAD /long.bin HTTP/1.1\r\nhost: test\r\nrange: bytes=0-0\r\n\r\n");
    let head = String::from_utf8(client.take_through(b"\r\n\r\n")).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "ranges are for GET");
    assert!(head.contains(&format!("content-length: {LONG_BYTES}\r\n")));
    assert_eq!(client.get("/page").status, 200, "no body came");
}

#[test]
fn what_a_client_has_is_not_sent_again() {
    let folder = folder();
    let node = serve(&folder);
    let mut client = Script::connect(node.web());
    let first = client.get("/ten.txt");
    let etag = first.header("etag").expect("an entity tag").to_owned();
    let date = first.header("last-modified").expect("a date").to_owned();
    assert!(etag.starts_with('"') && etag.len() > 2, "strong: {etag}");
    assert_ne!(client.get("/index.html").header("etag"), Some(&*etag));
    for lines in [
        format!("if-none-match: {etag}\r\n"),
        format!("if-none-match: \"x\", W/{etag}\r\n"),
        format!("if-modified-since: {date}\r\n"),
        format!("if-none-match: {etag}\r\nrange: bytes=0-1\r\n"),
    ] {
        let reply = ask(&mut client, "/ten.txt", &lines);
        assert_eq!(reply.status, 304, "{lines}");
        assert_eq!(reply.header("etag"), Some(&*etag));
        assert_eq!(reply.header("cache-control"), Some("no-cache"));
        assert!(reply.header("date").is_some());
        assert_eq!(reply.header("content-length"), None);
    }
    let changed = ask(&mut client, "/ten.txt", "if-none-match: \"x\"\r\n");
    assert_eq!(
        (changed.status, &changed.body[..]),
        (200, &b"0123456789"[..])
    );
    assert_eq!(
        ask(&mut client, "/ten.txt", "if-match: \"x\"\r\n").status,
        412
    );
    drop(node);
    // The same bytes have the same tag in the next process, and other bytes another one.
    let node = serve(&folder);
    assert_eq!(
        Script::connect(node.web()).get("/ten.txt").header("etag"),
        Some(&*etag)
    );
    drop(node);
    fs::write(folder.path().join("ten.txt"), "012345678x").unwrap();
    let node = serve(&folder);
    let mut client = Script::connect(node.web());
    let lines = format!("if-none-match: {etag}\r\n");
    assert_eq!(ask(&mut client, "/ten.txt", &lines).body, b"012345678x");
}

#[test]
fn parts_of_files() {
    let folder = folder();
    let node = serve(&folder);
    let mut client = Script::connect(node.web());
    let etag = client.get("/ten.txt").header("etag").unwrap().to_owned();
    for (range, place, body) in [
        ("bytes=0-0", "bytes 0-0/10", "0"),
        ("bytes=2-5", "bytes 2-5/10", "2345"),
        ("bytes=7-", "bytes 7-9/10", "789"),
        ("bytes=-2", "bytes 8-9/10", "89"),
        ("bytes=-99", "bytes 0-9/10", "0123456789"),
        ("bytes=8-99", "bytes 8-9/10", "89"),
    ] {
        let reply = ask(&mut client, "/ten.txt", &format!("range: {range}\r\n"));
        assert_eq!(reply.status, 206, "{range}");
        assert_eq!(reply.header("content-range"), Some(place));
        assert_eq!(reply.body, body.as_bytes(), "{range}");
        assert_eq!(reply.header("etag"), Some(&*etag));
    }
    for range in ["bytes=10-", "bytes=-0", "bytes=99999999999999999999-"] {
        let reply = ask(&mut client, "/ten.txt", &format!("range: {range}\r\n"));
        assert_eq!(reply.status, 416, "{range}");
        assert_eq!(reply.header("content-range"), Some("bytes */10"));
    }
    for lines in [
        "range: bytes=0-1,4-5\r\n",
        "range: bytes=5-2\r\n",
        "range: lines=0-1\r\n",
        "range: bytes=0-1\r\nrange: bytes=0-1\r\n",
        "range: bytes=0-1\r\nif-range: \"x\"\r\n",
    ] {
        let reply = ask(&mut client, "/ten.txt", lines);
        assert_eq!((reply.status, reply.body.len()), (200, 10), "{lines}");
        assert_eq!(reply.header("accept-ranges"), Some("bytes"));
    }
    let lines = format!("range: bytes=0-1\r\nif-range: {etag}\r\n");
    assert_eq!(ask(&mut client, "/ten.txt", &lines).status, 206);
    let part = ask(&mut client, "/long.bin", "range: bytes=1000000-2000000\r\n");
    assert!(part.body == long()[1_000_000..=2_000_000]);
}

/// The times for a close and for a frame are no limit for a download whose reader goes on reading;
/// one that reads nothing is cut off by them.
#[test]
fn a_download_takes_as_long_as_its_reader() {
    let folder = folder();
    let files = Files::load(folder.path(), Files::BYTES_MAX).unwrap();
    let options = Options {
        listen: ListenOptions {
            send_buffer_bytes: Some(16 * 1024),
            ..ListenOptions::default()
        },
        limits: Limits {
            close_seconds: 1,
            frame_seconds: 2,
            ..Limits::default()
        },
        ..Options::single()
    };
    let node = TestNode::with_files(&options, files, |_| Echo);
    let last = "GET /long.bin HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    let connect = || {
        let mut client = Script::connect(node.web());
        SockRef::from(client.stream())
            .set_recv_buffer_size(16 * 1024)
            .unwrap();
        client.send(last);
        client
    };
    let mut slow = connect();
    let mut idle = connect();
    let begun = Instant::now();
    let head = slow.take_through(b"\r\n\r\n");
    assert!(head.starts_with(b"HTTP/1.1 200 "));
    let mut body = Vec::new();
    while body.len() < LONG_BYTES {
        let part = LONG_BYTES / 10;
        body.extend(slow.take(part.min(LONG_BYTES - body.len())));
        // That time passes while this client reads is what is tested.
        thread::sleep(Duration::from_millis(500));
    }
    assert!(begun.elapsed() > Duration::from_secs(4));
    assert!(body == long());
    slow.expect_end();
    let (got, reset) = idle.take_to_end();
    assert!(reset && got.len() < LONG_BYTES, "{} bytes", got.len());
}

#[test]
fn folders_that_cannot_be_served_are_refused_at_start() {
    let folder = folder();
    let error = Files::load(folder.path(), 100).expect_err("too large");
    assert!(
        matches!(error, FilesError::TooLarge { bytes_max: 100, .. }),
        "{error}"
    );
    let error = Files::load(&folder.path().join("none"), 100).expect_err("not there");
    assert!(error.to_string().contains("none"), "{error}");
    let endless = TempDir::new().unwrap();
    symlink(".", endless.path().join("loop")).unwrap();
    let error = Files::load(endless.path(), 100).expect_err("without an end");
    assert!(matches!(error, FilesError::TooDeep { .. }), "{error}");
}
