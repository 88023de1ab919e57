//! Distributions of times.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::units;

/// The quantiles that a report shows, and what it calls them.
pub(crate) const QUANTILES: [(&str, f64); 4] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// Times in nanoseconds, to three digits, from a microsecond to two minutes; what lies outside
/// counts as the nearer end.
#[derive(Clone, Debug)]
pub(crate) struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1_000, 120_000_000_000, 3).expect("bounds are in order"))
    }
}

impl Latency {
    #[inline]
    pub(crate) fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// Nanoseconds that so large a part of the times does not exceed.
    pub(crate) fn quantile(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile).min(self.0.max())
    }

    /// The quantiles and the maximum, for a table.
    pub(crate) fn cells(&self) -> Vec<String> {
        if self.count() == 0 {
            return vec!["–".to_owned(); QUANTILES.len() + 1];
        }
        QUANTILES
            .iter()
            .map(|&(_, quantile)| units::nanos(self.quantile(quantile)))
            .chain([units::nanos(self.0.max())])
            .collect()
    }

    /// The same for machines, in microseconds.
    pub(crate) fn json(&self) -> Value {
        let micros = |nanos: u64| nanos as f64 / 1e3;
        let mut value = json!({ "count": self.count(), "unit": "us" });
        for (name, quantile) in QUANTILES {
            value[name.replace('.', "_")] = micros(self.quantile(quantile)).into();
        }
        value["mean"] = (self.0.mean() / 1e3).into();
        value["max"] = micros(self.0.max()).into();
        value
    }
}
