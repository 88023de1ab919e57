//! The books of all users compared, and what is told of them.

use std::collections::HashMap;
use std::time::Duration;

use super::books::Standing;
use super::crowd::{Found, Talk};
use crate::host::Cores;
use crate::load::{Ended, Wait};
use crate::options::ImLoad;
use crate::report::Report;
use crate::scenario::{Setup, connections, headline, outcome, reasons, refusals};
use crate::units;

/// Everything about a run that is over.
pub(super) struct Run<'a> {
    pub(super) options: &'a ImLoad,
    pub(super) users: u64,
    pub(super) groups: u32,
    pub(super) logged_in: u64,
    /// Users who were there and up to date in the end.
    pub(super) ready: u64,
    pub(super) found: Found,
    pub(super) ended: Ended<()>,
    pub(super) waits: Vec<Wait>,
    /// How long was written.
    pub(super) span: Duration,
    pub(super) lasted: Duration,
}

/// What the books of a conversation's users say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Proof {
    conversations: u64,
    /// Messages that have a place.
    placed: u64,
    /// Logs in which a number is missing.
    gaps: u64,
    /// Logs that say something else than another one of the same conversation.
    differing: u64,
}

impl Proof {
    fn of(standings: &[(Talk, Standing)]) -> Self {
        let mut proof = Self::default();
        let mut talks: HashMap<Talk, (Standing, u64)> = HashMap::new();
        for (talk, standing) in standings {
            proof.gaps += u64::from(!standing.dense);
            let (first, last) = talks.entry(*talk).or_insert((*standing, 0));
            proof.differing += u64::from(first != standing);
            *last = (*last).max(standing.last);
        }
        proof.conversations = talks.len() as u64;
        proof.placed = talks.values().map(|(_, last)| last).sum();
        proof
    }
}

impl Run<'_> {
    pub(super) fn report(&self, setup: &Setup<'_>, cores: Cores) -> Report {
        let mut report = setup.report("im", &self.headline());
        let proof = Proof::of(&self.found.standings);
        self.connections(&mut report);
        self.messages(&mut report);
        self.proof(&mut report, proof);
        let found = &self.found;
        let rows = [
            ("reply", "send to acknowledgement", &found.reply),
            ("direct", "send to receiver", &found.direct),
            ("group", "send to member", &found.group),
        ];
        report.latencies(&rows[..if self.groups > 0 { 3 } else { 2 }]);
        setup.processor(&mut report, cores);
        self.faults(&mut report, proof);
        outcome(&mut report, &self.waits, self.lasted);
        if report.is_ok() {
            report.note(&format!(
                "Every acknowledged message has arrived exactly once and in order: {} in {}, {} of \
                 inboxes, none missing.",
                units::plural(proof.placed, "message"),
                units::plural(proof.conversations, "conversation"),
                units::plural(found.inbox_entries, "number"),
            ));
        }
        report
    }

    fn headline(&self) -> String {
        let options = self.options;
        let groups = units::plural(self.groups.into(), "group");
        headline(&[
            units::plural(self.users, "user"),
            match self.groups {
                0 => "pairs".to_owned(),
                _ => format!("pairs and {groups} of {}", options.group_size),
            },
            match options.rate {
                Some(rate) => format!("{} msg/s asked for", units::count(rate.into())),
                None => format!("{} on their way", units::count(options.in_flight.into())),
            },
            units::bytes(options.size.into()),
            units::duration(options.duration),
        ])
    }

    fn connections(&self, report: &mut Report) {
        if !self.options.reconnect {
            let logged_in = ("logged_in", "logged in", self.logged_in);
            connections(report, &self.ended, &[logged_in]);
            return;
        }
        let totals = &self.ended.totals;
        let mut section = report.section("connections", "Connections");
        section.count("opened", "opened", totals.ready);
        section.count("lost", "lost", totals.ended);
        section.count("failed", "attempts in vain", totals.failed);
        section.count("logged_in", "logins", totals.logged_in);
        reasons(report, &self.ended);
        refusals(report, &self.ended);
    }

    fn messages(&self, report: &mut Report) {
        let found = &self.found;
        let mut section = report.section("messages", "Messages");
        section.count("sent", "sent", found.sent);
        section.count("acknowledged", "acknowledged", found.acknowledged);
        let rate = units::per_second(found.acknowledged, self.span);
        section.rate("per_second", "rate", rate, "msg");
        section.count("pushed", "pushed", found.pushed);
        let rate = units::per_second(found.pushed, self.span);
        section.rate("pushed_per_second", "rate of pushes", rate, "msg");
        section.count_if_any("resent", "sent again", found.resent);
        section.count_if_any("found", "found by asking", found.found);
        section.count_if_any("idle", "nobody to send", found.idle);
        section.fact("reconnects", found.reconnects);
    }

    fn proof(&self, report: &mut Report, proof: Proof) {
        let found = &self.found;
        let mut section = report.section("books", "Books compared");
        section.count("conversations", "conversations", proof.conversations);
        section
            .count("placed", "messages", proof.placed)
            .note(&format!("of {}", units::count(found.acknowledged)));
        section.count("inbox_entries", "inbox entries", found.inbox_entries);
        section.count("gaps", "with gaps", proof.gaps);
        section.count("differing", "that differ", proof.differing);
        section.count("disordered", "pushes out of order", found.disordered);
    }

    /// What must not happen.
    fn faults(&self, report: &mut Report, proof: Proof) {
        let found = &self.found;
        report.problem(found.unanswered, "message", "without an acknowledgement");
        report.problem(proof.gaps, "log", "with gaps");
        report.problem(proof.differing, "log", "that differs from another's");
        let acknowledged = found.acknowledged;
        let lost = acknowledged.saturating_sub(proof.placed);
        report.problem(lost, "acknowledged message", "lost");
        let doubled = proof.placed.saturating_sub(acknowledged + found.unanswered);
        report.problem(doubled, "message", "stored twice");
        report.problem(found.disordered, "push", "out of order or repeated");
        report.problem(found.incomplete, "inbox", "with gaps");
        report.problem(found.resets, "inbox", "of which something is gone");
        report.problem(found.unreadable, "message", "unreadable");
        let away = self.users.saturating_sub(self.ready);
        if !self.ended.interrupted {
            report.problem(away, "user", "not there, or not up to date, in the end");
        }
        if !self.options.reconnect {
            report.problem(found.found, "push", "that did not come");
            report.problem(found.idle, "message", "that nobody could send");
        }
        if found.sent == 0 {
            report.fault("no message was sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::books::Log;
    use super::*;

    fn standing(messages: &[(u64, u32, u64)]) -> Standing {
        let mut log = Log::default();
        for &(seq, sender, count) in messages {
            log.note(seq, sender, count);
        }
        log.standing()
    }

    #[test]
    fn books_that_agree_prove_every_message_and_others_show_what_is_wrong() {
        let whole = standing(&[(1, 0, 1), (2, 1, 1)]);
        let pair = |other| vec![(Talk::Pair(0), whole), (Talk::Pair(0), other)];
        let good = Proof::of(&pair(whole));
        assert_eq!((good.conversations, good.placed), (1, 2));
        assert_eq!((good.gaps, good.differing), (0, 0));
        assert_eq!(Proof::of(&pair(standing(&[(1, 0, 1)]))).differing, 1);
        assert_eq!(Proof::of(&pair(standing(&[(2, 1, 1)]))).gaps, 1);
        let exchanged = standing(&[(1, 1, 1), (2, 0, 1)]);
        assert_eq!(Proof::of(&pair(exchanged)).differing, 1);
    }
}
