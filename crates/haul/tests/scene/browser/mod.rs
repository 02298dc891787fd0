//! A real headless Chromium, which goes through pages as a test tells it. walk.js has the steps, browser.js what is
//! told of a page meanwhile.

use std::{path::PathBuf, process::Command};

use haul_testkit::{Finished, Haul, HaulProcess, real::peer};
use serde_json::{Value, json};

use super::SOON;

/// The browser's program, and node with what drives it; None where one is missing.
#[track_caller]
pub(crate) fn programs() -> Option<(PathBuf, PathBuf)> {
    Some((peer("chromium-headless-shell")?, peer("playwright-core")?))
}

/// A walk through pages that is about to begin: `steps` are those of walk.js, `options` those of `open` in browser.js.
/// None where there is no browser.
#[track_caller]
pub(crate) fn walk(steps: &Value, options: &Value) -> Option<Haul> {
    let (browser, node) = programs()?;
    let wanted = joined(&json!({ "browser": browser, "steps": steps }), options);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scene/browser/walk.js");
    Some(Haul::new(node).arg(script).arg(wanted.to_string()))
}

/// SIGKILL to the browser that a script at work has opened; the script ends by itself then.
#[track_caller]
pub(crate) fn kill_browser(script: &HaulProcess) {
    let opened = script.wait_for_output_line(|line| line.contains(r#""event":"opened""#), SOON);
    let opened: Value = serde_json::from_str(&opened).unwrap();
    let process = opened["process"].as_u64().expect("its number");
    let killed = Command::new("sh").args(["-c", &format!("kill -9 {process}")]).status();
    assert!(killed.is_ok_and(|status| status.success()), "no process {process}");
}

/// The fields of both objects; the second one's count.
pub(crate) fn joined(first: &Value, second: &Value) -> Value {
    let fields = [first, second].map(|fields| fields.as_object().expect("an object").clone());
    Value::Object(fields.into_iter().flatten().collect())
}

/// What a script told, event by event.
#[derive(Debug)]
pub(crate) struct Events(Vec<Value>);

impl Events {
    /// What came on its standard output.
    #[track_caller]
    pub(crate) fn of(end: &Finished) -> Self {
        let told = String::from_utf8_lossy(&end.stdout);
        let event = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line:?}: {e}"));
        // A script that was killed may have been in the middle of a line.
        let whole = told.rfind('\n').map_or("", |at| &told[..at]);
        Self(whole.lines().map(event).collect())
    }

    /// The events of one kind.
    pub(crate) fn all(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter(|event| event["event"] == kind).collect()
    }

    /// What the steps of this name have found, in their order.
    pub(crate) fn found(&self, step: &str) -> Vec<&Value> {
        let steps = self.all("step").into_iter().filter(|event| event["step"] == step);
        steps.map(|event| &event["value"]).collect()
    }

    /// Nothing went wrong in the page: no error, nothing said on the console, nothing unanswered.
    #[track_caller]
    pub(crate) fn assert_quiet(&self) {
        for kind in ["error", "console", "unanswered"] {
            let found = self.all(kind);
            assert!(found.is_empty(), "{found:#?}");
        }
    }
}
