//! What a server counts, as Prometheus reads it.

use std::{collections::BTreeMap, net::SocketAddr};

use haul_testkit::Served;

use super::{SOON, http::ask};

/// One scrape: each series with its value.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) text: String,
    series: BTreeMap<String, f64>,
}

impl Figures {
    /// What is told at this address.
    #[track_caller]
    pub(crate) fn at(addr: SocketAddr, path: &str) -> Self {
        Self::read(ask(addr, "GET", path, &[]).expect(200).text())
    }

    fn read(text: String) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        });
        let all: Vec<(String, f64)> = series.collect();
        let count = all.len();
        let series = BTreeMap::from_iter(all);
        assert_eq!(series.len(), count, "no series is told twice");
        Self { text, series }
    }

    /// The value of a series, written as it is told.
    #[track_caller]
    pub(crate) fn of(&self, series: &str) -> f64 {
        *self.series.get(series).unwrap_or_else(|| panic!("no {series} in\n{}", self.text))
    }

    /// What there is of a metric, beside zeroes.
    pub(crate) fn all(&self, name: &str) -> BTreeMap<&str, f64> {
        let of = |series: &&str| series.split('{').next() == Some(name);
        let all = self.series.iter().map(|(series, value)| (series.as_str(), *value));
        all.filter(|(series, value)| of(series) && *value != 0.0).collect()
    }

    /// The names of all metrics, with their types.
    pub(crate) fn types(&self) -> BTreeMap<&str, &str> {
        self.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
    }
}

/// Where a server tells figures beside its doors: it is to be started with `--metrics 127.0.0.1:0`.
#[track_caller]
pub(crate) fn told_at(served: &Served) -> SocketAddr {
    let line = served.process().wait_for_output_line(|line| line.starts_with("listening metrics "), SOON);
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
