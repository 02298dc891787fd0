//! The files for those who watch a server, and the manual of its figures: everything that they name is told by a server
//! that runs, and promtool, which is Prometheus' own, finds nothing wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use haul_testkit::{Finished, Haul, real::peer};
use serde_json::Value;

use crate::scene::{
    figures::Figures,
    served::{Place, owner},
};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All that a server tells that has everything: both doors, TLS, a state.
fn figures(place: &Place) -> Figures {
    let served = place.serve().arg("--tls-self-signed").http().https().ftps().start();
    drop(owner(served.addr()));
    Figures::at(served.http_addr(), "/-/metrics")
}

fn promtool(args: &[&str], input: &str) -> Option<Finished> {
    let folder = project("packaging/monitoring");
    Some(Haul::new(peer("promtool")?).args(args).input(input).dir(folder).run())
}

/// The words in an expression that name metrics of ours, without what a histogram's series have at their end.
fn named(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("haul_") || word.starts_with("process_"));
    let base = |word: &str| {
        let ends = ["_bucket", "_count", "_sum"];
        ends.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word).to_owned()
    };
    ours.map(base).collect()
}

#[track_caller]
fn are_told(figures: &Figures, expression: &str) {
    let told = figures.types();
    for name in named(expression) {
        assert!(told.contains_key(name.as_str()), "{name} in {expression}");
    }
}

#[test]
fn the_manual_names_every_figure_and_no_other() {
    let place = Place::new();
    let figures = figures(&place);
    let manual = text("docs/monitoring.md");
    let rows = manual.lines().filter(|line| line.starts_with("| `haul_") || line.starts_with("| `process_"));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    let mut named = BTreeMap::new();
    let mut labels = BTreeMap::new();
    for cells in cells {
        let name = cells[0].trim_matches('`');
        assert!(named.insert(name.to_owned(), cells[1].to_owned()).is_none(), "{name} is there twice");
        let of = cells[2].split(", ").map(|label| label.trim_matches('`').to_owned());
        labels.insert(name.to_owned(), of.filter(|label| !label.is_empty()).collect::<BTreeSet<_>>());
        assert!(cells[3].ends_with('.'), "{name} has a meaning");
    }
    let told = figures.types().into_iter().map(|(name, kind)| (name.to_owned(), kind.to_owned()));
    assert_eq!(named, told.collect());
    for line in figures.text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, rest) = series.split_once('{').unwrap_or((series, ""));
        let name = named.keys().find(|known| **known == name || self::named(name).contains(*known)).unwrap();
        let has = rest.trim_end_matches('}').split(',').filter_map(|pair| pair.split_once('='));
        let has: BTreeSet<String> =
            has.map(|(label, _)| label.to_owned()).filter(|label| label != "le").collect();
        assert_eq!(has, labels[name], "{series}");
    }
    // Each reason has a row of its own, or shares one.
    let reasons = figures.text.lines().filter_map(|line| line.split_once("reason=\"")?.1.split('"').next());
    for reason in reasons {
        assert!(manual.contains(&format!("`{reason}`")), "{reason}");
    }
}

#[test]
fn promtool_finds_nothing_wrong_with_the_figures() {
    let place = Place::new();
    let figures = figures(&place);
    let Some(end) = promtool(&["check", "metrics"], &figures.text) else { return };
    let end = end.expect_code(0);
    assert_eq!((end.stderr.as_str(), end.stdout.len()), ("", 0));
}

#[test]
fn alerts_are_rules_that_go_off_when_they_should_and_name_what_is_told() {
    let rules = text("packaging/monitoring/alerts.yml");
    let Some(end) = promtool(&["check", "rules", "alerts.yml"], "") else { return };
    end.expect_code(0);
    promtool(&["test", "rules", "alerts-test.yml"], "").unwrap().expect_code(0);
    let place = Place::new();
    are_told(
        &figures(&place),
        &rules.lines().filter(|line| !line.contains("alert:")).collect::<Vec<_>>().join("\n"),
    );
    // The manual names each of them.
    let manual = text("docs/monitoring.md");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10);
    for alert in alerts {
        assert!(manual.contains(&format!("`{alert}`")), "{alert}");
    }
}

#[test]
fn the_dashboard_can_be_imported_and_asks_for_what_is_told() {
    let dashboard: Value =
        serde_json::from_str(&text("packaging/monitoring/grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut ids, mut expressions) = (BTreeSet::new(), Vec::new());
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "two panels have one number");
        let place = &panel["gridPos"];
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{place}");
        for target in panel["targets"].as_array().into_iter().flatten() {
            expressions.push(target["expr"].as_str().unwrap().to_owned());
        }
    }
    let notes = dashboard["annotations"]["list"].as_array().unwrap().iter();
    expressions.extend(notes.map(|note| note["expr"].as_str().unwrap().to_owned()));
    let place = Place::new();
    let figures = figures(&place);
    let all = expressions.join("\n");
    are_told(&figures, &all);
    // Nothing that is told is forgotten.
    let shown = named(&all);
    let missing: Vec<&str> = figures.types().into_keys().filter(|name| !shown.contains(*name)).collect();
    let rest =
        ["haul_build_info", "process_start_time_seconds", "process_threads", "process_virtual_memory_bytes"];
    assert_eq!(missing, rest);
    // As rules, with values for what Grafana puts in.
    let filled = expressions.iter().map(|expression| {
        let expression =
            expression.replace("$__rate_interval", "5m").replace("$__range", "1h").replace("$instance", ".*");
        assert!(!expression.contains('$'), "{expression}");
        serde_json::json!({"record": "an:expression", "labels": {"number": expression}, "expr": expression})
    });
    let rules = serde_json::json!({"groups": [{"name": "dashboard", "rules": filled.collect::<Vec<_>>()}]});
    let file = place.local("rules.yml");
    fs::write(&file, rules.to_string()).unwrap();
    let Some(end) = promtool(&["check", "rules", file.to_str().unwrap()], "") else { return };
    end.expect_code(0);
}
