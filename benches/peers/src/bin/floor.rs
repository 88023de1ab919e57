//! The floor as a process: bytes in, as many out as a WebSocket server would write.

use std::net::TcpListener;
use std::thread;

use gatehouse_peers::floor::{Bells, Floor};
use gatehouse_peers::serve::{self, Arguments};
use nix::sched::CloneFlags;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::take()?;
    let mut listeners = serve::listen_in(arguments.loops)?.into_iter().enumerate();
    let bells = Bells::new(arguments.loops)?;
    let first = listeners.next().map(|(_, listener)| listener);
    let first = first.ok_or_else(|| anyhow::anyhow!("--loops takes at least one"))?;
    let addr = first.local_addr()?;
    let run = move |own: usize, listener: TcpListener, bells: Bells| -> anyhow::Result<()> {
        if arguments.loops > 1 {
            nix::sched::unshare(CloneFlags::CLONE_FILES)?;
        }
        Floor::new(listener, &arguments, bells, own)?.run()
    };
    for (own, listener) in listeners {
        let (run, bells) = (run.clone(), bells.clone());
        thread::spawn(move || {
            if let Err(error) = run(own, listener, bells) {
                eprintln!("a loop has failed: {error:#}");
                std::process::exit(1);
            }
        });
    }
    serve::announce(addr)?;
    run(0, first, bells)
}
