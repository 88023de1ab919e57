//! Where values come from: one file, the environment over it, flags over those.
//!
//! All three become one table before anything is read from it, so that a variable is checked by the
//! same code as the key of the file that it stands for. Places survive this: spans up to the length
//! of the file's text are the file's, and those beyond it number the settings.

use std::borrow::Cow;
use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::error::{ConfigError, Excerpt};
use super::raw::RawConfig;

/// What the names of our environment variables begin with.
const PREFIX: &str = "GATEHOUSE_";
/// Names that Kubernetes gives to every container beside a service called `gatehouse`
/// (`GATEHOUSE_SERVICE_HOST`, `GATEHOUSE_PORT_8080_TCP` and so on). No key of ours begins so.
const FOREIGN: [&str; 2] = ["GATEHOUSE_SERVICE_", "GATEHOUSE_PORT"];
/// Read by the command line, not by the configuration.
const OF_COMMAND_LINE: [&str; 1] = ["GATEHOUSE_CONFIG"];
/// What a suggestion may differ by: 1 is the same word.
const SIMILAR: f64 = 0.7;

/// One value from outside the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The variable or flag, as errors name it.
    pub name: String,
    /// Its place in the file: `["log", "level"]`.
    pub path: Vec<String>,
    /// The value as text.
    pub value: String,
}

impl Setting {
    /// The value of a flag; `path` has its parts joined by dots.
    #[must_use]
    pub fn flag(name: &str, path: &str, value: impl ToString) -> Self {
        Self {
            name: name.to_owned(),
            path: path.split('.').map(str::to_owned).collect(),
            value: value.to_string(),
        }
    }

    /// The settings in an environment: `GATEHOUSE_LOG__LEVEL` is `level` in `[log]`.
    ///
    /// # Errors
    /// A value that is not Unicode.
    pub fn from_environment(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Vec<Self>, ConfigError> {
        let mut settings = Vec::new();
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            let Some(key) = name.strip_prefix(PREFIX) else {
                continue;
            };
            if OF_COMMAND_LINE.contains(&name) || FOREIGN.iter().any(|p| name.starts_with(p)) {
                continue;
            }
            let Some(value) = value.to_str() else {
                return Err(ConfigError::Refused {
                    place: name.to_owned(),
                    message: "the value is not Unicode".to_owned(),
                    excerpt: None,
                });
            };
            settings.push(Self {
                name: name.to_owned(),
                path: key.split("__").map(str::to_lowercase).collect(),
                value: value.to_owned(),
            });
        }
        // The environment has no order of its own; with this one, errors are the same every time.
        settings.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(settings)
    }

    /// The value as the file would have it: a number, true or false, or a text.
    fn toml(&self) -> DeValue<'_> {
        let text = self.value.trim();
        match DeValue::parse(text).map(Spanned::into_inner) {
            Ok(value @ (DeValue::Integer(_) | DeValue::Boolean(_))) => value,
            _ => DeValue::String(Cow::Borrowed(text)),
        }
    }
}

/// The texts that a configuration is read from.
#[derive(Clone, Debug)]
pub struct Sources {
    file: String,
    text: String,
    settings: Vec<Setting>,
}

impl Sources {
    /// Reads the file; later settings go over earlier ones.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(file: Option<&Path>, settings: Vec<Setting>) -> Result<Self, ConfigError> {
        let Some(file) = file else {
            return Ok(Self::of_text("", "", settings));
        };
        let text = std::fs::read_to_string(file).map_err(|error| ConfigError::Unreadable {
            file: file.to_owned(),
            error,
        })?;
        Ok(Self::of_text(&file.display().to_string(), &text, settings))
    }

    /// The directory of the file, from which its paths are meant; empty for the working directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        Path::new(&self.file)
            .parent()
            .unwrap_or_else(|| Path::new(""))
    }

    /// The text of a file that is called `file` in errors.
    #[must_use]
    pub fn of_text(file: &str, text: &str, settings: Vec<Setting>) -> Self {
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
            settings,
        }
    }

    /// What was typed.
    ///
    /// # Errors
    /// What is not TOML, keys that do not exist, and values that their key cannot take.
    pub fn typed(&self) -> Result<RawConfig, ConfigError> {
        let mut root = DeTable::parse(&self.text).map_err(|error| self.explain(&error))?;
        for (index, setting) in self.settings.iter().enumerate() {
            let span = self.span_of(index);
            if setting.path[0] == "listener" {
                return Err(self.refuse(
                    span,
                    "listeners are set in the file; addresses also by GATEHOUSE_LISTEN and \
                     GATEHOUSE_TCP",
                ));
            }
            put(root.get_mut(), &setting.path, setting.toml(), span);
        }
        RawConfig::deserialize(Deserializer::from(root)).map_err(|error| self.explain(&error))
    }

    /// The error that says that what stands at `span` is wrong.
    #[must_use]
    pub fn refuse(&self, span: Range<usize>, message: impl Into<String>) -> ConfigError {
        let excerpt = (span.start <= self.text.len()).then(|| self.excerpt(span.clone()));
        ConfigError::Refused {
            place: self.place(span),
            message: message.into(),
            excerpt,
        }
    }

    /// `file:line:column`, or the name of a variable or flag.
    #[must_use]
    pub fn place(&self, span: Range<usize>) -> String {
        match self.setting(&span) {
            Some(setting) => setting.name.clone(),
            None => {
                let Excerpt { line, from, .. } = self.excerpt(span);
                format!("{}:{line}:{}", self.file, from + 1)
            }
        }
    }

    fn span_of(&self, setting: usize) -> Range<usize> {
        let at = self.text.len() + 1 + setting;
        at..at
    }

    fn setting(&self, span: &Range<usize>) -> Option<&Setting> {
        self.settings
            .get(span.start.checked_sub(self.text.len() + 1)?)
    }

    fn excerpt(&self, span: Range<usize>) -> Excerpt {
        let start = char_boundary(&self.text, span.start);
        let (before, after) = self.text.split_at(start);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = start + after.find(['\r', '\n']).unwrap_or(after.len());
        let end = char_boundary(&self.text, span.end.clamp(start, line_end));
        Excerpt {
            line: before.matches('\n').count() + 1,
            text: self.text[line_start..line_end].to_owned(),
            from: self.text[line_start..start].chars().count(),
            chars: self.text[start..end].chars().count().max(1),
        }
    }

    fn explain(&self, error: &toml::de::Error) -> ConfigError {
        let message = explain(error.message());
        match error.span() {
            Some(span) => self.refuse(span, message),
            None => ConfigError::Refused {
                place: self.file.clone(),
                message,
                excerpt: None,
            },
        }
    }
}

/// The boundary of a character at or before `at`.
fn char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}

/// Sets the value at `path`, making tables on the way.
fn put<'i>(table: &mut DeTable<'i>, path: &[String], value: DeValue<'i>, span: Range<usize>) {
    let [key, rest @ ..] = path else { return };
    let spanned_key = Spanned::new(span.clone(), Cow::Owned(key.clone()));
    if rest.is_empty() {
        // Not `insert` alone, which would keep the place of the key that was there.
        table.remove(key.as_str());
        table.insert(spanned_key, Spanned::new(span, value));
        return;
    }
    let inner = table
        .entry(spanned_key)
        .or_insert_with(|| Spanned::new(span.clone(), DeValue::Table(DeTable::new())));
    if !matches!(inner.get_ref(), DeValue::Table(_)) {
        *inner = Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
    }
    if let DeValue::Table(inner) = inner.get_mut() {
        put(inner, rest, value, span);
    }
}

/// Says what serde found in the words of a configuration, with the most similar valid name.
fn explain(message: &str) -> String {
    for (found, noun) in [("unknown field", "key"), ("unknown variant", "value")] {
        let Some(rest) = message.strip_prefix(found) else {
            continue;
        };
        let mut names = rest.split('`').skip(1).step_by(2);
        let Some(wrong) = names.next() else { continue };
        let valid: Vec<&str> = names.collect();
        let nearest = valid
            .iter()
            .map(|name| (strsim::jaro_winkler(wrong, name), name))
            .filter(|(similarity, _)| *similarity >= SIMILAR)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let hint =
            nearest.map_or_else(String::new, |(_, name)| format!(", did you mean `{name}`?"));
        return match valid.is_empty() {
            true => format!("unknown {noun} `{wrong}`"),
            false => format!(
                "unknown {noun} `{wrong}`{hint} (valid: {})",
                valid.join(", ")
            ),
        };
    }
    message.trim_end().replace('\n', ", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str) -> Setting {
        Setting::from_environment([(name.into(), value.into())])
            .unwrap()
            .remove(0)
    }

    fn refusal(text: &str, settings: Vec<Setting>) -> String {
        Sources::of_text("a.toml", text, settings)
            .typed()
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn variables_go_over_the_file_and_keep_its_other_keys() {
        let file = "reactors = 2\nworkers = 3\n[log]\nlevel = \"warn\"\nformat = \"json\"\n";
        let settings = vec![
            setting("GATEHOUSE_REACTORS", "4"),
            setting("GATEHOUSE_LOG__LEVEL", "debug"),
        ];
        let merged = Sources::of_text("a.toml", file, settings).typed().unwrap();
        let same = "reactors = 4\nworkers = 3\n[log]\nlevel = \"debug\"\nformat = \"json\"\n";
        assert_eq!(
            merged,
            Sources::of_text("b.toml", same, vec![]).typed().unwrap()
        );
    }

    #[test]
    fn a_later_setting_wins() {
        let settings = vec![
            setting("GATEHOUSE_WORKERS", "4"),
            Setting::flag("--workers", "workers", 5),
        ];
        let merged = Sources::of_text("", "", settings).typed().unwrap();
        assert_eq!(
            merged,
            Sources::of_text("", "workers = 5", vec![]).typed().unwrap()
        );
    }

    #[test]
    fn only_our_own_variables_are_read() {
        let foreign = [
            ("PATH", "/bin"),
            ("GATEHOUSE_CONFIG", "a.toml"),
            ("GATEHOUSE_PORT", "tcp://10.0.0.1:8080"),
            ("GATEHOUSE_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("GATEHOUSE_SERVICE_HOST", "10.0.0.1"),
        ];
        let settings =
            Setting::from_environment(foreign.map(|(name, value)| (name.into(), value.into())));
        assert_eq!(settings.unwrap(), []);
    }

    #[test]
    fn an_unknown_key_is_shown_with_the_one_that_was_meant() {
        let refused = refusal("reactors = 1\n\n[[listner]]\nname = \"web\"\n", vec![]);
        assert!(
            refused.starts_with("a.toml:3:3: unknown key `listner`, did you mean `listener`?"),
            "{refused}"
        );
        assert!(
            refused.ends_with("\n 3 | [[listner]]\n   |   ^^^^^^^"),
            "{refused}"
        );
    }

    #[test]
    fn a_wrong_value_is_shown_where_it_stands() {
        let refused = refusal("[limits]\n  message_bytes = \"64 bits\"\n", vec![]);
        assert!(
            refused.starts_with("a.toml:2:19: \"64 bits\" is not a size"),
            "{refused}"
        );
        let refused = refusal("[[listener]]\nframing = \"len4\"\n", vec![]);
        assert!(
            refused.starts_with("a.toml:2:11: unknown value `len4`, did you"),
            "{refused}"
        );
        assert!(refused.contains("websocket, len1, len2be"), "{refused}");
        let refused = refusal("[limits]\nmessage_rate = { per_secnd = 5 }\n", vec![]);
        assert!(
            refused.starts_with("a.toml:2:18: unknown key `per_secnd`"),
            "{refused}"
        );
        let refused = refusal("reactors = = 2\n", vec![]);
        assert!(refused.starts_with("a.toml:1:12: "), "{refused}");
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let refused = refusal("", vec![setting("GATEHOUSE_REACTORS", "four")]);
        assert!(
            refused.starts_with("GATEHOUSE_REACTORS: \"four\" is not"),
            "{refused}"
        );
        let refused = refusal("", vec![setting("GATEHOUSE_LIMIT__CONNECTIONS", "5")]);
        assert!(
            refused.starts_with("GATEHOUSE_LIMIT__CONNECTIONS: unknown key `limit`"),
            "{refused}"
        );
        let refused = refusal("", vec![setting("GATEHOUSE_LISTENER__WEB__LISTEN", "5")]);
        assert!(refused.contains("GATEHOUSE_LISTEN and"), "{refused}");
    }

    #[test]
    fn places_count_characters_and_stay_inside_the_text() {
        let sources = Sources::of_text("a.toml", "ä = \"ö\" # x\r\nb = 1", vec![]);
        assert_eq!(sources.place(5..6), "a.toml:1:5");
        assert_eq!(sources.place(19..100), "a.toml:2:5");
        assert_eq!(sources.excerpt(0..100).text, "ä = \"ö\" # x");
    }
}
