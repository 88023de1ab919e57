//! What a configuration promises, and whether the host can hold it.

use crate::config::Config;
use crate::host::{Capacity, HostFacts, Resource, Shape};

use super::remedy::in_a_line;
use super::words;

/// What a configuration promises its clients. Defaults promise nothing: without a cap everybody is
/// welcome as long as there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Connections at once, if any cap says how many; of listeners without one, none are promised.
    pub connections: Option<u64>,
    /// Bytes that may be held for clients.
    pub memory_bytes: u64,
}

impl Promise {
    /// The promise of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let caps = || config.listeners.iter().map(|l| l.limits.connections_max);
        let of_listeners = caps()
            .filter(|&cap| cap < usize::MAX)
            .fold(0_usize, usize::saturating_add);
        let capped = caps().all(|cap| cap < usize::MAX);
        let node = config.connections_max;
        let connections = if capped || node == usize::MAX {
            of_listeners.min(node)
        } else {
            node
        };
        Self {
            connections: (connections > 0).then_some(connections as u64),
            memory_bytes: config.memory_bytes_max as u64,
        }
    }
}

/// The promises of a configuration that the host cannot hold: one line each, with what to do.
#[must_use]
pub fn broken_promises(config: &Config, facts: &HostFacts) -> Vec<String> {
    let (shape, promise) = (Shape::of(config), Promise::of(config));
    let capacity = Capacity::of(facts, &shape);
    let mut broken = Vec::new();
    let threads = capacity.allowed_by(Resource::Threads) == Some(0);
    if threads && let Some(limit) = facts.threads {
        broken.push(format!(
            "{} threads are to be started, and {} more may be: {}",
            shape.threads(),
            words::count(limit.left()),
            in_a_line(Resource::Threads, 0, facts, &shape)
        ));
    }
    if let Some(connections) = promise.connections {
        let short = capacity.short_of(connections);
        for bound in short.iter().filter(|b| b.resource != Resource::Threads) {
            broken.push(format!(
                "{} connections are promised, and {} allows {}: {}",
                words::count(connections),
                words::name(bound.resource),
                words::count(bound.connections),
                in_a_line(bound.resource, connections, facts, &shape)
            ));
        }
    }
    let allowed = facts.memory.allowed();
    if allowed > 0 && promise.memory_bytes > allowed {
        broken.push(format!(
            "memory = {} may be held for clients, and there are {}: set `memory` to {} or less, \
             which leaves the kernel as much again, or to \"auto\"",
            words::bytes(promise.memory_bytes),
            words::bytes(allowed),
            words::bytes(allowed / 2),
        ));
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;
    use crate::host::tree::Tree;

    fn config(text: &str) -> Config {
        Config::from_sources(&Sources::of_text("test.toml", text, Vec::new())).unwrap()
    }

    #[test]
    fn caps_promise_and_their_absence_does_not() {
        let promised = |text: &str| Promise::of(&config(text)).connections;
        assert_eq!(promised(""), None);
        assert_eq!(promised("connections = 5000"), Some(5000));
        let listeners = "[[listener]]\nname = \"a\"\nlisten = \"127.0.0.1:1\"\n\
                         limits.connections = 300\n\
                         [[listener]]\nname = \"b\"\nlisten = \"127.0.0.1:2\"\n";
        assert_eq!(promised(listeners), Some(300), "the other takes who comes");
        assert_eq!(
            promised(&format!("connections = 900\n{listeners}")),
            Some(900)
        );
        let both = format!("{listeners}limits.connections = 400\n");
        assert_eq!(promised(&both), Some(700));
        assert_eq!(promised(&format!("connections = 600\n{both}")), Some(600));
    }

    #[test]
    fn the_default_configuration_alarms_on_no_host() {
        // What is automatic would be this host's.
        let default = "memory = \"256MiB\"\nreactors = 4\nworkers = 8\n";
        for tree in [
            Tree::laptop(),
            Tree::sandbox(),
            Tree::container(),
            Tree::server(),
        ] {
            let broken = broken_promises(&config(default), &tree.facts());
            assert!(broken.is_empty(), "{broken:?}");
        }
    }

    #[test]
    fn what_is_promised_too_much_is_said_with_its_remedy() {
        let facts = Tree::sandbox().facts();
        let million = "connections = 1000000\nmemory = \"4GiB\"\nworkers = 2\n";
        let broken = broken_promises(&config(&format!("{million}reactors = 2\n")), &facts);
        let [line] = &broken[..] else {
            panic!("{broken:?}");
        };
        assert!(
            line.contains("1,000,000 connections are promised"),
            "{line}"
        );
        assert!(line.contains("reactors = 52"), "{line}");
        let enough = config(&format!("{million}reactors = 52\n"));
        assert_eq!(broken_promises(&enough, &facts), Vec::<String>::new());
    }

    #[test]
    fn more_memory_or_threads_than_there_are_cannot_be_promised() {
        let facts = Tree::container().facts();
        let broken = broken_promises(
            &config("memory = \"1GiB\"\nreactors = 400\nworkers = 2\n"),
            &facts,
        );
        let [threads, memory] = &broken[..] else {
            panic!("{broken:?}");
        };
        assert!(threads.contains("421 threads"), "{threads}");
        assert!(threads.contains("TasksMax"), "{threads}");
        assert!(memory.contains("set `memory` to 256.0 MiB"), "{memory}");
    }
}
