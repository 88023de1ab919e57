//! Attachments over HTTP: uploads in every form, who may have them, and how they are handed out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use harness::{HttpReply, Options, Script, TestNode};
use module::account::AccountConfig;
use module::account::password::HashCost;
use module::attachment::AttachmentsConfig;
use module::storage::sqlite::{Location, Retention, StoreConfig};
use module::{Im, ImConfig};
use serde_json::{Value, json};

/// A picture of one pixel.
const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
    \0\0\0\rIDATx\xdacd\xf8\xcfP\x0f\0\x03\x86\x01\x80Z4}k\0\0\0\0IEND\xaeB`\x82";

/// A node that keeps what it is told, and its directory.
struct House {
    node: TestNode,
    directory: tempfile::TempDir,
    /// Milliseconds by which its clock is ahead.
    ahead_ms: Arc<AtomicU64>,
}

impl House {
    fn new(attachments: AttachmentsConfig) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let ahead_ms = Arc::new(AtomicU64::new(0));
        let ahead = Arc::clone(&ahead_ms);
        let config = ImConfig {
            store: StoreConfig {
                location: Location::Directory(directory.path().to_owned()),
                retention: Retention {
                    interval: Duration::from_millis(20),
                    ..Retention::default()
                },
                time: Arc::new(move || module::im::now_ms() + ahead.load(Ordering::SeqCst)),
                ..StoreConfig::default()
            },
            accounts: AccountConfig {
                hash_cost: HashCost {
                    memory_kib: 8,
                    passes: 1,
                },
                ..AccountConfig::default()
            },
            attachments: AttachmentsConfig {
                directory: Some(directory.path().join("files")),
                interval: Duration::from_millis(20),
                ..attachments
            },
            ..ImConfig::default()
        };
        let im = Im::open(config).expect("a store that can be opened");
        Self {
            node: TestNode::around_im(&Options::default(), &im),
            directory,
            ahead_ms,
        }
    }

    fn user(&self, login: &str) -> User {
        let mut script = Script::connect(self.node.web());
        let account = json!({"login": login, "password": "secret"});
        let id = post(&mut script, None, "accounts", &account)["user"]["id"].take();
        let token = post(&mut script, None, "sessions", &account)["token"].take();
        User {
            script,
            id: id.as_u64().expect("a number"),
            token: token.as_str().expect("a token").to_owned(),
        }
    }

    /// All files of attachments, without those that are being uploaded.
    fn files(&self) -> Vec<PathBuf> {
        let all = walk(&self.directory.path().join("files"));
        let kept = |path: &PathBuf| !path.ends_with("address-secret");
        all.into_iter().filter(kept).collect()
    }
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

fn post(script: &mut Script, token: Option<&str>, path: &str, data: &Value) -> Value {
    let data = data.to_string();
    let authorization = token.map_or_else(String::new, |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    script.send(format!(
        "POST /api/v1/{path} HTTP/1.1\r\nhost: test\r\n{authorization}\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{data}",
        data.len()
    ));
    value(&script.reply())
}

fn value(reply: &HttpReply) -> Value {
    serde_json::from_slice(&reply.body).expect("JSON")
}

/// A user with a connection.
struct User {
    script: Script,
    id: u64,
    token: String,
}

impl User {
    /// Makes a request with these fields beside the token, and this body.
    fn ask(&mut self, line: &str, fields: &str, body: &[u8]) -> HttpReply {
        let token = &self.token;
        let mut request = format!(
            "{line} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n{fields}\r\n"
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.script.send(request);
        self.script.reply()
    }

    fn try_upload(&mut self, name: &str, bytes: &[u8]) -> HttpReply {
        let line = format!("POST /api/v1/attachments?name={name}");
        self.ask(
            &line,
            &format!("content-length: {}\r\n", bytes.len()),
            bytes,
        )
    }

    fn upload(&mut self, name: &str, bytes: &[u8]) -> Value {
        let reply = self.try_upload(name, bytes);
        assert_eq!(
            reply.status,
            201,
            "{}",
            String::from_utf8_lossy(&reply.body)
        );
        value(&reply)
    }

    fn find(&mut self, id: &Value) -> HttpReply {
        self.ask(&format!("GET /api/v1/attachments/{id}"), "", b"")
    }

    fn remove(&mut self, id: &Value) -> HttpReply {
        self.ask(&format!("DELETE /api/v1/attachments/{id}"), "", b"")
    }

    fn fetch(&mut self, url: &Value, fields: &str) -> HttpReply {
        let url = url.as_str().expect("an address");
        self.script
            .send(format!("GET {url} HTTP/1.1\r\nhost: test\r\n{fields}\r\n"));
        self.script.reply()
    }

    /// Sends a message that names an attachment; the answer.
    fn send(&mut self, to: &Value, id: &Value) -> Value {
        let message = json!({
            "to": to, "kind": "file", "body": json!({"attachment": id}).to_string(),
        });
        let token = self.token.clone();
        post(&mut self.script, Some(&token), "messages", &message)
    }
}

fn code(reply: &HttpReply) -> (u16, String) {
    let code = value(reply)["error"]["code"].as_str().map(str::to_owned);
    (reply.status, code.expect("the code of an error"))
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn what_is_uploaded_is_handed_out_again() {
    let house = House::new(AttachmentsConfig::default());
    let mut ada = house.user("ada");
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|at| (at % 251) as u8).collect();
    let made = ada.upload("a%20%22b%22.bin", &bytes);
    assert_eq!(
        (&made["name"], &made["size"]),
        (&json!("a \"b\".bin"), &json!(1_000_000))
    );
    assert_eq!(made["type"], "application/octet-stream");
    let whole = ada.fetch(&made["url"], "");
    assert_eq!((whole.status, whole.body == bytes), (200, true));
    let etag = whole.header("etag").expect("a tag").to_owned();
    assert!(
        whole
            .header("cache-control")
            .expect("a field")
            .contains("immutable")
    );
    assert_eq!(
        whole.header("content-disposition"),
        Some("attachment; filename=\"a _b_.bin\"; filename*=UTF-8''a%20%22b%22.bin")
    );
    // Again, for who has it; and parts of it, short and long.
    let again = ada.fetch(&made["url"], &format!("if-none-match: {etag}\r\n"));
    assert_eq!((again.status, again.body.len()), (304, 0));
    for (range, place, part) in [
        ("bytes=5-9", "bytes 5-9/1000000", &bytes[5..10]),
        (
            "bytes=200000-",
            "bytes 200000-999999/1000000",
            &bytes[200_000..],
        ),
        ("bytes=-3", "bytes 999997-999999/1000000", &bytes[999_997..]),
    ] {
        let reply = ada.fetch(&made["url"], &format!("range: {range}\r\n"));
        assert_eq!(
            (reply.status, reply.header("content-range")),
            (206, Some(place))
        );
        assert!(reply.body == part, "{range}");
    }
    assert_eq!(
        ada.fetch(&made["url"], "range: bytes=1000000-\r\n").status,
        416
    );
    assert_eq!(
        ada.fetch(&made["url"], "if-match: \"other\"\r\n").status,
        412
    );
    let url = made["url"].as_str().expect("an address");
    ada.script
        .send(format!("HEAD {url} HTTP/1.1\r\nhost: test\r\n\r\n"));
    let head = String::from_utf8(ada.script.take_through(b"\r\n\r\n")).expect("ASCII");
    assert!(head.contains("content-length: 1000000"), "{head}");
    let wrong = ada.ask(&format!("DELETE {url}"), "", b"");
    assert_eq!(code(&wrong), is(405, "bad_request"));
}

#[test]
fn a_form_of_a_browser_is_taken_byte_by_byte() {
    let house = House::new(AttachmentsConfig::default());
    let mut ada = house.user("ada");
    let form = "--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n\
                --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\t.txt\"\r\n\
                Content-Type: text/html\r\n\r\n--x-\r\n plain text\r\n--x--\r\n";
    let head = |token: &str, fields: &str| {
        format!(
            "POST /api/v1/attachments HTTP/1.1\r\nhost: test\r\nauthorization: bearer {token}\r\n\
             content-type: multipart/form-data; boundary=x\r\n{fields}\r\n"
        )
    };
    ada.script.send(head(
        &ada.token,
        &format!("content-length: {}\r\n", form.len()),
    ));
    ada.script.drip(form);
    let made = value(&ada.script.reply());
    assert_eq!(
        (&made["name"], &made["type"]),
        (&json!("t.txt"), &json!("text/plain"))
    );
    assert_eq!(ada.fetch(&made["url"], "").body, b"--x-\r\n plain text");
    // The same in chunks, and what is no form.
    ada.script
        .send(head(&ada.token, "transfer-encoding: chunked\r\n"));
    for chunk in form.as_bytes().chunks(20) {
        ada.script.send(format!("{:x}\r\n", chunk.len()));
        ada.script.send(chunk);
        ada.script.send("\r\n");
    }
    ada.script.send("0\r\n\r\n");
    assert_eq!(value(&ada.script.reply())["size"], made["size"]);
    for bad in ["--x--\r\n", "--x\r\n\r\n\r\n--x--", "nothing at all"] {
        ada.script
            .send(head(&ada.token, &format!("content-length: {}\r\n", bad.len())) + bad);
        assert_eq!(code(&ada.script.reply()), is(400, "bad_request"), "{bad}");
    }
    assert_eq!(house.files().len(), 1, "of equal bytes one file");
}

#[test]
fn an_attachment_is_for_those_who_may_see_a_message_that_names_it() {
    let house = House::new(AttachmentsConfig::default());
    let (mut ada, mut bob, mut eve) = (house.user("ada"), house.user("bob"), house.user("eve"));
    let made = ada.upload("cat.png", PNG);
    let id = &made["id"];
    assert_eq!(ada.find(id).status, 200);
    for stranger in [&mut bob, &mut eve] {
        assert_eq!(code(&stranger.find(id)), is(404, "not_found"));
        let named = stranger.send(&json!({"all": true}), id);
        assert_eq!(
            named["error"]["code"], "not_found",
            "nobody gives what they do not have"
        );
    }
    let sent = ada.send(&json!({"user": bob.id}), id);
    let found = bob.find(id);
    assert_eq!(
        (found.status, value(&found)["name"].take()),
        (200, json!("cat.png"))
    );
    assert_eq!(bob.fetch(&value(&found)["url"], "").body, PNG);
    assert_eq!(code(&eve.find(id)), is(404, "not_found"));
    assert_eq!(code(&bob.remove(id)), is(403, "forbidden"));
    assert_eq!(code(&eve.remove(id)), is(404, "not_found"));
    // Bob, who may see it, may pass it on; and what was taken back names nothing any more.
    bob.send(&json!({"user": eve.id}), id);
    assert_eq!(eve.find(id).status, 200);
    let conversation = sent["conversation"].as_str().expect("a conversation");
    let path = format!(
        "conversations/{conversation}/messages/{}/recall",
        sent["seq"]
    );
    let token = ada.token.clone();
    let recalled = post(&mut ada.script, Some(&token), &path, &json!({}));
    assert!(recalled["error"].is_null(), "{recalled}");
    assert_eq!(bob.find(id).status, 200, "he has sent it himself");
    // It is gone for everyone when its owner removes it, addresses and all.
    assert_eq!(ada.remove(id).status, 200);
    assert_eq!(code(&bob.find(id)), is(404, "not_found"));
    assert_eq!(code(&bob.fetch(&made["url"], "")), is(404, "not_found"));
    house
        .node
        .until("its file is removed", |_| house.files().is_empty());
}

#[test]
fn an_address_cannot_be_made_up() {
    let house = House::new(AttachmentsConfig::default());
    let mut ada = house.user("ada");
    let (one, two) = (ada.upload("", b"one"), ada.upload("", b"two"));
    let [url, other] = [&one, &two].map(|made| made["url"].as_str().expect("an address"));
    let signature = url.find("&signature=").expect("a signature");
    let query = other.find('?').expect("a query");
    for forged in [
        url[..signature].to_owned(),
        format!("{}{}", &url[..url.len() - 4], "AAAA"),
        format!("{}{}", &url[..query], &other[query..]),
        url.replace("&expires=", "&expires=9"),
        url.replace("?id=", "?form=thumbnail&id="),
        url.replace("/files/", "/files/../files/"),
        "/files/".to_owned(),
        "/files/address-secret".to_owned(),
    ] {
        assert_eq!(
            code(&ada.fetch(&json!(forged), "")),
            is(403, "forbidden"),
            "{forged}"
        );
    }
    assert_eq!(ada.fetch(&json!(url), "").body, b"one");
}

#[test]
fn what_could_run_is_only_ever_a_file_to_be_kept() {
    let house = House::new(AttachmentsConfig::default());
    let mut ada = house.user("ada");
    let svg = b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>";
    let script = b"<!DOCTYPE html><script>alert(document.domain)</script>";
    for (name, bytes) in [("a.png", &script[..]), ("b.svg", svg)] {
        let made = ada.upload(name, bytes);
        let reply = ada.fetch(&made["url"], "");
        assert_eq!(
            reply.header("content-type"),
            Some("application/octet-stream")
        );
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        let policy = reply.header("content-security-policy").expect("a policy");
        assert!(policy.contains("sandbox"), "{policy}");
        let kept = reply.header("content-disposition").expect("a field");
        assert!(kept.starts_with("attachment"), "{kept}");
    }
    // A picture with a page behind it is a picture.
    let both = [PNG, script].concat();
    let made = ada.upload("c.html", &both);
    let reply = ada.fetch(&made["url"], "");
    assert_eq!(
        (&made["type"], reply.header("content-type")),
        (&json!("image/png"), Some("image/png"))
    );
    assert_eq!((&made["width"], &made["height"]), (&json!(1), &json!(1)));
    let small = ada.fetch(&made["thumbnail_url"], "");
    assert_eq!(
        (small.status, small.header("content-type")),
        (200, Some("image/png"))
    );
    assert!(!small.body.ends_with(script), "it was drawn anew");
}

#[test]
fn where_files_are_uploaded_other_methods_are_told_which_one_it_takes() {
    let house = House::new(AttachmentsConfig::default());
    let mut ada = house.user("ada");
    for (method, status) in [
        ("GET", 405),
        ("PUT", 405),
        ("DELETE", 405),
        ("OPTIONS", 204),
    ] {
        let reply = ada.ask(&format!("{method} /api/v1/attachments"), "", b"");
        assert_eq!(
            (reply.status, reply.header("allow")),
            (status, Some("POST, OPTIONS")),
            "{method}"
        );
    }
}

#[test]
fn there_is_room_for_so_much_and_no_more() {
    let house = House::new(AttachmentsConfig {
        size_max: 10_000,
        quota: 16 * 1_024,
        ..AttachmentsConfig::default()
    });
    let mut ada = house.user("ada");
    let made = ada.upload("", &[7; 9_000]);
    // One that is too large, and one for which nothing is left: told before they are sent.
    for (bytes, refused) in [
        (10_001, is(413, "limit_reached")),
        (7_000, is(409, "limit_reached")),
    ] {
        let fields = format!("content-length: {bytes}\r\nexpect: 100-continue\r\n");
        let reply = ada.ask("POST /api/v1/attachments", &fields, b"");
        assert_eq!(code(&reply), refused);
        ada.script.expect_end();
        ada.script = Script::connect(house.node.web());
    }
    // Who does not tell how much it is learns it on the way.
    let chunk = [&b"1b58\r\n"[..], &[7; 7_000], b"\r\n"].concat();
    let reply = ada.ask(
        "POST /api/v1/attachments",
        "transfer-encoding: chunked\r\n",
        &chunk,
    );
    assert_eq!(code(&reply), is(409, "limit_reached"));
    ada.script = Script::connect(house.node.web());
    assert_eq!(ada.remove(&made["id"]).status, 200);
    ada.upload("", &[8; 9_000]);
    let empty = ada.try_upload("", b"");
    assert_eq!(code(&empty), is(422, "invalid_value"));
}

#[test]
fn many_small_files_reach_the_quota_as_their_blocks_do() {
    let house = House::new(AttachmentsConfig {
        quota: 3 * 4_096,
        ..AttachmentsConfig::default()
    });
    let mut ada = house.user("ada");
    let mut made: Vec<_> = (0..3_u8).map(|byte| ada.upload("", &[byte])).collect();
    assert_eq!(code(&ada.try_upload("", b"a")), is(409, "limit_reached"));
    ada.script = Script::connect(house.node.web());
    let last = made.pop().expect("the third");
    assert_eq!(ada.remove(&last["id"]).status, 200);
    ada.upload("", &[7; 4_096]);
    assert_eq!(code(&ada.try_upload("", b"a")), is(409, "limit_reached"));
}

/// The head of an upload whose body is not sent.
fn begin(house: &House, user: &User, fields: &str) -> Script {
    let mut script = Script::connect(house.node.web());
    let token = &user.token;
    script.send(format!(
        "POST /api/v1/attachments HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n\
         {fields}\r\n"
    ));
    script
}

#[test]
fn one_user_does_not_take_all_places() {
    let house = House::new(AttachmentsConfig::default());
    let (ada, mut bob) = (house.user("ada"), house.user("bob"));
    let hold = || begin(&house, &ada, "content-length: 1000\r\n");
    let mut held: Vec<_> = (0..8).map(|_| hold()).collect();
    house
        .node
        .until("they have begun", |_| house.files().len() == 8);
    assert_eq!(code(&hold().reply()), is(503, "busy"));
    bob.upload("", b"there is room for him");
    held.pop();
    house
        .node
        .until("one has ended", |_| house.files().len() == 8);
    held.push(hold());
    house
        .node
        .until("another has begun", |_| house.files().len() == 9);
}

/// A picture of some fifty bytes whose decoder fills 250,000 pixels.
fn wide_picture(number: u8) -> Vec<u8> {
    let mut bytes = b"GIF89a\xf4\x01\xf4\x01\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    bytes.extend(b"\x2c\x05\0\x05\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b");
    bytes.push(number);
    bytes
}

#[test]
fn pictures_that_take_long_to_decode_keep_nobody_else_waiting() {
    let house = House::new(AttachmentsConfig::default());
    let (ada, bob, mut eve) = (house.user("ada"), house.user("bob"), house.user("eve"));
    let kept = eve.upload("", b"kept");
    let drawn = Arc::new(AtomicU64::new(0));
    let waiting: Vec<_> = (0..16)
        .map(|number| {
            let user = if number % 2 == 0 { &ada } else { &bob };
            let bytes = wide_picture(number);
            let mut script = begin(
                &house,
                user,
                &format!("content-length: {}\r\n", bytes.len()),
            );
            script.send(bytes);
            script.be_patient_for(4 * harness::PATIENCE);
            let drawn = Arc::clone(&drawn);
            thread::spawn(move || {
                let made = value(&script.reply());
                assert_eq!(
                    (&made["width"], &made["height"]),
                    (&json!(500), &json!(500))
                );
                assert!(
                    made["thumbnail_url"].is_string(),
                    "it was understood: {made}"
                );
                drawn.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    house
        .node
        .until("they have come", |_| house.files().len() >= 17);
    eve.upload("", b"while the others wait");
    assert_eq!(eve.fetch(&kept["url"], "").body, b"kept");
    let drawn = drawn.load(Ordering::SeqCst);
    assert!(drawn < 8, "{drawn} pictures came first");
    for thread in waiting {
        thread.join().expect("each is drawn in its turn");
    }
}

#[test]
fn uploads_at_the_same_time_are_not_taken_for_a_quota_that_is_reached() {
    let house = House::new(AttachmentsConfig {
        size_max: 100_000,
        quota: 250_000,
        ..AttachmentsConfig::default()
    });
    let mut ada = house.user("ada");
    let form = "content-type: multipart/form-data; boundary=x\r\n";
    let forms: Vec<_> = (0..5)
        .map(|_| begin(&house, &ada, &format!("{form}content-length: 10000\r\n")))
        .collect();
    house
        .node
        .until("they have begun", |_| house.files().len() == 5);
    drop(forms);
    house
        .node
        .until("they have ended", |_| house.files().is_empty());
    // Of these it is not known how much they come to: each may be as large as any.
    let chunked: Vec<_> = (0..3)
        .map(|_| begin(&house, &ada, "transfer-encoding: chunked\r\n"))
        .collect();
    house
        .node
        .until("they have begun", |_| house.files().len() == 3);
    let short = ada.try_upload("", b"short");
    assert_eq!(code(&short), is(503, "busy"), "it would fit later");
    ada.script = Script::connect(house.node.web());
    drop(chunked);
    house
        .node
        .until("they have ended", |_| house.files().is_empty());
    for _ in 0..2 {
        ada.upload("", &[7; 100_000]);
    }
    // Whatever a form has around its file, the file cannot be short enough.
    let mut long = begin(&house, &ada, &format!("{form}content-length: 120000\r\n"));
    assert_eq!(code(&long.reply()), is(409, "limit_reached"));
}

#[test]
fn without_a_token_nothing_is_taken() {
    let house = House::new(AttachmentsConfig::default());
    for field in [
        "",
        "authorization: Bearer x.y.z\r\n",
        "authorization: Basic YTpi\r\n",
    ] {
        let mut client = Script::connect(house.node.web());
        client.send(format!(
            "POST /api/v1/attachments HTTP/1.1\r\nhost: test\r\n{field}\
             content-length: 100000000\r\n\r\n"
        ));
        assert_eq!(code(&client.reply()), is(401, "unauthenticated"));
    }
    assert!(house.files().is_empty());
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() {
    let house = House::new(AttachmentsConfig::default());
    let mut ada = house.user("ada");
    for _ in 0..5 {
        ada.script.send(format!(
            "POST /api/v1/attachments HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\n\
             content-length: 1000000\r\n\r\nfirst bytes",
            ada.token
        ));
        house
            .node
            .until("it is being written", |_| house.files().len() == 1);
        ada.script = Script::connect(house.node.web());
        house
            .node
            .until("it is removed", |_| house.files().is_empty());
    }
    // All of what it had reserved is free again.
    ada.upload("", b"whole");
}

#[test]
fn what_no_message_names_is_removed_in_time() {
    let house = House::new(AttachmentsConfig::default());
    let (mut ada, bob) = (house.user("ada"), house.user("bob"));
    let (named, unnamed) = (ada.upload("", b"named"), ada.upload("", b"unnamed"));
    ada.send(&json!({"user": bob.id}), &named["id"]);
    assert_eq!(house.files().len(), 2);
    house.ahead_ms.store(25 * 3_600_000, Ordering::SeqCst);
    house
        .node
        .until("its file is removed", |_| house.files().len() == 1);
    assert_eq!(ada.find(&named["id"]).status, 200);
    assert_eq!(code(&ada.find(&unnamed["id"])), is(404, "not_found"));
}
