//! `[admin]`: where metrics, profiles and the dashboard are, and who may see them.

use std::net::{Ipv4Addr, SocketAddr};

use gate::admin::{AdminConfig, Token};

use super::ListenerConfig;
use super::check::{Check, Checked, or, overlap, span};
use super::raw::{RawAdmin, RawConfig};
use super::typed::typed;
use super::value::{Address, Switch};

/// Where it is if nothing is said.
const ADMIN_ADDR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8082);

impl Check<'_> {
    pub(super) fn admin(
        &self,
        raw: &RawConfig,
        listeners: &[ListenerConfig],
    ) -> Checked<Option<AdminConfig>> {
        let raw = &raw.admin;
        let token = self.token(raw)?;
        let addr = match or(&raw.listen, Switch::On(Address(ADMIN_ADDR))) {
            Switch::Off => return Ok(None),
            Switch::On(Address(addr)) => addr,
        };
        if token.is_none() && !addr.ip().to_canonical().is_loopback() {
            let message = "other hosts could reach this address and read what is meant for \
                           operators: set `token` in [admin], or listen on 127.0.0.1 or [::1]";
            let place = span(&raw.listen).unwrap_or(0..0);
            return Err(self.sources.refuse(place, message));
        }
        if let Some(other) = listeners.iter().find(|other| overlap(other.addr, addr)) {
            let message = format!(
                "the admin listener ({addr}) and listener `{}` ({}) want the same address; \
                 `listen` in [admin] or --admin moves the former, \"off\" leaves it out",
                other.name, other.addr
            );
            let place = span(&raw.listen).unwrap_or(0..0);
            return Err(self.sources.refuse(place, message));
        }
        Ok(Some(AdminConfig {
            token,
            ..AdminConfig::new(addr)
        }))
    }

    fn token(&self, raw: &RawAdmin) -> Checked<Option<Token>> {
        match &raw.token {
            Some(typed) if !typed.get_ref().is_empty() => match typed.get_ref().parse() {
                Ok(token) => Ok(Some(token)),
                Err(error) => self.refuse(typed, format!("{error}")),
            },
            _ => Ok(None),
        }
    }
}

pub(super) fn admin_to_typed(admin: Option<&AdminConfig>) -> RawAdmin {
    let token = admin.and_then(|admin| admin.token.as_ref());
    RawAdmin {
        listen: typed(admin.map_or(Switch::Off, |admin| Switch::On(Address(admin.addr)))),
        token: typed(token.map_or_else(String::new, |token| token.as_str().to_owned())),
    }
}
