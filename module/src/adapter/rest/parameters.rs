//! What stands in the path and the query of a request, as members of the input.

use common::ErrorCode;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::api::Entry;
use crate::im::ImError;

/// What the text of a parameter stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Number,
    Boolean,
    Text,
}

/// A member of the input that may stand in the path or the query.
#[derive(Debug)]
struct Parameter {
    name: String,
    kind: Kind,
    /// It may be given several times.
    many: bool,
}

/// The members of the input of a call.
#[derive(Debug)]
pub(super) struct Parameters {
    members: Vec<Parameter>,
    /// Whether there is a query; where there is a body, members stand there.
    in_query: bool,
}

impl Parameters {
    pub(super) fn of(entry: &Entry) -> Self {
        let mut generator = generator();
        let schema = (entry.input)(&mut generator);
        let properties = schema.get("properties").and_then(Value::as_object);
        let members = properties.into_iter().flatten().map(|(name, schema)| {
            let many = says(schema, "array");
            let kind = if says(schema, "integer") {
                Kind::Integer
            } else if says(schema, "number") {
                Kind::Number
            } else if says(schema, "boolean") {
                Kind::Boolean
            } else {
                Kind::Text
            };
            Parameter {
                name: name.clone(),
                kind,
                many,
            }
        });
        Self {
            members: members.collect(),
            in_query: !entry.verb.has_body(),
        }
    }

    /// The members that a path has given; none if one of them cannot be what it is to be.
    pub(super) fn typed(&self, given: Vec<(&'static str, String)>) -> Option<Map<String, Value>> {
        given
            .into_iter()
            .map(|(name, text)| {
                let member = self.members.iter().find(|member| member.name == name)?;
                Some((name.to_owned(), member.kind.read(&text)?))
            })
            .collect()
    }

    /// The members that a query gives, beside those of the path.
    pub(super) fn read(
        &self,
        query: &str,
        mut members: Map<String, Value>,
    ) -> Result<Map<String, Value>, ImError> {
        if !self.in_query {
            return Ok(members);
        }
        for (name, text) in form_urlencoded::parse(query.as_bytes()) {
            let Some(member) = self.members.iter().find(|member| member.name == name) else {
                continue;
            };
            let wrong =
                |what: &str| ImError::new(ErrorCode::BadRequest, format!("query: {name}: {what}"));
            let value = member
                .kind
                .read(&text)
                .ok_or_else(|| wrong(member.kind.wanted()))?;
            let known = members.get_mut(name.as_ref());
            match (member.many, known) {
                (true, Some(Value::Array(values))) => values.push(value),
                (true, _) => {
                    members.insert(name.into_owned(), Value::Array(vec![value]));
                }
                (false, None) => {
                    members.insert(name.into_owned(), value);
                }
                (false, Some(_)) => return Err(wrong("is given twice")),
            }
        }
        Ok(members)
    }
}

impl Kind {
    fn read(self, text: &str) -> Option<Value> {
        Some(match self {
            Self::Integer => match text.parse::<u64>() {
                Ok(number) => number.into(),
                Err(_) => text.parse::<i64>().ok()?.into(),
            },
            Self::Number => serde_json::Number::from_f64(text.parse().ok()?)?.into(),
            Self::Boolean => text.parse::<bool>().ok()?.into(),
            Self::Text => text.into(),
        })
    }

    const fn wanted(self) -> &'static str {
        match self {
            Self::Integer => "is no integer",
            Self::Number => "is no number",
            Self::Boolean => "is neither true nor false",
            Self::Text => "is no text",
        }
    }
}

/// What makes schemas as OpenAPI 3.1 has them: JSON Schema 2020-12.
pub(super) fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator()
}

/// Whether a schema says of what it describes, or of one of several ways, or of what it is made of,
/// that it has this type.
fn says(schema: &Value, wanted: &str) -> bool {
    let is = |kind: &Value| kind.as_str() == Some(wanted);
    let here = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(is),
        Some(kind) => is(kind),
        None => false,
    };
    let inside = ["anyOf", "oneOf", "allOf"].into_iter().any(|ways| {
        let ways = schema.get(ways).and_then(Value::as_array);
        ways.is_some_and(|ways| ways.iter().any(|way| says(way, wanted)))
    });
    here || inside || schema.get("items").is_some_and(|items| says(items, wanted))
}
