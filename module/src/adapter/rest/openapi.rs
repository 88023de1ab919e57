//! The description of all calls: OpenAPI 3.1, made from the types that are served.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::parameters::generator;
use super::{Clients, ROOT, UPLOADS};
use crate::api::{Access, CALLS, Entry};
use crate::attachment::View;

/// Statuses of errors that any call may have, beside those of its own.
const ERRORS: [(u16, &str); 11] = [
    (
        400,
        "What was asked cannot be read: no JSON, a member is missing or has the wrong type",
    ),
    (401, "No token, or none that is good"),
    (403, "It may not be done by who asks"),
    (
        404,
        "There is no such user, group, conversation or message, or none for who asks",
    ),
    (405, "The path takes other methods: see the field Allow"),
    (409, "It is there already, or a limit is reached"),
    (413, "The body is too large"),
    (415, "The body is no application/json"),
    (422, "A value is outside what is allowed"),
    (429, "Requests come too fast"),
    (
        503,
        "Too much is waiting, or the store is unavailable; nothing was changed: try again",
    ),
];

/// The document.
#[must_use]
pub fn document(clients: Clients) -> Value {
    let mut generator = generator();
    let mut paths = Map::new();
    let served = |call: &&Entry| clients.access().contains(&call.access);
    for call in CALLS.iter().filter(served) {
        let operation = operation(call, &mut generator);
        let path = paths
            .entry(call.path)
            .or_insert_with(|| Value::Object(Map::new()));
        path[call.verb.as_str().to_ascii_lowercase()] = operation;
    }
    if clients == Clients::Users {
        paths.insert(
            format!("/{}", UPLOADS.trim_start_matches(ROOT)),
            json!({ "post": upload(&mut generator) }),
        );
    }
    let error = generator.subschema_for::<ErrorOut>();
    let responses: Map<String, Value> = ERRORS
        .iter()
        .map(|(status, description)| {
            let response = json!({
                "description": description,
                "content": { "application/json": { "schema": error } },
            });
            (name_of(*status), response)
        })
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gatehouse",
            "description": "Instant messaging. What is pushed comes over the native protocol.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": ROOT.trim_end_matches('/') }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "responses": responses,
            "schemas": generator.take_definitions(true),
        },
    })
}

/// What every error looks like.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Error")]
struct ErrorOut {
    error: ErrorBody,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
struct ErrorBody {
    /// For programs: stable.
    code: String,
    /// For people: may change.
    message: String,
}

/// The name of the response of an error.
fn name_of(status: u16) -> String {
    format!("Error{status}")
}

/// One call.
fn operation(call: &Entry, generator: &mut SchemaGenerator) -> Value {
    let input = (call.input)(generator).to_value();
    let output = (call.output)(generator);
    let properties = input["properties"].as_object().cloned().unwrap_or_default();
    let required: Vec<&str> = input["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let in_path = |name: &str| call.path.contains(&format!("{{{name}}}"));
    let mut parameters = Vec::new();
    let mut body = Map::new();
    for (name, schema) in &properties {
        let place = match (in_path(name), call.verb.has_body()) {
            (true, _) => "path",
            (false, false) => "query",
            (false, true) => {
                body.insert(name.clone(), schema.clone());
                continue;
            }
        };
        let mut schema = without_null(schema);
        let description = schema.as_object_mut().and_then(|s| s.remove("description"));
        let mut parameter = json!({
            "name": name,
            "in": place,
            "required": place == "path" || required.contains(&name.as_str()),
            "schema": schema,
        });
        if let Some(description) = description {
            parameter["description"] = description;
        }
        parameters.push(parameter);
    }
    let mut responses = error_responses();
    responses.insert(
        "200".to_owned(),
        json!({
            "description": "Done",
            "content": { "application/json": { "schema": output } },
        }),
    );
    let mut operation = json!({
        "operationId": call.op,
        "tags": [call.op.split('.').next().unwrap_or_default()],
        "summary": call.summary,
        "responses": responses,
    });
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if !body.is_empty() {
        let required: Vec<_> = required.into_iter().filter(|name| !in_path(name)).collect();
        operation["requestBody"] = json!({
            "required": !required.is_empty(),
            "content": { "application/json": { "schema": {
                "type": "object",
                "properties": body,
                "required": required,
            } } },
        });
    }
    if call.access != Access::Anyone {
        operation["security"] = json!([{ "token": [] }]);
    }
    operation
}

/// The one operation that is no call: its body is a file, and of any length.
fn upload(generator: &mut SchemaGenerator) -> Value {
    let mut responses = error_responses();
    responses.insert(
        "201".to_owned(),
        json!({
            "description": "Kept",
            "content": { "application/json": { "schema": generator.subschema_for::<View>() } },
        }),
    );
    json!({
        "operationId": "attachment.upload",
        "tags": ["attachment"],
        "summary": "Upload a file: as it is, or as the one file of a form. What it is, its bytes \
                    say. A message that names its id, within a day, gives it to those who may see \
                    the message",
        "parameters": [{
            "name": "name",
            "in": "query",
            "required": false,
            "description": "What the file is called; a form says it for itself",
            "schema": { "type": "string" },
        }],
        "requestBody": {
            "required": true,
            "content": {
                "application/octet-stream": {},
                "multipart/form-data": { "schema": {
                    "type": "object",
                    "properties": { "file": {
                        "type": "string", "contentMediaType": "application/octet-stream",
                    } },
                    "required": ["file"],
                } },
            },
        },
        "responses": responses,
        "security": [{ "token": [] }],
    })
}

/// What any operation may answer beside its success.
fn error_responses() -> Map<String, Value> {
    ERRORS
        .iter()
        .map(|(status, _)| {
            let reference = format!("#/components/responses/{}", name_of(*status));
            (status.to_string(), json!({ "$ref": reference }))
        })
        .collect()
}

/// A schema without the way of being null: what is not given does not stand in a query.
fn without_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let Some(members) = schema.as_object_mut() else {
        return schema;
    };
    if let Some(Value::Array(kinds)) = members.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            let kind = kind.clone();
            members.insert("type".to_owned(), kind);
        }
    }
    if let Some(Value::Array(ways)) = members.get_mut("anyOf") {
        ways.retain(|way| way["type"] != "null");
    }
    if members.get("default").is_some_and(Value::is_null) {
        members.remove("default");
    }
    schema
}

#[cfg(test)]
mod tests {
    use common::ErrorCode;

    use super::super::reply::status;
    use super::*;

    #[test]
    fn every_status_of_an_error_is_described() {
        for code in [
            ErrorCode::BadRequest,
            ErrorCode::Unauthenticated,
            ErrorCode::Forbidden,
            ErrorCode::NotFound,
            ErrorCode::Conflict,
            ErrorCode::InvalidValue,
            ErrorCode::LimitReached,
            ErrorCode::RateLimited,
            ErrorCode::Busy,
            ErrorCode::Unavailable,
        ] {
            let described = ERRORS.iter().any(|(known, _)| *known == status(code));
            assert!(described, "{code}");
        }
    }

    #[test]
    fn names_and_places_of_calls_are_their_own() {
        for (at, call) in CALLS.iter().enumerate() {
            for other in &CALLS[at + 1..] {
                assert_ne!(call.op, other.op);
                // Those of administrators are served elsewhere.
                let staff = |call: &Entry| call.access == Access::Administrator;
                let elsewhere = staff(call) != staff(other);
                let same = (call.verb, call.path) == (other.verb, other.path);
                assert!(elsewhere || !same, "{} {}", call.op, other.op);
            }
        }
    }

    #[test]
    fn what_stands_in_a_path_is_a_member_of_the_input() {
        for call in CALLS {
            let input = (call.input)(&mut generator()).to_value();
            for segment in call.path.split('/').filter(|part| part.starts_with('{')) {
                let name = segment.trim_matches(['{', '}']);
                assert!(input["properties"][name].is_object(), "{} {name}", call.op);
            }
        }
    }
}
