//! Two sessions that talk to each other without a socket.

use std::io::IoSlice;

use proptest::prelude::*;

use super::session::{Scratch, Session};
use super::stream::{Sealed, Seals};
use super::*;
use crate::conn::Stream;
use crate::conn::testing::Pipe;

/// Bytes that a record adds to its plaintext: header, tag, and the kind inside (RFC 8446 section
/// 5.2).
const OVERHEAD: usize = 5 + 16 + 1;

fn settings() -> (TlsServer, TlsClient) {
    let dir = tempfile::tempdir().expect("room for a directory");
    let made = rcgen::generate_simple_self_signed(["test".to_owned()]).expect("a certificate");
    let files = CertificateFiles {
        cert: dir.path().join("a.pem"),
        key: dir.path().join("a.key"),
    };
    std::fs::write(&files.cert, made.cert.pem()).expect("room for a file");
    std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("room for a file");
    let client = TlsClient::trusting(&files.cert, "test", &[]).expect("a root");
    let settings = TlsSettings {
        certificates: vec![files],
        ..TlsSettings::default()
    };
    (
        TlsServer::load(&settings).expect("files that were just written"),
        client,
    )
}

/// A session and what it is used with.
struct End {
    session: Session,
    scratch: Scratch,
    plain: Vec<u8>,
}

impl End {
    fn server(server: &TlsServer) -> Self {
        Self::of(&Tls::Server(server.clone()))
    }

    fn client(client: &TlsClient) -> Self {
        let mut end = Self::of(&Tls::Client(client.clone()));
        end.take_in(&[]);
        end
    }

    fn of(tls: &Tls) -> Self {
        Self {
            session: Session::new(tls).expect("settings that go together"),
            scratch: Scratch::default(),
            plain: Vec::new(),
        }
    }

    /// Takes in what has come, as a reactor would; the plaintext, and whether a step was made.
    fn take_in(&mut self, records: &[u8]) -> (Vec<u8>, bool) {
        let mut input = [self.session.partial(), records].concat();
        self.plain.resize(input.len(), 0);
        let opened = self
            .session
            .open(&mut input, &mut self.plain, &mut self.scratch)
            .expect("the other end keeps to the protocol");
        (self.plain[..opened.plain].to_vec(), opened.stepped)
    }

    fn take_pending(&mut self) -> Vec<u8> {
        let pending = self.session.pending().to_vec();
        self.session.keep_pending(&[]);
        pending
    }

    fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        self.scratch.clear();
        self.session
            .seal(plain, &mut self.scratch)
            .expect("the handshake is done");
        self.scratch.filled().to_vec()
    }
}

/// Two ends that have made their handshake.
fn established() -> (End, End) {
    let (server, client) = settings();
    let (mut server, mut client) = (End::server(&server), End::client(&client));
    while client.session.is_handshaking() || server.session.is_handshaking() {
        server.take_in(&client.take_pending());
        client.take_in(&server.take_pending());
    }
    (server, client)
}

#[test]
fn a_hello_may_be_split_anywhere() {
    let (server, client) = settings();
    let hello = End::client(&client).take_pending();
    for cut in 0..hello.len() {
        let mut end = End::server(&server);
        let (plain, stepped) = end.take_in(&hello[..cut]);
        assert_eq!((plain.len(), stepped), (0, false), "cut at {cut}");
        assert_eq!(end.session.partial(), &hello[..cut]);
        let (plain, stepped) = end.take_in(&hello[cut..]);
        assert_eq!((plain.len(), stepped), (0, true), "cut at {cut}");
        assert!(end.session.has_pending() && end.session.partial().is_empty());
    }
}

#[test]
fn records_may_be_split_anywhere_and_come_together() {
    let (mut server, mut client) = established();
    let text: Vec<u8> = (0..200).collect();
    for cut in 0..=2 * (text.len() + OVERHEAD) {
        let records = [client.seal(&text), client.seal(&text)].concat();
        let (mut plain, _) = server.take_in(&records[..cut]);
        plain.extend(server.take_in(&records[cut..]).0);
        assert_eq!(plain, text.repeat(2), "cut at {cut}");
        assert!(server.session.partial().is_empty());
    }
}

#[test]
fn an_idle_session_holds_no_bytes() {
    let (mut server, mut client) = established();
    client.take_in(&server.take_pending());
    server.take_in(&client.seal(b"hello"));
    for end in [&server, &client] {
        assert!(end.session.partial().is_empty() && !end.session.has_pending());
    }
}

#[test]
fn the_end_is_said_once_and_nothing_is_sealed_behind_it() {
    let (mut server, mut client) = established();
    client
        .session
        .end(&mut Scratch::default())
        .expect("a session");
    let goodbye = client.take_pending();
    client
        .session
        .end(&mut Scratch::default())
        .expect("a session");
    assert!(!client.session.has_pending() && !client.session.may_seal());
    let mut input = goodbye;
    let mut plain = vec![0; input.len()];
    let opened = server
        .session
        .open(&mut input, &mut plain, &mut Scratch::default())
        .expect("an end is no error");
    assert!(opened.ended && opened.plain == 0 && server.session.may_seal());
}

#[test]
fn messages_that_are_never_whole_have_a_bound() {
    let (server, _) = settings();
    let mut end = End::server(&server);
    // A hello of 65,535 bytes, one of them in each record.
    let mut record = vec![22, 3, 1, 0, 4, 1, 0, 0xff, 0xff];
    let mut taken = 0;
    loop {
        let mut input = [end.session.partial(), &record].concat();
        let mut plain = vec![0; input.len()];
        if end
            .session
            .open(&mut input, &mut plain, &mut end.scratch)
            .is_err()
        {
            break;
        }
        taken += record.len();
        assert!(taken <= session::PARTIAL_BYTES_MAX, "{taken}");
        record = [22, 3, 1, 0, 1, 7].repeat(1000);
    }
    assert!(end.session.partial().is_empty(), "nothing is kept of it");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the kernel takes at a time and however the slices lie, the peer opens what was
    /// written, in order, and what is left over is bounded by one step.
    #[test]
    fn what_is_sealed_comes_out_whole(
        writes in proptest::collection::vec(
            proptest::collection::vec(1usize..40_000, 1..6),
            1..6,
        ),
        rooms in proptest::collection::vec(0usize..50_000, 1..30),
    ) {
        let (mut server, mut client) = established();
        client.take_in(&server.take_pending());
        let mut seals = Seals::default();
        let mut pipe = Pipe::default();
        let mut rooms = rooms.into_iter();
        let (mut written, mut next) = (Vec::new(), 0u8);
        for lengths in writes {
            let parts: Vec<Vec<u8>> = lengths
                .into_iter()
                .map(|length| {
                    next = next.wrapping_add(1);
                    vec![next; length]
                })
                .collect();
            let whole = parts.concat();
            let mut at = 0;
            while at < whole.len() {
                pipe.room = rooms.next().unwrap_or(1 << 20);
                let mut sealed = Sealed {
                    socket: &mut pipe,
                    session: &mut server.session,
                    seals: &mut seals,
                    written: 0,
                    calls: 0,
                };
                // The parts that are not taken yet, as an outbox would give them.
                let mut skip = at;
                let slices: Vec<_> = parts
                    .iter()
                    .filter_map(|part| {
                        let from = skip.min(part.len());
                        skip -= from;
                        (from < part.len()).then(|| IoSlice::new(&part[from..]))
                    })
                    .collect();
                match sealed.write_vectored(&slices) {
                    Ok(n) => at += n,
                    Err(error) => {
                        prop_assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                    }
                }
                let pending = server.session.pending().len();
                prop_assert!(pending <= (64 + 4) * 1024 + 5 * OVERHEAD, "{}", pending);
            }
            written.extend_from_slice(&whole);
        }
        pipe.room = usize::MAX;
        let mut sealed = Sealed {
            socket: &mut pipe,
            session: &mut server.session,
            seals: &mut seals,
            written: 0,
            calls: 0,
        };
        prop_assert!(sealed.write_pending().expect("a pipe takes everything"));
        let mut opened = Vec::new();
        for piece in pipe.written.chunks(60_000) {
            opened.extend(client.take_in(piece).0);
        }
        prop_assert!(opened == written, "{} and {} bytes", opened.len(), written.len());
    }
}
