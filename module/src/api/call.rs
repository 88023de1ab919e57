//! A call, and how it is made when only its name is known.

use std::sync::Arc;

use common::ErrorCode;
use garde::Validate;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{Answer, Sink};
use super::caller::Caller;
use super::input::Object;
use crate::im::{Im, ImError};

/// The method of a call over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Looks, and changes nothing.
    Get,
    /// Does something.
    Post,
    /// Puts something in place; doing it twice is doing it once.
    Put,
    /// Changes what is given.
    Patch,
    /// Takes something away.
    Delete,
}

impl Verb {
    /// The name of the method.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether what is asked stands in a body, and not in the query.
    #[must_use]
    pub const fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

/// Who may make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone, logged in or not.
    Anyone,
    /// Whoever is logged in.
    User,
    /// The operator's own staff.
    Administrator,
}

/// Something that can be asked.
pub trait Call: 'static {
    /// The name in the native protocol.
    const OP: &'static str;
    /// The method over HTTP.
    const VERB: Verb;
    /// The path over HTTP below the version, with members of the input in braces.
    const PATH: &'static str;
    /// Who may make it.
    const ACCESS: Access;
    /// What it does, in a sentence.
    const SUMMARY: &'static str;

    /// What comes in: an object.
    type In: DeserializeOwned + JsonSchema + Validate<Context = ()>;
    /// What goes out: an object.
    type Out: Serialize + JsonSchema + 'static;

    /// Does it, and answers now or from a thread of the store.
    fn perform(input: Self::In, caller: &Caller, im: &Arc<Im>, answer: Answer<Self::Out>);
}

/// What comes in, before it is known what it is.
#[derive(Debug)]
pub enum Input<'a> {
    /// As JSON text.
    Text(&'a str),
    /// As JSON that was read.
    Value(Value),
}

impl Input<'_> {
    fn parse<T: DeserializeOwned + Validate<Context = ()>>(self) -> Result<T, ImError> {
        let parsed = match self {
            Self::Text(text) => serde_json::from_str(text),
            Self::Value(value) => serde_json::from_value(value),
        };
        let Object(input): Object<T> = parsed
            .map_err(|error| ImError::new(ErrorCode::BadRequest, format!("data: {error}")))?;
        input.validate().map_err(|report| {
            let wrong: Vec<_> = report
                .iter()
                .map(|(at, why)| format!("{at}: {why}"))
                .collect();
            ImError::new(ErrorCode::InvalidValue, wrong.join("; "))
        })?;
        Ok(input)
    }
}

/// A [`Call`] in a list of different ones.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// See [`Call::OP`].
    pub op: &'static str,
    /// See [`Call::VERB`].
    pub verb: Verb,
    /// See [`Call::PATH`].
    pub path: &'static str,
    /// See [`Call::ACCESS`].
    pub access: Access,
    /// See [`Call::SUMMARY`].
    pub summary: &'static str,
    perform: fn(Input<'_>, &Caller, &Arc<Im>, Sink),
    /// The schema of what comes in.
    pub input: fn(&mut SchemaGenerator) -> Schema,
    /// The schema of what goes out.
    pub output: fn(&mut SchemaGenerator) -> Schema,
}

impl Entry {
    /// The entry of a call.
    #[must_use]
    pub const fn of<C: Call>() -> Self {
        Self {
            op: C::OP,
            verb: C::VERB,
            path: C::PATH,
            access: C::ACCESS,
            summary: C::SUMMARY,
            perform: |input, caller, im, sink| match input.parse() {
                Ok(input) => C::perform(input, caller, im, Answer::new(sink)),
                Err(error) => sink(Err(error)),
            },
            input: |generator| C::In::json_schema(generator),
            output: |generator| generator.subschema_for::<C::Out>(),
        }
    }

    /// Makes the call for somebody who may; `sink` is given the outcome once, at once or from a
    /// thread of the store.
    pub fn perform(&self, input: Input<'_>, caller: &Caller, im: &Arc<Im>, sink: Sink) {
        (self.perform)(input, caller, im, sink);
    }
}
