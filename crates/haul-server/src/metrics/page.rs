//! Figures as the text that Prometheus reads (exposition format 0.0.4): for each metric what it is, its type, and a line
//! for every value of its labels.

use std::fmt::{Display, Write as _};

use super::figure::{Bounds, Count, Grid, Key, Spread};

/// The type that the text has over HTTP.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page that is being written. Whatever a number is, it can be written to a string.
#[derive(Default)]
pub(super) struct Page(String);

/// What a metric is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (index, (key, value)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{key}=\"{value}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }

    /// One number.
    pub(super) fn one(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.several(name, kind, help, &[(&[], value)]);
    }

    /// One number for each of these labels, which nothing has to be escaped in.
    pub(super) fn several<V: Display>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        values: &[(&[(&str, &str)], V)],
    ) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.head(name, kind, help);
        for (labels, value) in values {
            self.line(name, labels, value);
        }
    }

    /// Counts, where `there` says that there can be such.
    pub(super) fn counts<K: Key>(
        &mut self,
        name: &str,
        help: &str,
        grid: &Grid<K, Count>,
        there: impl Fn(K) -> bool,
    ) {
        self.head(name, "counter", help);
        for (key, count) in grid.each().filter(|(key, _)| there(*key)) {
            self.line(name, &pairs(key), count.value());
        }
    }

    /// Distributions, where `there` says that there can be such.
    pub(super) fn spreads<K: Key, B: Bounds>(
        &mut self,
        name: &str,
        help: &str,
        grid: &Grid<K, Spread<B>>,
        there: impl Fn(K) -> bool,
    ) {
        self.head(name, "histogram", help);
        for (key, spread) in grid.each().filter(|(key, _)| there(*key)) {
            self.spread(name, &pairs(key), spread);
        }
    }

    /// One distribution.
    pub(super) fn one_spread<B: Bounds>(&mut self, name: &str, help: &str, spread: &Spread<B>) {
        self.head(name, "histogram", help);
        self.spread(name, &[], spread);
    }

    fn spread<B: Bounds>(&mut self, name: &str, labels: &[(&str, &str)], spread: &Spread<B>) {
        let (within, count, sum) = spread.value();
        let bucket = format!("{name}_bucket");
        for (bound, value) in within {
            let bound = bound.to_string();
            let mut labels = labels.to_vec();
            labels.push(("le", &bound));
            self.line(&bucket, &labels, value);
        }
        let mut all = labels.to_vec();
        all.push(("le", "+Inf"));
        self.line(&bucket, &all, count);
        self.line(&format!("{name}_sum"), labels, sum);
        self.line(&format!("{name}_count"), labels, count);
    }

    /// The text.
    pub(super) fn text(self) -> String {
        self.0
    }
}

fn pairs<K: Key>(key: K) -> Vec<(&'static str, &'static str)> {
    let mut pairs = Vec::new();
    key.pairs(&mut pairs);
    pairs
}
