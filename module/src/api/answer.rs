//! What comes of a call.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::im::ImError;

/// What comes of a call, as JSON.
pub type Outcome = Result<Box<RawValue>, ImError>;

/// Where outcomes go.
pub(crate) type Sink = Box<dyn FnOnce(Outcome) + Send>;

/// The right to answer one call with a `T`.
pub struct Answer<T> {
    sink: Sink,
    out: PhantomData<fn(T)>,
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

impl<T: Serialize + 'static> Answer<T> {
    pub(super) fn new(sink: Sink) -> Self {
        Self {
            sink,
            out: PhantomData,
        }
    }

    /// Answers.
    pub fn give<E: Into<ImError>>(self, outcome: Result<T, E>) {
        let json = |out: T| {
            serde_json::value::to_raw_value(&out)
                .expect("our own types have string keys and finite numbers")
        };
        (self.sink)(outcome.map(json).map_err(E::into));
    }

    /// Answers that it is not done.
    pub fn refuse(self, error: impl Into<ImError>) {
        (self.sink)(Err(error.into()));
    }

    /// What answers with `out` of an outcome of the IM or the store.
    pub fn with<F, E: Into<ImError>>(
        self,
        out: impl FnOnce(F) -> T + Send + 'static,
    ) -> impl FnOnce(Result<F, E>) + Send + 'static {
        move |outcome| self.give(outcome.map(out))
    }
}
