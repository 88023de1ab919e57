//! What others than the gate count.

use std::fmt;

use parking_lot::Mutex;

/// A value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Name of the metric, without the prefix that all have.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Whether it only ever grows.
    pub is_counter: bool,
    /// What tells the values of one metric apart.
    pub labels: &'static [(&'static str, &'static str)],
    /// The value.
    pub value: f64,
}

type Source = Box<dyn Fn() -> Vec<Sample> + Send + Sync>;

/// Those who are asked for samples when somebody asks for metrics.
#[derive(Default)]
pub(super) struct Sources(Mutex<Vec<Source>>);

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sources")
            .field(&self.0.lock().len())
            .finish()
    }
}

impl Sources {
    pub(super) fn add(&self, source: impl Fn() -> Vec<Sample> + Send + Sync + 'static) {
        self.0.lock().push(Box::new(source));
    }

    /// What there is now; the values of one metric stand together.
    pub(super) fn read(&self) -> Vec<Sample> {
        self.0.lock().iter().flat_map(|source| source()).collect()
    }
}
