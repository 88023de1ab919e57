//! What can be asked, and how it is carried out.

use std::sync::Arc;

use common::{ErrorCode, GroupId, UserId};
use serde::Serialize;
use serde_json::value::RawValue;

use super::client::Client;
use super::reply::Outcome;
use super::wire::{
    ConversationsIn, ConversationsOut, GroupIn, GroupOut, GroupReply, GroupsIn, GroupsOut,
    HistoryIn, HistoryOut, LoginIn, LoginOut, MembersOut, NameIn, Nothing, PageIn, ReadIn,
    ReceiptOut, SendIn, SeqOut, SubscribeIn, SyncOut, TimeOut, UnsubscribeIn, UserOut, UsersOut,
    ok, parse,
};
use crate::event::Protocol;
use crate::group::{Joined, WhichGroups};
use crate::im::{self, ImError, Login};
use crate::outlet::Outlet;
use crate::presence::{Platform, Seat};

/// Every operation that needs a login.
const OPERATIONS: [&str; 14] = [
    "logout",
    "users.online",
    "presence.subscribe",
    "presence.unsubscribe",
    "message.send",
    "message.history",
    "message.read",
    "conversation.list",
    "inbox.sync",
    "group.create",
    "group.join",
    "group.leave",
    "group.members",
    "group.list",
];

fn unknown(op: &str) -> ImError {
    let shown: String = op.chars().take(40).collect();
    ImError::new(
        ErrorCode::UnknownOp,
        format!("there is no operation {shown:?}"),
    )
}

/// The outcome of the store as that of an operation.
fn outcome<T, O: Serialize>(found: Result<T, ImError>, out: impl FnOnce(&T) -> O) -> Outcome {
    found.map(|found| ok(&out(&found)))
}

impl Client {
    /// Carries a request out; its reply is sent now or when the store has answered.
    pub(super) fn perform(
        self: &Arc<Self>,
        outlet: &mut dyn Outlet,
        id: Option<&RawValue>,
        op: &str,
        data: Option<&RawValue>,
    ) {
        let refused = match op {
            "login" => self.log_in(outlet, id, data),
            "heartbeat" => {
                let time = im::now_ms();
                self.answer(outlet, id, &Ok(ok(&TimeOut { time })));
                return;
            }
            _ => match self.login() {
                Some(login) => self.perform_as(&login, outlet, id, op, data),
                None if OPERATIONS.contains(&op) => {
                    Err(ImError::new(ErrorCode::Unauthenticated, "log in first"))
                }
                None => Err(unknown(op)),
            },
        };
        if let Err(error) = refused {
            self.answer(outlet, id, &Err(error));
        }
    }

    /// Carries out what needs a login; an error is still to be answered.
    fn perform_as(
        self: &Arc<Self>,
        login: &Arc<Login>,
        outlet: &mut dyn Outlet,
        id: Option<&RawValue>,
        op: &str,
        data: Option<&RawValue>,
    ) -> Result<(), ImError> {
        let im = self.im();
        match op {
            "logout" => self.log_out(login, outlet, id),
            "users.online" => {
                let (after, limit) = parse::<PageIn>(data)?.checked()?;
                let page = im.online(UserId(after), limit);
                self.answer(outlet, id, &Ok(ok(&UsersOut::of(&page))));
            }
            "presence.subscribe" => {
                let watch = parse::<SubscribeIn>(data)?.checked()?;
                self.ask(outlet, id, |ticket| {
                    im.watch_presence(login, watch, move |done| {
                        ticket.reply(&outcome(done, |()| Nothing {}));
                    });
                });
            }
            "presence.unsubscribe" => {
                let users = parse::<UnsubscribeIn>(data)?.checked();
                self.ask(outlet, id, |ticket| {
                    im.unwatch_presence(login, users, move |done| {
                        ticket.reply(&outcome(done, |()| Nothing {}));
                    });
                });
            }
            "message.send" => {
                let (to, draft) = parse::<SendIn>(data)?.checked()?;
                self.ask(outlet, id, |ticket| {
                    im.send(login, to, draft, move |found| {
                        ticket.reply(&outcome(found, ReceiptOut::of));
                    });
                });
            }
            "message.history" => {
                let (conversation, direction, limit) = parse::<HistoryIn>(data)?.checked()?;
                self.ask(outlet, id, |ticket| {
                    im.history(login, conversation, direction, limit, move |found| {
                        ticket.reply(&found.map(|page| ok(&HistoryOut::of(&page))));
                    });
                });
            }
            "message.read" => {
                let ReadIn { conversation, seq } = parse(data)?;
                self.ask(outlet, id, |ticket| {
                    im.mark_read(login, conversation, seq, move |found| {
                        ticket.reply(&outcome(found, |&seq| SeqOut { seq }));
                    });
                });
            }
            "conversation.list" => {
                let (offset, limit) = parse::<ConversationsIn>(data)?.checked()?;
                self.ask(outlet, id, |ticket| {
                    im.conversations(login, offset, limit, move |found| {
                        ticket.reply(&found.map(|page| ok(&ConversationsOut::of(&page))));
                    });
                });
            }
            "inbox.sync" => {
                let (after, limit) = parse::<PageIn>(data)?.checked()?;
                self.ask(outlet, id, |ticket| {
                    im.sync(login, after, limit, move |found| {
                        ticket.reply(&found.map(|page| ok(&SyncOut::of(&page))));
                    });
                });
            }
            "group.create" => {
                let name = parse::<NameIn<'_>>(data)?.name;
                self.ask(outlet, id, |ticket| {
                    im.create_group(login, &name, move |found| {
                        ticket.reply(&found.map(|group| {
                            let group = GroupOut::of(group.id, &group.name, group.members, true);
                            ok(&GroupReply { group })
                        }));
                    });
                });
            }
            "group.join" => {
                let group = GroupId(parse::<GroupIn>(data)?.group);
                self.ask(outlet, id, |ticket| {
                    im.join_group(login, group, move |found| {
                        ticket.reply(&found.map(|(group, joined)| {
                            let joined = joined != Joined::Applied;
                            let group = GroupOut::of(group.id, &group.name, group.members, joined);
                            ok(&GroupReply { group })
                        }));
                    });
                });
            }
            "group.leave" => {
                let group = GroupId(parse::<GroupIn>(data)?.group);
                self.ask(outlet, id, |ticket| {
                    im.leave_group(login, group, move |found| {
                        ticket.reply(&outcome(found, |()| Nothing {}));
                    });
                });
            }
            "group.members" => {
                let group = GroupId(parse::<GroupIn>(data)?.group);
                let (after, limit) = parse::<PageIn>(data)?.checked()?;
                let online = Arc::clone(im);
                self.ask(outlet, id, |ticket| {
                    im.members(login, group, UserId(after), limit, move |found| {
                        ticket.reply(&found.map(|page| ok(&MembersOut::of(&page, &online))));
                    });
                });
            }
            "group.list" => {
                let (after, limit) = parse::<PageIn>(data)?.checked()?;
                let which = if parse::<GroupsIn>(data)?.joined {
                    WhichGroups::Joined
                } else {
                    WhichGroups::All
                };
                self.ask(outlet, id, |ticket| {
                    im.groups(login, which, GroupId(after), limit, move |found| {
                        ticket.reply(&found.map(|page| ok(&GroupsOut::of(&page))));
                    });
                });
            }
            other => return Err(unknown(other)),
        }
        Ok(())
    }

    fn log_in(
        self: &Arc<Self>,
        outlet: &mut dyn Outlet,
        id: Option<&RawValue>,
        data: Option<&RawValue>,
    ) -> Result<(), ImError> {
        if self.login().is_some() {
            return Err(ImError::new(
                ErrorCode::AlreadyLoggedIn,
                "this connection is logged in; log out first",
            ));
        }
        let LoginIn { name, platform } = parse(data)?;
        let platform = match platform.as_deref() {
            None => Platform::default(),
            Some(name) => Platform::named(name).ok_or_else(|| {
                ImError::new(
                    ErrorCode::InvalidValue,
                    "platform is one of web, desktop, android, ios, other",
                )
            })?,
        };
        let seat = Seat {
            session: self.session(),
            platform,
            protocol: Protocol::NATIVE,
        };
        let client = Arc::clone(self);
        self.shut();
        self.ask(outlet, id, |ticket| {
            self.im().enter_guest(&name, move |entered| {
                let im = client.im();
                let outcome = entered.map(|entered| {
                    let out = ok(&LoginOut {
                        user: UserOut::of(&entered.user),
                        platform: platform.as_str(),
                        heartbeat_s: im.config().heartbeat_seconds,
                        server: &im.config().server,
                        instance: im.store().instance(),
                        inbox: entered.inbox,
                    });
                    client.decide(|outlet, _| Some(Arc::new(im.take_seat(outlet, entered, seat))));
                    out
                });
                ticket.reply(&outcome);
                client.open();
            });
        });
        Ok(())
    }

    fn log_out(
        self: &Arc<Self>,
        login: &Arc<Login>,
        outlet: &mut dyn Outlet,
        id: Option<&RawValue>,
    ) {
        let client = Arc::clone(self);
        self.shut();
        self.ask(outlet, id, |ticket| {
            self.im().log_out(login, move |entered| {
                let outcome = entered.map(|entered| {
                    client.decide(|outlet, login| {
                        if let Some(login) = login {
                            client.im().give_up_seat(outlet, &login, &entered);
                        }
                        None
                    });
                    ok(&Nothing {})
                });
                ticket.reply(&outcome);
                client.open();
            });
        });
    }
}
