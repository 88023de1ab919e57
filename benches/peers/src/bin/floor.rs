//! The floor as a process: bytes in, as many out as a WebSocket server would write.

use gatehouse_peers::floor::Floor;
use gatehouse_peers::serve::{self, Arguments};

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::take()?;
    let listener = serve::listen()?;
    let addr = listener.local_addr()?;
    let mut floor = Floor::new(listener, &arguments)?;
    serve::announce(addr)?;
    floor.run()
}
