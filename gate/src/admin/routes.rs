//! Who asks for what.

use std::sync::Arc;
use std::thread;

use network::codec::http::{Headers, Response};

use super::page::Page;
use super::profile::{Format, ProfileError, SECONDS_DEFAULT, SECONDS_MAX};
use super::{Shared, metrics};
use crate::context::Context;
use crate::envelope::{Envelope, HttpRequest};
use crate::module::Module;

/// Answers requests; runs in a worker, where rendering keeps nobody waiting but who asks here.
pub(super) struct Routes {
    shared: Arc<Shared>,
    page: Page,
}

/// What who brings no token is told, in words and in a header (RFC 6750 section 3).
const NO_TOKEN: &str = "the token of the admin listener is needed";
const CHALLENGE: &str = "Bearer realm=\"admin\"";

/// What a path stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    Page,
    Health,
    Readiness,
    Metrics,
    Stats,
    Profile,
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/" => Self::Page,
            "/healthz" => Self::Health,
            "/readyz" => Self::Readiness,
            "/metrics" => Self::Metrics,
            "/stats.json" => Self::Stats,
            "/debug/pprof/profile" => Self::Profile,
            _ => return None,
        })
    }

    /// Whether it tells nothing that a stranger should not know: probes have no token, and the page
    /// asks for one.
    const fn is_public(self) -> bool {
        matches!(self, Self::Page | Self::Health | Self::Readiness)
    }
}

impl Module for Routes {
    fn on_message(&mut self, _: &mut Context<'_>, _: Envelope<'_>) {}

    fn on_request(&mut self, context: &mut Context<'_>, request: HttpRequest) {
        if let Some(service) = self.shared.mounts.find(&request.path) {
            let Some((status, reason)) = self.operators_refusal(&request) else {
                return service.on_request(context.handle(), request);
            };
            let mut response = service.refuse(status, reason);
            if status == 401 {
                response = response.with_header("www-authenticate", CHALLENGE);
            }
            return context.respond(request.session, guarded(response));
        }
        let response = match self.refusal(&request) {
            Ok(Route::Profile) => match profile_wanted(&request.query) {
                // It takes its time, and answers when it has it.
                Ok(wanted) => return self.profile(context, &request, wanted),
                Err(response) => response,
            },
            Ok(route) => self.answer(route, &request),
            Err(response) => response,
        };
        context.respond(request.session, guarded(response));
    }
}

impl Routes {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            page: Page::new(),
        }
    }

    /// Why a request for a service is not handed to it.
    fn operators_refusal(&self, request: &HttpRequest) -> Option<(u16, &'static str)> {
        let Some(token) = &self.shared.config.token else {
            let reason = "this takes a token, and none is configured: set `token` in [admin]";
            return Some((403, reason));
        };
        let shown = request.headers().get("authorization");
        (!token.is_in(shown)).then_some((401, NO_TOKEN))
    }

    /// The route of a request, or why it is not answered.
    fn refusal(&self, request: &HttpRequest) -> Result<Route, Response> {
        let token = self.shared.config.token.as_ref();
        if token.is_none() && !is_of_this_host(request.headers()) {
            return Err(Response::text(
                403,
                "without a token this address answers to the host's own names only: localhost, \
                 or an IP address\n",
            ));
        }
        let route = Route::of(&request.path).ok_or_else(|| Response::text(404, "not found\n"))?;
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Err(Response::text(405, "GET or HEAD\n").with_header("allow", "GET, HEAD"));
        }
        let shown = request.headers().get("authorization");
        match token {
            Some(token) if !route.is_public() && !token.is_in(shown) => Err(unauthorized()),
            _ => Ok(route),
        }
    }

    fn answer(&self, route: Route, request: &HttpRequest) -> Response {
        match route {
            Route::Page => self.page.response(),
            Route::Health => match self.shared.shown.lock().failure() {
                None => Response::text(200, "ok\n"),
                Some(failure) => Response::text(503, format!("{failure}\n")),
            },
            Route::Readiness => match self.shared.shown.lock().readiness() {
                Ok(()) => Response::text(200, "ready\n"),
                Err(reason) => Response::text(503, format!("{reason}\n")),
            },
            Route::Metrics => {
                let shown = self.shared.shown.lock().clone();
                match metrics::render(&self.shared, &shown) {
                    Ok(text) => Response::new(200).with_body(metrics::CONTENT_TYPE, text),
                    Err(error) => failed(&error),
                }
            }
            Route::Stats | Route::Profile => self.stats(&request.query),
        }
    }

    fn stats(&self, query: &str) -> Response {
        let from = parameter(query, "from").and_then(|from| from.parse().ok());
        let state = self.shared.shown.lock().state();
        let history = self.shared.history.lock();
        let config = &self.shared.config;
        let answer = history.answer(
            from.unwrap_or(0),
            (state, self.shared.uptime()),
            (config.product, config.version),
        );
        match serde_json::to_vec(&answer) {
            Ok(json) => Response::json(200, json),
            Err(error) => failed(&error),
        }
    }

    /// Takes a profile in a thread of its own.
    fn profile(&self, context: &Context<'_>, request: &HttpRequest, (seconds, format): Wanted) {
        let (shared, handle) = (Arc::clone(&self.shared), context.handle().clone());
        let session = request.session;
        let thread = thread::Builder::new().name("admin-profile".to_owned());
        let started = thread.spawn(move || {
            let response = match shared.profiler.take(seconds, format) {
                Ok(written) => profiled(written, format),
                Err(error @ ProfileError::Busy) => {
                    Response::text(409, format!("{error}\n")).with_header("retry-after", "10")
                }
                Err(error @ ProfileError::Idle) => Response::text(404, format!("{error}\n")),
                Err(error @ ProfileError::Failed(_)) => failed(&error),
            };
            handle.respond(session, guarded(response));
        });
        if let Err(error) = started {
            context.handle().respond(session, guarded(failed(&error)));
        }
    }
}

fn unauthorized() -> Response {
    Response::text(401, format!("{NO_TOKEN}\n")).with_header("www-authenticate", CHALLENGE)
}

/// Seconds and format of a profile.
type Wanted = (u32, Format);

fn profile_wanted(query: &str) -> Result<Wanted, Response> {
    let seconds = match parameter(query, "seconds").map(str::parse) {
        None => SECONDS_DEFAULT,
        Some(Ok(seconds)) if (1..=SECONDS_MAX).contains(&seconds) => seconds,
        Some(_) => {
            let answer = format!("seconds is a number from 1 to {SECONDS_MAX}\n");
            return Err(Response::text(400, answer));
        }
    };
    let format = match parameter(query, "format") {
        None | Some("pprof") => Format::Pprof,
        Some("svg") => Format::Svg,
        Some(_) => return Err(Response::text(400, "format is pprof or svg\n")),
    };
    Ok((seconds, format))
}

fn profiled(written: Vec<u8>, format: Format) -> Response {
    match format {
        Format::Pprof => Response::new(200)
            .with_body("application/octet-stream", written)
            .with_header("content-disposition", "attachment; filename=\"profile.pb\""),
        Format::Svg => Response::new(200).with_body("image/svg+xml", written),
    }
}

fn failed(error: &dyn std::error::Error) -> Response {
    tracing::warn!(%error, "an admin request has failed");
    Response::text(500, format!("{error}\n"))
}

/// What holds for every answer: it is true for a moment only, and is nothing but what it says.
fn guarded(response: Response) -> Response {
    response
        .with_header("cache-control", "no-store")
        .with_header("x-content-type-options", "nosniff")
        .with_header("referrer-policy", "no-referrer")
}

/// The value of a parameter, as it stands in the query.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// Whether the request asks for a name that nobody else can have pointed here. A page from anywhere
/// may let its own name resolve to 127.0.0.1 and then read what is answered to that name (DNS
/// rebinding).
fn is_of_this_host(headers: Headers<'_>) -> bool {
    let Some(host) = headers.get("host") else {
        // HTTP/1.0, which no browser speaks.
        return true;
    };
    if host.parse::<std::net::SocketAddr>().is_ok() || host.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let in_brackets = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    in_brackets.is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok())
        || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_cannot_be_pointed_here_are_this_host() {
        let of_this_host = |host: &str| {
            let line = format!("Host: {host}\r\n\r\n");
            is_of_this_host(Headers::from_checked(line.as_bytes()))
        };
        for host in [
            "localhost",
            "LOCALHOST:8082",
            "127.0.0.1",
            "127.0.0.1:8082",
            "[::1]",
            "[::1]:80",
        ] {
            assert!(of_this_host(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:8082",
            "127.0.0.1.evil.example",
            "",
        ] {
            assert!(!of_this_host(host), "{host}");
        }
    }

    #[test]
    fn a_profile_is_as_long_as_was_asked_for_within_reason() {
        let wanted = |query| profile_wanted(query).map_err(|response| response.status());
        assert_eq!(wanted(""), Ok((SECONDS_DEFAULT, Format::Pprof)));
        assert_eq!(wanted("seconds=3&format=svg"), Ok((3, Format::Svg)));
        for query in ["seconds=0", "seconds=61", "seconds=x", "format=png"] {
            assert_eq!(wanted(query), Err(400), "{query}");
        }
    }
}
