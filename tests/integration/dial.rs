//! Connections that a reactor makes itself, without a gate.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use common::{CloseReason, ConnId};
use harness::PATIENCE;
use network::codec::{Frame, Framing};
use network::{Ctx, Deadline, Handler, Offer, Profile, ReactorConfig, ReactorSeed};

/// Dials where it is told to, and tells how it ended.
struct Dialer(Sender<CloseReason>);

impl Handler for Dialer {
    type Command = SocketAddr;

    fn on_open(&mut self, _: &mut Ctx<'_>, _: ConnId, _: Offer) {}

    fn on_frame(&mut self, _: &mut Ctx<'_>, _: ConnId, _: Frame<'_>) {}

    fn on_command(&mut self, ctx: &mut Ctx<'_>, remote: SocketAddr) {
        ctx.connect(remote, None, 0).expect("it fails later");
    }

    fn on_deadline(&mut self, _: &mut Ctx<'_>, _: ConnId, _: Deadline) {}

    fn on_close(&mut self, ctx: &mut Ctx<'_>, _: ConnId, reason: CloseReason) {
        self.0.send(reason).expect("the test waits");
        ctx.stop();
    }
}

#[test]
fn who_dials_learns_why_there_is_no_connection() {
    // A port that was free a moment ago, and that is not among those which others are given.
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = nobody.local_addr().expect("bound");
    drop(nobody);
    let (ended, reasons) = channel();
    let (seed, handle) = ReactorSeed::new(
        0,
        ReactorConfig::default(),
        vec![Profile::new(Framing::Http)],
    )
    .expect("a reactor");
    let reactor = thread::spawn(move || {
        let mut reactor = seed.start(Dialer(ended), &[]).expect("it starts");
        reactor.run()
    });
    handle.submit(vec![addr]).expect("it runs");
    let reason = reasons.recv_timeout(PATIENCE).expect("an end");
    let refused = CloseReason::ConnectFailed(io::ErrorKind::ConnectionRefused);
    assert_eq!(reason, refused);
    assert_eq!(reason.to_string(), "connect_failed (connection refused)");
    reactor.join().expect("no panic").expect("an orderly end");
}
