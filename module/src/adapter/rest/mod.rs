//! The calls of the IM over HTTP: `/api/v1`, JSON in and out, one shape of error.

mod openapi;
mod parameters;
pub(crate) mod reply;
mod routes;

use std::sync::Arc;

use bytes::Bytes;
use common::ErrorCode;
use gate::{Context, Envelope, GateHandle, HttpRequest, Module, Response};
use serde_json::{Map, Value};

use crate::api::{Access, Caller, Entry, Input};
use crate::im::{Im, ImError};
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
}

impl Rest {
    /// An adapter in front of an IM. Each worker has a clone of it.
    #[must_use]
    pub fn new(im: Arc<Im>, clients: Clients) -> Self {
        Self {
            im,
            routes: Arc::new(Routes::of(clients.access())),
            document: document(clients).to_string().into(),
        }
    }

    /// Answers a request that has come to some gate, now or when the store has answered.
    pub fn answer(&self, gate: &GateHandle, request: &HttpRequest) {
        self.serve(request, Reply::new(gate.clone(), request.session));
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
        let input = match call.parameters.read(&request.query, in_path) {
            Ok(parameters) if call.entry.verb.has_body() => match body(request) {
                Ok(mut object) => {
                    object.extend(parameters);
                    object
                }
                Err((error, status)) => return reply.send(of_error(&error, status)),
            },
            Ok(parameters) => parameters,
            Err(error) => return reply.refuse(&error),
        };
        let (entry, input) = (call.entry, Input::Value(Value::Object(input)));
        match entry.access {
            // Who is no administrator does not get here: these calls are not in their routes.
            Access::Anyone | Access::Administrator => {
                let sink = Box::new(move |outcome| reply.give(outcome));
                entry.perform(input, &Caller::NOBODY, &self.im, sink);
            }
            Access::User => self.serve_user(entry, input, request, reply),
        }
    }

    /// Makes a call for the user whose token is shown.
    fn serve_user(
        &self,
        entry: &'static Entry,
        input: Input<'static>,
        request: &HttpRequest,
        reply: Reply,
    ) {
        let Some(token) = bearer(request) else {
            let text = "this call takes a header: Authorization: Bearer <token>";
            return reply.refuse(&ImError::new(ErrorCode::Unauthenticated, text));
        };
        let im = Arc::clone(&self.im);
        let accounts = self.im.accounts();
        accounts.authenticate(token, None, move |found| match found {
            Ok(authenticated) => {
                let caller = Caller {
                    user: authenticated.account.id,
                    token: authenticated.session.map(|(token, _)| token),
                    origin: None,
                };
                let sink = Box::new(move |outcome| reply.give(outcome));
                entry.perform(input, &caller, &im, sink);
            }
            Err(refusal) => reply.refuse(&refusal.into()),
        });
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

/// The object in the body of a request; where there is none, one without members.
fn body(request: &HttpRequest) -> Result<Map<String, Value>, (ImError, u16)> {
    if request.body.is_empty() {
        return Ok(Map::new());
    }
    let kind = request.headers().get("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let error = ImError::new(ErrorCode::BadRequest, "a body is application/json");
        return Err((error, 415));
    }
    match serde_json::from_slice(&request.body) {
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
