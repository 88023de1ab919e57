//! The time of day as answers give it.

use std::time::SystemTime;

use common::Tick;

/// The `date` field of answers (RFC 9110 section 6.6.1). The host is asked for the time of day at
/// most once a second, and only while somebody is answered.
#[derive(Debug, Default)]
pub(crate) struct DateCache {
    /// When the text was written; zero for never.
    at: Tick,
    text: String,
}

impl DateCache {
    /// The date at `now`.
    pub(crate) fn text(&mut self, now: Tick) -> &str {
        if self.at != now {
            self.at = now;
            self.text = httpdate::fmt_http_date(SystemTime::now());
        }
        &self.text
    }
}
