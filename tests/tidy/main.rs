//! The source checked as text: rules of the house that no lint knows.

mod tree;

use std::collections::BTreeSet;

use tree::{File, Manifest};

/// The layers from bottom to top: each may know those before it.
const LAYERS: [&str; 5] = ["common", "network", "gate", "module", "cmd"];

/// Fails with one line for each place that breaks a rule.
#[track_caller]
fn refuse(rule: &str, places: impl IntoIterator<Item = String>) {
    let places: Vec<_> = places.into_iter().collect();
    assert!(places.is_empty(), "{rule}:\n  {}", places.join("\n  "));
}

/// Every place where a line of code contains one of `words`; comments are not code.
fn uses(files: &[File], words: &[&str]) -> Vec<String> {
    files
        .iter()
        .flat_map(File::code_lines)
        .filter(|line| words.iter().any(|word| line.text.contains(word)))
        .map(|line| line.place())
        .collect()
}

fn rust() -> Vec<File> {
    tree::files(|path| path.ends_with(".rs"))
}

#[test]
fn each_layer_knows_only_those_below() {
    for (at, layer) in LAYERS.iter().enumerate() {
        let manifest = Manifest::read(&format!("{layer}/Cargo.toml"));
        let above = manifest
            .dependencies()
            .into_iter()
            .filter(|name| LAYERS[at..].contains(&name.as_str()));
        refuse(&format!("{layer} must not know these"), above);
    }
    // What a module needs of the network, the gate hands on.
    let module = Manifest::read("module/Cargo.toml").dependencies();
    assert!(!module.contains("network"), "module names no socket");
}

#[test]
fn codecs_know_no_socket_and_no_clock() {
    let codecs = tree::files(|path| path.starts_with("network/src/codec/"));
    assert!(!codecs.is_empty());
    let words = [
        "crate::reactor",
        "crate::conn",
        "crate::listener",
        "crate::sys",
        "std::net",
        "std::io",
        "std::time",
        "mio::",
        "Instant::now",
        "SystemTime",
    ];
    refuse("sans-I/O: no socket, no clock", uses(&codecs, &words));
}

#[test]
fn nothing_is_left_over_from_writing() {
    let words = [
        concat!("dbg", "!("),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
    ];
    refuse("left over", uses(&rust(), &words));
    let notes = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
    ];
    let noted = rust()
        .iter()
        .flat_map(File::lines)
        .filter(|line| notes.iter().any(|note| line.text.contains(note)))
        .map(|line| line.place())
        .collect::<Vec<_>>();
    refuse("left over", noted);
}

#[test]
fn unsafe_code_is_in_one_file() {
    // Benches count allocations, and the trait of allocators is unsafe. Nothing of them is shipped.
    let elsewhere: Vec<_> = tree::files(|path| {
        path.ends_with(".rs") && path != "network/src/sys.rs" && !path.starts_with("benches/")
    });
    let words = ["{", "fn", "impl", "extern", "trait"].map(|next| format!("{} {next}", "unsafe"));
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    refuse(
        "unsafe outside network/src/sys.rs",
        uses(&elsewhere, &words),
    );
}

#[test]
fn every_dependency_has_its_line_and_every_line_its_dependency() {
    let mut used = BTreeSet::new();
    for file in tree::files(|path| path.ends_with("Cargo.toml")) {
        used.extend(Manifest::read(&file.path).dependencies());
    }
    used.retain(|name| !LAYERS.contains(&name.as_str()) && name != "gatehouse-fuzz");
    let told: BTreeSet<String> = tree::read("docs/dependencies.md")
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| ")?.split_once(" |")?.0.to_owned()))
        .filter(|name| !name.contains("---") && name != "crate")
        .collect();
    refuse(
        "no line in docs/dependencies.md",
        used.difference(&told).cloned(),
    );
    refuse("in no Cargo.toml", told.difference(&used).cloned());
}

#[test]
fn source_files_say_what_they_are_for() {
    let silent = rust()
        .into_iter()
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| file.path);
    refuse("no //! comment in the first line", silent);
}

#[test]
fn rust_is_at_most_100_columns_wide() {
    // rustfmt leaves alone what it cannot break: attributes, comments, long literals.
    let wide = rust()
        .iter()
        .flat_map(File::lines)
        .filter(|line| line.text.chars().count() > 100)
        .map(|line| line.place())
        .collect::<Vec<_>>();
    refuse("wider than 100 columns", wide);
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    let machines = ["home", "work", "root", "Users"].map(|folder| format!("/{folder}/"));
    let named = tree::files(|_| true)
        .iter()
        .flat_map(File::lines)
        .filter(|line| {
            machines
                .iter()
                .any(|machine| names_folder(line.text, machine))
        })
        .map(|line| line.place())
        .collect::<Vec<_>>();
    refuse("absolute path of a machine", named);
}

/// Whether `text` contains `folder` at the beginning of a path, and not inside of one.
fn names_folder(text: &str, folder: &str) -> bool {
    text.match_indices(folder).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | '-' | '_' | '}' | ')'))
    })
}
