//! The calls of the IM over HTTP: `/api/v1`, JSON in and out, one shape of error.

mod openapi;
mod pace;
mod parameters;
pub(crate) mod reply;
mod routes;

use std::sync::Arc;

use bytes::Bytes;
use common::ErrorCode;
use gate::{Context, Envelope, GateHandle, HttpRequest, Module, Response};
use serde_json::{Map, Value};

use crate::api::{Access, Caller, Entry, Input};
use crate::im::{Im, ImError, now_ms};
use pace::Pace;
use reply::{Reply, of_error};
use routes::{Found, Routes};

pub use openapi::document;

/// Where the paths of calls begin.
pub const ROOT: &str = "/api/v1/";
/// Where files are uploaded.
pub const UPLOADS: &str = "/api/v1/attachments";
/// Where the description of all calls is found, below the root.
const DOCUMENT: &str = "openapi.json";

/// Who is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// Users, by their tokens.
    Users,
    /// The operator's own staff, whoever has let them in.
    Administrators,
}

impl Clients {
    /// The calls that are theirs.
    const fn access(self) -> &'static [Access] {
        match self {
            Self::Users => &[Access::Anyone, Access::User],
            Self::Administrators => &[Access::Administrator],
        }
    }
}

/// The adapter.
#[derive(Clone, Debug)]
pub struct Rest {
    im: Arc<Im>,
    routes: Arc<Routes>,
    document: Bytes,
    pace: Arc<Pace>,
}

impl Rest {
    /// An adapter in front of an IM. Each worker has a clone of it.
    #[must_use]
    pub fn new(im: Arc<Im>, clients: Clients) -> Self {
        Self {
            im,
            routes: Arc::new(Routes::of(clients.access())),
            document: document(clients).to_string().into(),
            pace: Arc::default(),
        }
    }

    /// Answers a request that has come to some gate, now or when the store has answered.
    pub fn answer(&self, gate: &GateHandle, request: &HttpRequest) {
        self.serve(request, Reply::new(gate.clone(), request.session));
    }

    /// What somebody is told who does not get as far as a call.
    #[must_use]
    pub fn refusal(status: u16, reason: &str) -> Response {
        let code = match status {
            401 => ErrorCode::Unauthenticated,
            _ => ErrorCode::Forbidden,
        };
        of_error(&ImError::new(code, reason.to_owned()), status)
    }

    fn serve(&self, request: &HttpRequest, reply: Reply) {
        let path = request.path.strip_prefix(ROOT).unwrap_or_default();
        if path == DOCUMENT {
            return reply.send(match request.method.as_str() {
                "GET" | "HEAD" => Response::json(200, self.document.clone()),
                "OPTIONS" => allowing(204, "GET, HEAD, OPTIONS"),
                _ => of_error(&wrong_method(), 405).with_header("allow", "GET, HEAD, OPTIONS"),
            });
        }
        let found = match self.routes.find(&request.method, path) {
            // Uploads themselves come to those who take them in pieces.
            Found::Nothing if request.path == UPLOADS && self.im.attachments().is_some() => {
                Found::Methods("POST, OPTIONS")
            }
            found => found,
        };
        let (call, in_path) = match found {
            Found::Call(call, in_path) => (call, in_path),
            Found::Methods(methods) if request.method == "OPTIONS" => {
                return reply.send(allowing(204, methods));
            }
            Found::Methods(methods) => {
                return reply.send(of_error(&wrong_method(), 405).with_header("allow", methods));
            }
            Found::Nothing => {
                let error = ImError::new(ErrorCode::NotFound, "there is nothing at this path");
                return reply.refuse(&error);
            }
        };
        let entry = call.entry;
        let given = match call.parameters.read(&request.query, in_path) {
            Ok(members) => Given {
                members,
                body: entry.verb.has_body().then(|| Body::of(request)),
            },
            Err(error) => return reply.refuse(&error),
        };
        match entry.access {
            // Who is no administrator does not get here: these calls are not in their routes.
            Access::Anyone | Access::Administrator => {
                make(entry, given, &Caller::NOBODY, &self.im, reply);
            }
            Access::User => self.serve_user(entry, given, request, reply),
        }
    }

    /// Makes a call for the user whose token is shown.
    fn serve_user(&self, entry: &'static Entry, given: Given, request: &HttpRequest, reply: Reply) {
        let Some(token) = bearer(request) else {
            let text = "this call takes a header: Authorization: Bearer <token>";
            return reply.refuse(&ImError::new(ErrorCode::Unauthenticated, text));
        };
        let (im, pace, rate) = (
            Arc::clone(&self.im),
            Arc::clone(&self.pace),
            request.message_rate,
        );
        let accounts = self.im.accounts();
        accounts.authenticate(token, None, move |found| match found {
            Ok(authenticated) => {
                let user = authenticated.account.id;
                if rate.is_some_and(|rate| !pace.allows(user, rate, now_ms())) {
                    let text = "too many calls; slow down";
                    return reply.refuse(&ImError::new(ErrorCode::RateLimited, text));
                }
                let caller = Caller {
                    user,
                    token: authenticated.session.map(|(token, _)| token),
                    origin: None,
                };
                make(entry, given, &caller, &im, reply);
            }
            Err(refusal) => reply.refuse(&refusal.into()),
        });
    }
}

/// Makes a call, now that it is known whose it is: what it is given is only taken apart for those
/// who may make it.
fn make(entry: &'static Entry, given: Given, caller: &Caller, im: &Arc<Im>, reply: Reply) {
    match given.input() {
        Ok(input) => {
            let sink = Box::new(move |outcome| reply.give(outcome));
            entry.perform(input, caller, im, sink);
        }
        Err((error, status)) => reply.send(of_error(&error, status)),
    }
}

impl Module for Rest {
    fn on_message(&mut self, _: &mut Context<'_>, _: Envelope<'_>) {}

    fn on_request(&mut self, context: &mut Context<'_>, request: HttpRequest) {
        self.im.learn(context);
        self.answer(context.handle(), &request);
    }
}

fn wrong_method() -> ImError {
    ImError::new(ErrorCode::BadRequest, "this path does not take this method")
}

fn allowing(status: u16, methods: &'static str) -> Response {
    Response::new(status).with_header("allow", methods)
}

/// The token of a request (RFC 6750 section 2.1); the scheme in any case.
pub(crate) fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get("authorization")?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What a call is given.
#[derive(Debug)]
struct Given {
    /// By path and query.
    members: Map<String, Value>,
    /// By its body, where it may have one.
    body: Option<Body>,
}

impl Given {
    fn input(self) -> Result<Input<'static>, (ImError, u16)> {
        let mut input = match self.body {
            Some(body) => body.object()?,
            None => Map::new(),
        };
        input.extend(self.members);
        Ok(Input::Value(Value::Object(input)))
    }
}

/// The body of a request, as it came.
#[derive(Debug)]
struct Body {
    bytes: Bytes,
    is_json: bool,
}

impl Body {
    fn of(request: &HttpRequest) -> Self {
        let kind = request.headers().get("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        Self {
            bytes: request.body.clone(),
            is_json: kind.eq_ignore_ascii_case("application/json"),
        }
    }

    /// The object in it; where there is none, one without members.
    fn object(&self) -> Result<Map<String, Value>, (ImError, u16)> {
        if self.bytes.is_empty() {
            return Ok(Map::new());
        }
        if !self.is_json {
            let error = ImError::new(ErrorCode::BadRequest, "a body is application/json");
            return Err((error, 415));
        }
        match serde_json::from_slice(&self.bytes) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => {
                let error = ImError::new(ErrorCode::BadRequest, "a body is one JSON object");
                Err((error, 400))
            }
            Err(error) => {
                let error = ImError::new(ErrorCode::BadRequest, format!("body: {error}"));
                Err((error, 400))
            }
        }
    }
}
