//! What does a deadline cost when a million connections have one each?
//!
//! The links of the entries lie as far apart as in the table of connections, so the caches are as
//! cold as they would be.

use std::time::Duration;

use gatehouse_benches::table::{Table, figure};
use gatehouse_benches::timing::{Effort, median, time};
use network::bench_support::{CONNECTION_BYTES, Wheel};

const ENTRIES: u32 = 1_000_000;
/// Ticks over which deadlines are spread: the minute of a heartbeat.
const SPREAD: u32 = 60;
/// Odd, so that multiples of it modulo a power of two visit everything, and far from neighbours.
const STRIDE: u32 = 0x9E37_79B1;

fn main() {
    let effort = Effort::from_args();
    let rounds = effort.pick(7, 3);
    let title = format!("timer wheel, {ENTRIES} entries, each {CONNECTION_BYTES} B from the next");
    let mut table = Table::new(title, ["", "ns/entry", "ns/entry at random"]);
    let [ordered, scattered] = [false, true].map(|scattered| {
        let mut samples: [Vec<Duration>; 4] = Default::default();
        for _ in 0..rounds {
            for (kind, sample) in samples.iter_mut().zip(round(scattered)) {
                kind.push(sample);
            }
        }
        samples.map(|mut kind| median(&mut kind).as_nanos() as f64 / f64::from(ENTRIES))
    });
    let steps = [
        "schedule",
        "schedule anew",
        "come due and schedule anew",
        "cancel",
    ];
    for ((step, ordered), scattered) in steps.iter().zip(ordered).zip(scattered) {
        table.row([step, &figure(ordered), &figure(scattered)]);
    }
    table.print();
}

/// All entries are scheduled, moved, come due over one spread, and are cancelled.
fn round(scattered: bool) -> [Duration; 4] {
    let order: Vec<u32> = if scattered {
        let span = ENTRIES.next_power_of_two();
        (0..span)
            .map(|at| at.wrapping_mul(STRIDE) % span)
            .filter(|&entry| entry < ENTRIES)
            .collect()
    } else {
        (0..ENTRIES).collect()
    };
    let mut wheel = Wheel::new(ENTRIES as usize);
    let scheduled = time(|| {
        for &entry in &order {
            wheel.schedule(entry, 1 + entry % SPREAD);
        }
    });
    let moved = time(|| {
        for &entry in &order {
            wheel.schedule(entry, 1 + (entry + 7) % SPREAD);
        }
    });
    let mut came = 0;
    let expired = time(|| {
        for tick in 1..=SPREAD {
            while let Some(entry) = wheel.pop_due(tick) {
                came += 1;
                wheel.schedule(entry, tick + SPREAD);
            }
        }
    });
    assert_eq!(came, ENTRIES, "each comes due once");
    let cancelled = time(|| {
        for &entry in &order {
            wheel.cancel(entry);
        }
    });
    [scheduled, moved, expired, cancelled]
}
