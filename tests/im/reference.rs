//! The reference in docs/rest.md: made from what the program serves, and held to it.
//!
//! `make reference` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use module::adapter::rest::{Clients, document};
use module::api::{Access, CALLS, Entry};
use serde_json::Value;

use crate::calls::CASES;

/// Set to have the reference written.
const WRITE: &str = "GATEHOUSE_WRITE_REFERENCE";
/// What stands before it and behind it.
const BEGIN: &str = "<!-- The reference below is written by `make reference`. -->\n";
/// The largest integer that clients are promised to be able to read.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Chapters by the first word of the names of their calls; others have that word for a title.
const CHAPTERS: [(&str, &[&str]); 11] = [
    ("Accounts and sessions", &["account", "session"]),
    ("Users", &["user", "users"]),
    ("Presence", &["presence"]),
    ("People nearby", &["position"]),
    ("Real names", &["verification"]),
    ("Friends", &["friend", "block"]),
    ("Groups", &["group"]),
    ("Messages", &["message"]),
    ("Conversations and the inbox", &["conversation", "inbox"]),
    ("Attachments", &["attachment"]),
    ("For administrators", &["admin"]),
];

#[test]
fn the_reference_is_what_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rest.md");
    let told = fs::read_to_string(&path).unwrap();
    let (front, reference) = told.split_once(BEGIN).expect("where the reference begins");
    let served = reference_of_all();
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, format!("{front}{BEGIN}{served}")).unwrap();
        return;
    }
    for (told, served) in reference.lines().zip(served.lines()) {
        assert_eq!(told, served, "`make reference` writes docs/rest.md anew");
    }
    assert_eq!(
        reference.len(),
        served.len(),
        "`make reference` writes it anew"
    );
}

fn reference_of_all() -> String {
    let documents = [Clients::Users, Clients::Administrators].map(document);
    let mut text = String::new();
    let mut chapter = "";
    for call in CALLS {
        let word = call.op.split('.').next().unwrap_or_default();
        let known = CHAPTERS.iter().find(|(_, words)| words.contains(&word));
        let title = known.map_or(word, |(title, _)| title);
        if title != chapter {
            chapter = title;
            writeln!(text, "\n### {title}").unwrap();
        }
        let operation = documents.iter().find_map(|document| {
            let path = &document["paths"][call.path];
            let operation = &path[call.verb.as_str().to_ascii_lowercase()];
            (operation["operationId"] == call.op).then_some(operation)
        });
        text += &of_call(call, operation.expect("every call is described"));
    }
    let mut types = BTreeMap::new();
    for document in &documents {
        let schemas = document["components"]["schemas"].as_object();
        types.extend(schemas.into_iter().flatten());
    }
    text += "\n## Types\n\nA `?` marks a member that may be absent.\n";
    for (name, schema) in types {
        // Errors are told above, and what is done without more to say is an empty object.
        if !["Done", "Error", "ErrorBody"].contains(&name.as_str()) {
            text += &of_type(name, schema);
        }
    }
    text
}

fn of_call(call: &Entry, operation: &Value) -> String {
    let who = match call.access {
        Access::Anyone => "anyone",
        Access::User => "a token",
        Access::Administrator => "on the admin listener",
    };
    let (verb, path) = (call.verb.as_str(), call.path);
    let mut text = format!(
        "\n#### `{}`\n\n`{verb} {path}`, {who}. {}.\n",
        call.op, call.summary
    );
    let mut rows = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let place = parameter["in"].as_str().unwrap_or_default();
        let name = name(parameter["name"].as_str(), parameter["required"] == true);
        let says = line(&parameter["description"]);
        rows.push(format!(
            "| {name} | {place} | {} | {says} |",
            kind(&parameter["schema"])
        ));
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    for (name, schema) in members(body) {
        let says = line(&schema["description"]);
        rows.push(format!("| {name} | body | {} | {says} |", kind(schema)));
    }
    if !rows.is_empty() {
        writeln!(
            text,
            "\n| input | where | what | |\n| --- | --- | --- | --- |"
        )
        .unwrap();
        writeln!(text, "{}", rows.join("\n")).unwrap();
    }
    let output = &operation["responses"]["200"]["content"]["application/json"]["schema"];
    let gives = match kind(output) {
        kind if kind == "[Done](#done)" => "Gives an empty object.".to_owned(),
        kind => format!("Gives {kind}."),
    };
    let cases = CASES.iter().filter(|case| case.op == call.op);
    let mut codes: Vec<_> = cases.flat_map(|case| case.answers).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.retain(|code| !["ok", "invalid_value"].contains(code));
    let errors = match &codes[..] {
        [] => String::new(),
        codes => format!(" Errors: `{}`.", codes.join("`, `")),
    };
    writeln!(text, "\n{gives}{errors}").unwrap();
    text
}

fn of_type(name: &str, schema: &Value) -> String {
    let mut text = format!("\n#### {name}\n");
    let says = line(&schema["description"]);
    if !says.is_empty() {
        writeln!(text, "\n{says}").unwrap();
    }
    if schema["enum"].is_array() {
        writeln!(text, "\nOne of {}.", kind(schema)).unwrap();
    }
    // One of several, which a member tells apart; or words with a comment each.
    let ways: Vec<_> = schema["oneOf"].as_array().into_iter().flatten().collect();
    if !ways.is_empty() {
        text += "\n| | members | |\n| --- | --- | --- |\n";
    }
    for way in ways {
        let mut word = kind(way);
        let mut names = Vec::new();
        for (name, schema) in members(way) {
            if schema["const"].is_string() {
                word = kind(schema);
            } else {
                names.push(format!("{name}: {}", kind(schema)));
            }
        }
        let (names, says) = (names.join("; "), line(&way["description"]));
        writeln!(text, "| {word} | {names} | {says} |").unwrap();
    }
    let members = members(schema);
    if !members.is_empty() {
        text += "\n| member | what | |\n| --- | --- | --- |\n";
    }
    for (name, schema) in members {
        let says = line(&schema["description"]);
        writeln!(text, "| {name} | {} | {says} |", kind(schema)).unwrap();
    }
    text
}

/// The members of an object: those that must be there in the order in which they are declared, then
/// the others.
fn members(schema: &Value) -> Vec<(String, &Value)> {
    let Some(properties) = schema["properties"].as_object() else {
        return Vec::new();
    };
    let required = schema["required"].as_array().into_iter().flatten();
    let required: Vec<&str> = required.filter_map(Value::as_str).collect();
    let others = properties.keys().map(String::as_str);
    let others = others.filter(|name| !required.contains(name));
    let all = required.iter().copied().chain(others);
    all.map(|member| {
        let marked = name(Some(member), required.contains(&member));
        (marked, &properties[member])
    })
    .collect()
}

fn name(name: Option<&str>, required: bool) -> String {
    let mark = if required { "" } else { "?" };
    format!("`{}`{mark}", name.unwrap_or_default())
}

/// What a value is, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("[{name}](#{})", name.to_ascii_lowercase());
    }
    if let Some(word) = schema["const"].as_str() {
        return format!("`{word}`");
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
        return format!("`{}`", words.join("`, `"));
    }
    let ways = schema["anyOf"].as_array().into_iter().flatten();
    if let Some(way) = ways.clone().find(|way| way["type"] != "null") {
        return kind(way);
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        Value::String(kind) => vec![kind.as_str()],
        _ => Vec::new(),
    };
    let bounds = |min: &str, max: &str| {
        let (min, max) = (schema[min].as_u64(), schema[max].as_u64());
        match (
            min.filter(|min| *min > 0),
            max.filter(|max| *max < NUMBER_MAX),
        ) {
            (Some(min), Some(max)) => format!(", {min} to {max}"),
            (None, Some(max)) => format!(", up to {max}"),
            _ => String::new(),
        }
    };
    match kinds.into_iter().find(|kind| *kind != "null") {
        Some("string") if schema["pattern"].is_string() => "conversation".to_owned(),
        Some("string") => format!("text{}", bounds("minLength", "maxLength")),
        Some("integer") => format!("integer{}", bounds("minimum", "maximum")),
        Some("array") => {
            let of = kind(&schema["items"]);
            format!("list of {of}{}", bounds("minItems", "maxItems"))
        }
        Some(kind) => kind.to_owned(),
        None => "anything".to_owned(),
    }
}

/// A description in one line of a table.
fn line(description: &Value) -> String {
    let text = description.as_str().unwrap_or_default();
    text.replace('\n', " ").replace('|', "\\|")
}
