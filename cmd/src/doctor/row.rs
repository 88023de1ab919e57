//! One line of the examination.

use serde::Serialize;

use crate::host::{Capacity, HostFacts, Resource, Shape};

use super::remedy::{holds_too_little, is_short};
use super::words;

/// How a bound stands to the connections that are wanted, or to the one that binds first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// There is enough.
    Ok,
    /// There is not much more than enough, or it will be felt.
    Tight,
    /// There is too little, and something else binds before it.
    Short,
    /// This binds first.
    Binds,
    /// Nothing depends on it here.
    Info,
}

/// One line of the examination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What was looked at.
    pub name: &'static str,
    /// How it is now.
    pub now: String,
    /// Connections that it allows, if it bounds them.
    pub connections: Option<u64>,
    /// How that is.
    pub mark: Mark,
}

/// All that was looked at: first what bounds the number of connections, then what is felt with
/// many.
pub(super) fn rows(
    facts: &HostFacts,
    shape: &Shape,
    capacity: &Capacity,
    wanted: Option<u64>,
) -> Vec<Row> {
    let binding = capacity.binding();
    let mut rows: Vec<_> = capacity
        .bounds()
        .iter()
        .map(|bound| {
            let fewer = wanted.is_some_and(|wanted| bound.connections < wanted);
            let measure = wanted.unwrap_or(binding.connections);
            let mark = if *bound == binding && (fewer || wanted.is_none()) {
                Mark::Binds
            } else if fewer {
                Mark::Short
            } else if bound.connections / 5 * 4 < measure {
                Mark::Tight
            } else {
                Mark::Ok
            };
            Row {
                name: words::name(bound.resource),
                now: now(bound.resource, facts, shape),
                connections: (bound.connections < u64::MAX).then_some(bound.connections),
                mark,
            }
        })
        .collect();
    rows.extend(felt(facts, shape, wanted));
    rows
}

fn now(resource: Resource, facts: &HostFacts, shape: &Shape) -> String {
    match resource {
        Resource::Descriptors => {
            let limits = facts
                .descriptors
                .unwrap_or(crate::host::DescriptorLimits { soft: 0, hard: 0 });
            let tables = if shape.private_fd_tables {
                format!("for each of {} reactors", shape.reactors)
            } else {
                "for all reactors together".to_owned()
            };
            let raised = if limits.soft < limits.hard {
                format!(" (soft {}, raised at start)", words::count(limits.soft))
            } else {
                String::new()
            };
            format!("{} {tables}{raised}", words::count(limits.hard))
        }
        Resource::Files => used_of(facts.files.map(|files| (files.used, files.max))),
        Resource::EpollWatches => facts.epoll_watches.map_or_else(String::new, words::count),
        Resource::Conntrack => used_of(facts.conntrack.map(|c| (c.used, c.max))),
        Resource::Memory => {
            let (left, allowed) = (facts.memory.left(), facts.memory.allowed());
            let whose = if facts.memory.group_binds() {
                " of the control group"
            } else {
                ""
            };
            format!(
                "{} free of {}{whose}",
                words::bytes(left),
                words::bytes(allowed)
            )
        }
        Resource::Commit => {
            let left = facts.memory.commit_left.unwrap_or(0);
            format!("{} may still be promised", words::bytes(left))
        }
        Resource::Budget => format!("{} for clients", words::bytes(shape.budget_bytes)),
        Resource::Threads => {
            let left = facts.threads.map_or(0, |threads| threads.left());
            format!("{} needed, {} free", shape.threads(), words::count(left))
        }
    }
}

fn used_of(usage: Option<(u64, u64)>) -> String {
    usage.map_or_else(String::new, |(used, max)| {
        format!("{} in use of {}", words::count(used), words::count(max))
    })
}

/// What does not bound the number of connections. Without a number that is wanted nothing can be
/// said of what is enough.
fn felt(facts: &HostFacts, shape: &Shape, wanted: Option<u64>) -> Vec<Row> {
    let mark = |tight: &dyn Fn(u64) -> bool| match wanted {
        None => Mark::Info,
        Some(wanted) if tight(wanted) => Mark::Tight,
        Some(_) => Mark::Ok,
    };
    let mut rows = Vec::new();
    let mut add = |name, now: Option<String>, mark| {
        rows.extend(now.map(|now| Row {
            name,
            now,
            connections: None,
            mark,
        }));
    };
    let queues = [
        ("accept queue", facts.accept_queue),
        ("SYN queue", facts.syn_queue),
    ];
    for (name, queue) in queues {
        let tight = |wanted| queue.is_some_and(|queue| is_short(queue, wanted, shape));
        let text = |queue| format!("{} for each reactor and listener", words::count(queue));
        add(name, queue.map(text), mark(&tight));
    }
    let pages = |pages: [u64; 3]| {
        let bytes = words::bytes(pages[2].saturating_mul(4096));
        format!("{bytes} for data on its way, idle connections take none")
    };
    let tight = |wanted| facts.tcp_pages.is_some_and(|p| holds_too_little(p, wanted));
    add("TCP memory", facts.tcp_pages.map(pages), mark(&tight));
    let buffers = facts.receive_buffer.zip(facts.send_buffer);
    let buffers = buffers.map(|([_, _, receive], [_, _, send])| {
        let (receive, send) = (words::bytes(receive), words::bytes(send));
        format!("up to {receive} in, {send} out a connection, while it is busy")
    });
    add("socket buffers", buffers, Mark::Info);
    let ports = |ports: crate::host::Ports| {
        let ports = words::count(ports.per_pair());
        format!("{ports} from one client address to one of ours")
    };
    add("client ports", facts.ports.map(ports), Mark::Info);
    let idle = facts.conntrack.filter(|conntrack| !conntrack.tracks());
    let idle = idle.map(|_| "loaded, and tracks nothing".to_owned());
    add("conntrack", idle, Mark::Info);
    let always = facts.huge_pages.as_deref() == Some("always");
    let huge = if always { Mark::Tight } else { Mark::Ok };
    add("huge pages", facts.huge_pages.clone(), huge);
    let processors = facts.processors.map(|processors| {
        let quota = facts.group.processors;
        let quota = quota.map_or_else(String::new, |quota| format!(", time of {quota}"));
        format!(
            "{processors}{quota}, for {} reactors and {} workers",
            shape.reactors, shape.workers
        )
    });
    add("processors", processors, Mark::Info);
    let swap = facts.memory.swap;
    let swap = (swap > 0).then(|| format!("{}, not counted on", words::bytes(swap)));
    add("swap", swap, Mark::Info);
    rows
}
