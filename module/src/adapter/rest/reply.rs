//! Answers to requests.

use common::{ErrorCode, SessionId};
use gate::{GateHandle, Response};
use serde::Serialize;

use crate::api::Outcome;
use crate::im::ImError;

/// The right and the duty to answer one request, from any thread.
#[derive(Debug)]
pub(super) struct Reply {
    gate: GateHandle,
    session: SessionId,
    used: bool,
}

impl Reply {
    pub(super) const fn new(gate: GateHandle, session: SessionId) -> Self {
        Self {
            gate,
            session,
            used: false,
        }
    }

    /// Answers.
    pub(super) fn send(mut self, response: Response) {
        self.used = true;
        self.gate.respond(self.session, guarded(response));
    }

    /// Answers with what has come of a call.
    pub(super) fn give(self, outcome: Outcome) {
        match outcome {
            Ok(json) => {
                let json: Box<str> = json.into();
                self.send(Response::json(200, String::from(json)));
            }
            Err(error) => self.refuse(&error),
        }
    }

    /// Answers with an error.
    pub(super) fn refuse(self, error: &ImError) {
        self.send(of_error(error, status(error.code)));
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // Whoever had it has failed; the client must not wait for ever.
        if !self.used {
            let error = ImError::new(ErrorCode::Internal, "the server failed");
            let response = guarded(of_error(&error, status(error.code)));
            self.gate.respond(self.session, response);
        }
    }
}

/// What holds for every answer: it is for whoever asked, and nothing but what it says.
pub(crate) fn guarded(response: Response) -> Response {
    response
        .with_header("cache-control", "no-store")
        .with_header("x-content-type-options", "nosniff")
}

/// An error, as every call tells it.
pub(crate) fn of_error(error: &ImError, status: u16) -> Response {
    #[derive(Serialize)]
    struct ErrorOut<'a> {
        error: Body<'a>,
    }
    #[derive(Serialize)]
    struct Body<'a> {
        code: &'static str,
        message: &'a str,
    }
    let out = ErrorOut {
        error: Body {
            code: error.code.as_str(),
            message: &error.text,
        },
    };
    let json = serde_json::to_vec(&out).expect("strings become JSON");
    let response = Response::json(status, json);
    match error.code {
        ErrorCode::Unauthenticated => {
            response.with_header("www-authenticate", "Bearer realm=\"gatehouse\"")
        }
        ErrorCode::Busy | ErrorCode::Unavailable | ErrorCode::RateLimited => {
            response.with_header("retry-after", "1")
        }
        _ => response,
    }
}

/// The status of an error (RFC 9110 section 15).
pub(crate) const fn status(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::BadRequest => 400,
        ErrorCode::Unauthenticated => 401,
        ErrorCode::Forbidden => 403,
        ErrorCode::NotFound | ErrorCode::UnknownOp => 404,
        ErrorCode::Conflict
        | ErrorCode::AlreadyLoggedIn
        | ErrorCode::LimitReached
        | ErrorCode::Offline => 409,
        ErrorCode::InvalidValue => 422,
        ErrorCode::RateLimited => 429,
        ErrorCode::Busy | ErrorCode::Unavailable => 503,
        // Others are faults of ours until they have a line here.
        _ => 500,
    }
}
