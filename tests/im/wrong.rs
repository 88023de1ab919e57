//! Values that a call must refuse, made from what its description allows.

use serde_json::Value;

/// The largest id that there is.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// A member of what a call takes.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) required: bool,
    schema: Value,
}

/// Where a member stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
    Body,
}

/// The members of all that the call takes, as the document describes it.
pub(crate) fn members(document: &Value, op: &str) -> Vec<Member> {
    let operation = document["paths"]
        .as_object()
        .into_iter()
        .flat_map(|paths| paths.values())
        .flat_map(|path| path.as_object().into_iter().flat_map(|path| path.values()))
        .find(|operation| operation["operationId"] == op)
        .unwrap_or_else(|| panic!("{op} is not described"));
    let parameters = operation["parameters"].as_array();
    let mut members: Vec<_> = parameters
        .into_iter()
        .flatten()
        .map(|parameter| Member {
            name: parameter["name"].as_str().unwrap().to_owned(),
            place: match parameter["in"].as_str() {
                Some("path") => Place::Path,
                _ => Place::Query,
            },
            required: parameter["required"] == true,
            schema: resolved(document, &parameter["schema"]),
        })
        .collect();
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let body = resolved(document, body);
    for (name, schema) in body["properties"].as_object().into_iter().flatten() {
        members.push(Member {
            name: name.clone(),
            place: Place::Body,
            required: body["required"]
                .as_array()
                .is_some_and(|required| required.iter().any(|known| known == name)),
            schema: resolved(document, schema),
        });
    }
    members
}

/// A schema in place of a reference to it, or of a choice between it and nothing.
fn resolved(document: &Value, schema: &Value) -> Value {
    let ways = schema["anyOf"].as_array();
    let way = ways.and_then(|ways| ways.iter().find(|way| way["type"] != "null"));
    let Some(reference) = way.unwrap_or(schema)["$ref"].as_str() else {
        return schema.clone();
    };
    let found = document.pointer(reference.trim_start_matches('#'));
    let mut found = found.expect("what is referred to").clone();
    if ways.is_some_and(|ways| ways.len() > 1) {
        found["type"] = serde_json::json!([found["type"], "null"]);
    }
    found
}

fn say(wrong: &mut Vec<String>, values: &[&str]) {
    wrong.extend(values.iter().map(|&value| value.to_owned()));
}

impl Member {
    fn is(&self, kind: &str) -> bool {
        match &self.schema["type"] {
            Value::Array(kinds) => kinds.iter().any(|known| known == kind),
            known => known == kind,
        }
    }

    fn bound(&self, name: &str) -> Option<u64> {
        self.schema[name].as_u64()
    }

    /// JSON that must not stand there.
    pub(crate) fn wrong_json(&self) -> Vec<String> {
        let mut wrong: Vec<String> = Vec::new();
        // What is no JSON, or more than anybody reads.
        say(
            &mut wrong,
            &[
                "NaN",
                "1e400",
                "-Infinity",
                "\"\\ud800\"",
                "\"\\udc00\\ud800\"",
                "'x'",
                "",
                "\"",
                "01",
            ],
        );
        let deep = 10_000;
        wrong.push("[".repeat(deep) + &"]".repeat(deep));
        wrong.push("{\"a\":".repeat(deep) + "1" + &"}".repeat(deep));
        // In a query there is no null, and where there is, what need not be given may be null.
        if !self.is("null") && self.place != Place::Query {
            say(&mut wrong, &["null"]);
        }
        if !self.is("boolean") {
            say(&mut wrong, &["true"]);
        }
        if !self.is("object") {
            say(&mut wrong, &["{}", "{\"user\":1}"]);
        }
        if !self.is("array") {
            say(&mut wrong, &["[]", "[1]"]);
        }
        if !self.is("string") {
            say(&mut wrong, &["\"1\"", "\"true\""]);
        }
        if self.is("integer") {
            say(
                &mut wrong,
                &[
                    "-1",
                    "1.5",
                    "1e3",
                    "9007199254740992",
                    "18446744073709551616",
                ],
            );
        } else if self.is("number") {
            for (bound, beyond) in [("minimum", -0.5), ("maximum", 0.5)] {
                let bound = self.schema[bound].as_f64();
                wrong.extend(bound.map(|bound| (bound + beyond).to_string()));
            }
        } else {
            say(&mut wrong, &["1"]);
        }
        if self.is("array") {
            say(
                &mut wrong,
                &["[null]", "[-1]", "[1.5]", "[9007199254740992]"],
            );
            if self.schema["items"]["type"] != "string" {
                say(&mut wrong, &["[\"1\"]"]);
            }
            wrong.push(format!("[{}]", vec!["1"; 20_000].join(",")));
        }
        if self.is("object") {
            say(
                &mut wrong,
                &[
                    "{\"user\":1,\"group\":1}",
                    "{\"user\":-1}",
                    "{\"all\":false}",
                ],
            );
        }
        wrong.extend(self.beyond().into_iter().map(|value| value.to_string()));
        wrong
    }

    /// Text that must not stand there in a path or a query.
    pub(crate) fn wrong_text(&self) -> Vec<String> {
        let mut wrong: Vec<String> = Vec::new();
        if !self.is("string") {
            let others = [
                "x",
                "%00",
                "1.5",
                "-1",
                "1e3",
                "0x1",
                "1%20",
                "%EF%BC%91",
                "null",
            ];
            wrong.extend(others.map(str::to_owned));
            wrong.extend(["9007199254740992", "18446744073709551616"].map(str::to_owned));
        }
        if self.schema["pattern"].is_string() {
            wrong
                .extend(["g", "g:-1", "d:1", "%00", "x".repeat(3_000).as_str()].map(str::to_owned));
        }
        // Not UTF-8: too long a form of a slash, half of a surrogate pair, a byte alone.
        if self.place == Place::Path {
            wrong.extend(["..%2F", "%2e%2e", "%C0%AF", "%ED%A0%80", "%FF"].map(str::to_owned));
            wrong.push("x".repeat(3_000));
        }
        let beyond = self.beyond().into_iter().map(|value| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            harness::rest::encoded(&text)
        });
        wrong.extend(beyond);
        wrong
    }

    /// Values of the right type beyond what is allowed.
    fn beyond(&self) -> Vec<Value> {
        let mut beyond = Vec::new();
        if let Some(max) = self.bound("maximum").filter(|_| self.is("integer")) {
            beyond.push((max + 1).into());
        }
        if let Some(min) = self.bound("minimum").filter(|min| *min > 0) {
            beyond.push((min - 1).into());
        }
        if self.is("integer") && self.required && matches!(self.name.as_str(), "user" | "group") {
            // Nobody has these.
            beyond.extend([Value::from(0), NUMBER_MAX.into()]);
        }
        if let Some(max) = self.bound("maxLength") {
            beyond.push("x".repeat(max as usize + 1).into());
        }
        if self.bound("minLength").is_some_and(|min| min > 0) {
            beyond.push("".into());
        }
        if self.schema["enum"].is_array() || self.schema["pattern"].is_string() {
            beyond.extend(["".into(), "no such".into(), "Text".into()]);
        }
        if let Some(max) = self.bound("maxItems") {
            beyond.push(vec![1; max as usize + 1].into());
        }
        if self.bound("minItems").is_some_and(|min| min > 0) {
            beyond.push(Value::Array(Vec::new()));
        }
        beyond
    }
}
