//! What can be asked, and how it is carried out: the calls of the IM, and what concerns the session
//! itself.

use std::sync::Arc;

use common::ErrorCode;
use serde_json::value::RawValue;

use super::client::Client;
use super::wire::{LoginIn, LoginOut, Nothing, SubscribeIn, TimeOut, UnsubscribeIn, ok, parse};
use crate::account::{Authenticated, Entered};
use crate::api::output::UserOut;
use crate::api::{self, Access, Caller, Input};
use crate::event::Protocol;
use crate::im::{self, ImError, Login};
use crate::outlet::Outlet;
use crate::presence::{Platform, Seat};

fn unknown(op: &str) -> ImError {
    let shown: String = op.chars().take(40).collect();
    ImError::new(
        ErrorCode::UnknownOp,
        format!("there is no operation {shown:?}"),
    )
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
            "logout" => self.log_out(outlet, id),
            "heartbeat" => {
                let time = im::now_ms();
                self.answer(outlet, id, &Ok(ok(&TimeOut { time })));
                return;
            }
            "presence.subscribe" => self.watch_presence(outlet, id, data),
            "presence.unsubscribe" => self.unwatch_presence(outlet, id, data),
            _ => self.call(outlet, id, op, data),
        };
        if let Err(error) = refused {
            self.answer(outlet, id, &Err(error));
        }
    }

    /// The login of this session.
    fn logged_in(&self) -> Result<Arc<Login>, ImError> {
        self.login()
            .ok_or_else(|| ImError::new(ErrorCode::Unauthenticated, "log in first"))
    }

    /// Makes a call of the IM.
    fn call(
        self: &Arc<Self>,
        outlet: &mut dyn Outlet,
        id: Option<&RawValue>,
        op: &str,
        data: Option<&RawValue>,
    ) -> Result<(), ImError> {
        let call = api::find(op)
            .filter(|call| call.access != Access::Administrator)
            .ok_or_else(|| unknown(op))?;
        let caller = match (self.logged_in(), call.access) {
            (Ok(login), _) => Caller::of(&login),
            (Err(_), Access::Anyone) => Caller::NOBODY,
            (Err(error), _) => return Err(error),
        };
        let input = Input::Text(data.map_or("{}", RawValue::get));
        self.ask(outlet, id, |ticket| {
            let reply = Box::new(move |outcome| ticket.reply(&outcome));
            call.perform(input, &caller, self.im(), reply);
        });
        Ok(())
    }

    fn watch_presence(
        self: &Arc<Self>,
        outlet: &mut dyn Outlet,
        id: Option<&RawValue>,
        data: Option<&RawValue>,
    ) -> Result<(), ImError> {
        let login = self.logged_in()?;
        let watch = parse::<SubscribeIn>(data)?.checked()?;
        self.ask(outlet, id, |ticket| {
            self.im().watch_presence(&login, watch, move |done| {
                ticket.reply(&done.map(|()| ok(&Nothing {})));
            });
        });
        Ok(())
    }

    fn unwatch_presence(
        self: &Arc<Self>,
        outlet: &mut dyn Outlet,
        id: Option<&RawValue>,
        data: Option<&RawValue>,
    ) -> Result<(), ImError> {
        let login = self.logged_in()?;
        let users = parse::<UnsubscribeIn>(data)?.checked();
        self.ask(outlet, id, |ticket| {
            self.im().unwatch_presence(&login, users, move |done| {
                ticket.reply(&done.map(|()| ok(&Nothing {})));
            });
        });
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
        let login: LoginIn<'_> = parse(data)?;
        let platform = match login.platform.as_deref() {
            None => Platform::default(),
            Some(name) => Platform::named(name).ok_or_else(|| {
                ImError::new(
                    ErrorCode::InvalidValue,
                    "platform is one of web, desktop, android, ios, other",
                )
            })?,
        };
        let client = Arc::clone(self);
        match (login.name, login.token) {
            (Some(name), None) => {
                self.shut();
                self.ask(outlet, id, |ticket| {
                    self.im().enter_guest(&name, move |entered| {
                        let outcome = entered.map(|entered| client.seat(entered, platform, None));
                        ticket.reply(&outcome);
                        client.open();
                    });
                });
                Ok(())
            }
            (None, Some(token)) => {
                self.shut();
                self.ask(outlet, id, |ticket| {
                    self.im()
                        .enter_with(&token, Some(platform), move |entered| {
                            let outcome = entered.map(|(entered, authenticated)| {
                                client.seat(entered, platform, Some(&authenticated))
                            });
                            ticket.reply(&outcome);
                            client.open();
                        });
                });
                Ok(())
            }
            _ => Err(ImError::new(
                ErrorCode::BadRequest,
                "data: a login has either a name, a guest's, or a token",
            )),
        }
    }

    /// Seats the user who has come online; gives the `ok` of the reply.
    fn seat(
        self: &Arc<Self>,
        entered: Entered,
        platform: Platform,
        authenticated: Option<&Authenticated>,
    ) -> Box<RawValue> {
        let im = self.im();
        let session = authenticated.and_then(|authenticated| authenticated.session);
        // The platform of a session is known from its beginning.
        let platform = session.map_or(platform, |(_, platform)| platform);
        let token = session.map(|(token, _)| token);
        let out = ok(&LoginOut {
            user: UserOut::of(&entered.user),
            platform: platform.as_str(),
            heartbeat_s: im.config().heartbeat_seconds,
            server: &im.config().server,
            instance: im.store().instance(),
            inbox: entered.inbox,
        });
        let seat = Seat {
            session: self.session(),
            platform,
            protocol: Protocol::NATIVE,
            credential: authenticated.map(|authenticated| authenticated.credential),
        };
        self.decide(|outlet, _| Some(Arc::new(im.take_seat(outlet, entered, seat, token))));
        out
    }

    fn log_out(
        self: &Arc<Self>,
        outlet: &mut dyn Outlet,
        id: Option<&RawValue>,
    ) -> Result<(), ImError> {
        let login = self.logged_in()?;
        let client = Arc::clone(self);
        self.shut();
        self.ask(outlet, id, |ticket| {
            self.im().log_out(&login, move |entered| {
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
        Ok(())
    }
}
