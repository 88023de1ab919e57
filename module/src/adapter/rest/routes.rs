//! From a method and a path to a call.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::parameters::Parameters;
use crate::api::{Access, CALLS, Entry};

/// A call that has a place.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) entry: &'static Entry,
    pub(super) parameters: Parameters,
}

/// What a path leads to.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// A call, with what its path has said.
    Call(&'a Placed, Map<String, Value>),
    /// The path takes other methods: these.
    Methods(&'static str),
    /// Nothing.
    Nothing,
}

/// A path, with the calls of its methods.
#[derive(Debug)]
struct Place {
    segments: Vec<Segment>,
    calls: Vec<Placed>,
    /// The names of the methods, as in the field `Allow`.
    methods: &'static str,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Word(&'static str),
    /// A member of the input.
    Member(&'static str),
}

/// The calls by their paths.
#[derive(Debug)]
pub(super) struct Routes {
    /// Paths with words come before those that have members there.
    places: Vec<Place>,
}

impl Routes {
    /// The calls that those may make who have one of these kinds of access.
    pub(super) fn of(access: &[Access]) -> Self {
        let mut places: Vec<Place> = Vec::new();
        for entry in CALLS.iter().filter(|call| access.contains(&call.access)) {
            let segments = segments(entry.path);
            let placed = Placed {
                entry,
                parameters: Parameters::of(entry),
            };
            match places.iter_mut().find(|place| place.segments == segments) {
                Some(place) => place.calls.push(placed),
                None => places.push(Place {
                    segments,
                    calls: vec![placed],
                    methods: "",
                }),
            }
        }
        for place in &mut places {
            place.methods = methods(&place.calls);
        }
        places.sort_by_key(|place| {
            let member = |segment: &Segment| matches!(segment, Segment::Member(_));
            place.segments.iter().map(member).collect::<Vec<_>>()
        });
        Self { places }
    }

    /// What is at a path below the root.
    pub(super) fn find(&self, method: &str, path: &str) -> Found<'_> {
        let asked: Vec<&str> = path.split('/').collect();
        let mut other = Found::Nothing;
        for place in &self.places {
            let Some(members) = place.members(&asked) else {
                continue;
            };
            // What is read can be asked for without its body (RFC 9110 section 9.3.2).
            let method = if method == "HEAD" { "GET" } else { method };
            let call = place
                .calls
                .iter()
                .find(|call| call.entry.verb.as_str() == method);
            match call {
                Some(call) => {
                    if let Some(members) = call.parameters.typed(members) {
                        return Found::Call(call, members);
                    }
                }
                None if matches!(other, Found::Nothing) => other = Found::Methods(place.methods),
                None => {}
            }
        }
        other
    }
}

impl Place {
    /// What a path says, if it is one of this place.
    fn members(&self, asked: &[&str]) -> Option<Vec<(&'static str, String)>> {
        if asked.len() != self.segments.len() {
            return None;
        }
        let mut members = Vec::new();
        for (segment, asked) in self.segments.iter().zip(asked) {
            match segment {
                Segment::Word(word) if word == asked => {}
                Segment::Member(name) if !asked.is_empty() => {
                    let value = percent_decode_str(asked).decode_utf8().ok()?;
                    members.push((*name, value.into_owned()));
                }
                _ => return None,
            }
        }
        Some(members)
    }
}

fn segments(path: &'static str) -> Vec<Segment> {
    path.trim_start_matches('/')
        .split('/')
        .map(|segment| {
            let member = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}'));
            member.map_or(Segment::Word(segment), Segment::Member)
        })
        .collect()
}

/// The names of the methods of these calls. They are made once, for as long as the program runs.
fn methods(calls: &[Placed]) -> &'static str {
    let mut names: Vec<&str> = calls.iter().map(|call| call.entry.verb.as_str()).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.join(", ").leak()
}
