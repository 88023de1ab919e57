//! All connect, exchange a message, and leave, over and over: does the memory come back, so that
//! the most that is ever needed does not climb?

use std::fs;

use super::course::Course;
use super::findings::{Burst, Findings};
use super::given_back;
use crate::load::Wait;

pub(super) fn run(course: &mut Course<'_>, findings: &mut Findings) -> anyhow::Result<Wait> {
    let server = course.server.pid();
    for number in 0..course.options.bursts.unwrap_or(0) {
        forget_peak(server);
        let (wait, opened) = course.open()?;
        let complete = opened.connections == u64::from(course.connections);
        if number == 0 {
            findings.opened = Some(opened.clone());
        }
        if wait != Wait::Done || !complete {
            return Ok(wait);
        }
        let (wait, echoes) = course.exchange()?;
        if wait == Wait::Interrupted {
            return Ok(wait);
        }
        let (wait, closed) = course.close()?;
        let held = given_back(server, &findings.start)?;
        findings.bursts.push(Burst {
            opened,
            echoes,
            closed,
            peak: peak(server).unwrap_or_default(),
            after: held.server.rss,
            kernel_after: held.kernel_growth(&findings.start),
        });
        findings.after = Some(held);
        if wait != Wait::Done {
            return Ok(wait);
        }
    }
    Ok(Wait::Done)
}

/// The most that a process has had resident since [`forget_peak`].
fn peak(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// Lets the kernel watch for the peak anew (`clear_refs`, proc(5)). Where that is not allowed each
/// burst is charged with those before it, which makes a climb no smaller.
fn forget_peak(pid: u32) {
    let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
}
