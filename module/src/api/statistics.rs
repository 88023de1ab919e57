//! What the operator's staff is told of the whole: counts, all accounts, all groups.

use std::sync::Arc;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::admin::AdminUserOut;
use super::answer::Answer;
use super::call::{Access, Call, Verb};
use super::caller::Caller;
use super::group::ListOut as GroupsOut;
use super::input::{Limit, Number};
use crate::account::{AccountPage, ListAccounts};
use crate::group::ListAllGroups;
use crate::im::Im;
use crate::statistics::{DAY_MS, DAYS_MAX, Day, FindStatistics, Statistics, day_of};

/// Days that are told of if the client does not say how many.
const DAYS_DEFAULT: u64 = 30;

/// Counts.
pub(super) struct Counts;

#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[schemars(rename = "StatisticsQuery")]
pub(super) struct CountsIn {
    /// How many days, today included; 30 if it is left out.
    #[serde(default)]
    #[garde(range(min = 1, max = DAYS_MAX as u64))]
    #[schemars(range(min = 1, max = 400))]
    days: Option<u64>,
}

/// What happened on a day.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AdminDay")]
struct DayOut {
    /// When it began (UTC), in milliseconds since 1970.
    time: u64,
    /// Accounts that were made.
    users: u64,
    /// Guests who came for the first time.
    guests: u64,
    /// Messages that were sent.
    messages: u64,
    /// Users who came online or sent something.
    active: u64,
}

impl From<Day> for DayOut {
    fn from(day: Day) -> Self {
        Self {
            time: day.day * DAY_MS,
            users: day.users,
            guests: day.guests,
            messages: day.messages,
            active: day.active,
        }
    }
}

/// How much there is of everything.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AdminStatistics")]
pub(super) struct CountsOut {
    /// Users, guests included.
    users: u64,
    guests: u64,
    /// Groups that were not dismissed.
    groups: u64,
    /// Papers that wait for an answer.
    verifications_open: u64,
    /// The days on which something happened, the first first.
    days: Vec<DayOut>,
}

impl From<Statistics> for CountsOut {
    fn from(found: Statistics) -> Self {
        Self {
            users: found.users,
            guests: found.guests,
            groups: found.groups,
            verifications_open: found.verifications_open,
            days: found.days.into_iter().map(DayOut::from).collect(),
        }
    }
}

impl Call for Counts {
    const OP: &'static str = "admin.statistics";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/statistics";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str = "How many users, groups and messages there are, by day";
    type In = CountsIn;
    type Out = CountsOut;

    fn perform(input: CountsIn, _: &Caller, im: &Arc<Im>, answer: Answer<CountsOut>) {
        let today = day_of(im.time());
        let days = input.days.unwrap_or(DAYS_DEFAULT);
        let find = FindStatistics {
            days: (today + 1).saturating_sub(days)..=today,
        };
        im.store().look_up(find, answer.with(CountsOut::from));
    }
}

/// A page of what may be searched.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[schemars(rename = "AdminPageQuery")]
pub(super) struct PageIn {
    /// Words of names, or their beginnings; all if it is left out.
    #[serde(default)]
    #[garde(length(chars, min = 1, max = 100))]
    #[schemars(length(min = 1, max = 100))]
    query: Option<String>,
    /// From the first id above this on; `next` of the page before.
    #[serde(default)]
    after: Number,
    /// Most entries; 100 if it is left out.
    #[serde(default)]
    #[garde(dive)]
    limit: Limit,
}

/// All accounts.
pub(super) struct Users;

/// Accounts by ascending id.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AdminUserPage")]
pub(super) struct UsersOut {
    users: Vec<AdminUserOut>,
    /// How many there are in all, found or not.
    total: u64,
    /// What to pass as `after` for the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl Call for Users {
    const OP: &'static str = "admin.user.list";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/users";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str = "All users, those locked out included, page by page";
    type In = PageIn;
    type Out = UsersOut;

    fn perform(input: PageIn, _: &Caller, im: &Arc<Im>, answer: Answer<UsersOut>) {
        let list = ListAccounts {
            query: input.query,
            after: input.after.user(),
            limit: input.limit.get(),
        };
        let on = Arc::clone(im);
        let out = move |page: AccountPage| UsersOut {
            total: page.total,
            next: page
                .accounts
                .last()
                .filter(|_| page.more)
                .map(|last| last.id.0),
            users: page
                .accounts
                .into_iter()
                .map(|account| AdminUserOut::of(account, &on))
                .collect(),
        };
        im.store().look_up(list, answer.with(out));
    }
}

/// All groups.
pub(super) struct Groups;

impl Call for Groups {
    const OP: &'static str = "admin.group.list";
    const VERB: Verb = Verb::Get;
    const PATH: &'static str = "/groups";
    const ACCESS: Access = Access::Administrator;
    const SUMMARY: &'static str = "All groups, those dismissed included, page by page";
    type In = PageIn;
    type Out = GroupsOut;

    fn perform(input: PageIn, _: &Caller, im: &Arc<Im>, answer: Answer<GroupsOut>) {
        let list = ListAllGroups {
            query: input.query,
            after: input.after.group(),
            limit: input.limit.get(),
        };
        im.store().look_up(list, answer.with(GroupsOut::from));
    }
}
