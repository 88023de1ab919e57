//! Answers over HTTP that are no success; they look as those of all other calls.

use common::ErrorCode;
use gate::Response;

use super::upload::UploadError;
use crate::adapter::rest::reply;
use crate::im::ImError;
use crate::storage::refusal::Refusal;

/// Why there is no file, or no attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    status: u16,
    error: ImError,
}

impl Answer {
    /// An address that we have not given out, or that has expired.
    pub(super) fn bad_address() -> Self {
        let text = "the address is not valid, or not any more";
        Self::new(ErrorCode::Forbidden, text)
    }

    /// A form that cannot be taken apart.
    pub(super) fn no_form() -> Self {
        let text = "a form is multipart/form-data with a boundary";
        Self::new(ErrorCode::BadRequest, text)
    }

    /// An upload without a body.
    pub(super) fn empty() -> Self {
        Self::from(UploadError::Empty)
    }

    /// Something else than GET and HEAD.
    pub(super) fn wrong_method() -> Self {
        Self {
            status: 405,
            ..Self::new(ErrorCode::BadRequest, "files are only read")
        }
    }

    /// More is going on than is taken on.
    pub(super) fn busy() -> Self {
        Self::from(Refusal::Busy)
    }

    /// No token.
    pub(super) fn no_token() -> Self {
        let text = "an upload takes a header: Authorization: Bearer <token>";
        Self::new(ErrorCode::Unauthenticated, text)
    }

    fn new(code: ErrorCode, text: &str) -> Self {
        Self {
            status: reply::status(code),
            error: ImError::new(code, text),
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), &refusal.to_string())
    }
}

impl From<UploadError> for Answer {
    fn from(error: UploadError) -> Self {
        let code = match &error {
            UploadError::Refused(refusal) => refusal.code(),
            UploadError::Form(_) => ErrorCode::BadRequest,
            UploadError::Pixels(_) | UploadError::Empty => ErrorCode::InvalidValue,
            UploadError::TooLarge => {
                // As where the length was told before (RFC 9110 section 15.5.14).
                return Self {
                    status: 413,
                    ..Self::new(ErrorCode::LimitReached, &error.to_string())
                };
            }
            UploadError::QuotaReached => ErrorCode::LimitReached,
            UploadError::Disk(disk) => {
                tracing::warn!(error = %disk, "attachments cannot be kept or read");
                ErrorCode::Unavailable
            }
        };
        Self::new(code, &error.to_string())
    }
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        let response = reply::guarded(reply::of_error(&answer.error, answer.status));
        match answer.status {
            405 => response.with_header("allow", "GET, HEAD"),
            _ => response,
        }
    }
}
