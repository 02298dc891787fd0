//! Problem details (RFC 9457): what went wrong, for programs and for people, as application/problem+json.
//!
//! The few lines of JSON that this takes are written here: this crate has no serialiser, so that none can come to
//! shape what is meant for the wire.

use std::fmt::Write;

use http::StatusCode;

/// The media type of the body.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The members that RFC 9457 §3.1 defines.
const STANDARD: [&str; 5] = ["type", "title", "status", "detail", "instance"];

/// A problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    kind: Option<String>,
    title: String,
    status: StatusCode,
    detail: Option<String>,
    members: Vec<(&'static str, Value)>,
}

/// The value of an extension member (§3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A number; some readers lose what is above 2^53.
    Number(u64),
    /// `true` or `false`.
    Flag(bool),
    /// `null`: known to be absent.
    Nothing,
    /// An array.
    List(Vec<Value>),
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl Problem {
    /// A problem that means no more than its status: its type is `about:blank`, its title the status's own phrase
    /// (§4.2.1).
    pub fn of(status: StatusCode) -> Self {
        let title = status.canonical_reason().unwrap_or("Unknown").to_owned();
        Self { kind: None, title, status, detail: None, members: Vec::new() }
    }

    /// A problem of the type that the URI `kind` names; `title` is the same for all of that type.
    pub fn new(kind: impl Into<String>, title: impl Into<String>, status: StatusCode) -> Self {
        Self { kind: Some(kind.into()), title: title.into(), ..Self::of(status) }
    }

    /// With what is particular to this occurrence, for people.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// With a member of its type's own. One of the same name is replaced; the names that the RFC uses itself are
    /// passed over.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        if !STANDARD.contains(&name) {
            self.members.retain(|(known, _)| *known != name);
            self.members.push((name, value.into()));
        }
        self
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The body: one JSON object, in UTF-8.
    pub fn body(&self) -> Vec<u8> {
        let mut json = String::from("{");
        if let Some(kind) = &self.kind {
            text(&mut json, "type");
            json.push(':');
            text(&mut json, kind);
            json.push(',');
        }
        json.push_str("\"title\":");
        text(&mut json, &self.title);
        json.push_str(",\"status\":");
        json.push_str(self.status.as_str());
        if let Some(detail) = &self.detail {
            json.push_str(",\"detail\":");
            text(&mut json, detail);
        }
        for (name, member) in &self.members {
            json.push(',');
            text(&mut json, name);
            json.push(':');
            value(&mut json, member);
        }
        json.push('}');
        json.into_bytes()
    }
}

fn value(json: &mut String, member: &Value) {
    match member {
        Value::Text(told) => text(json, told),
        Value::Number(number) => json.push_str(&number.to_string()),
        Value::Flag(flag) => json.push_str(if *flag { "true" } else { "false" }),
        Value::Nothing => json.push_str("null"),
        Value::List(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                value(json, item);
            }
            json.push(']');
        }
    }
}

/// A JSON string (RFC 8259 §7).
fn text(json: &mut String, told: &str) {
    json.push('"');
    for c in told.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            // DEL and the C1 controls may stand as they are; escaped, they do nothing to a terminal.
            c if c.is_control() => {
                // Writing into a String cannot fail.
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(problem: &Problem) -> serde_json::Value {
        serde_json::from_slice(&problem.body()).unwrap()
    }

    #[test]
    fn a_plain_status_has_no_type() {
        let problem = Problem::of(StatusCode::NOT_FOUND);
        assert_eq!(problem.body(), b"{\"title\":\"Not Found\",\"status\":404}");
        let unheard = Problem::of(StatusCode::from_u16(599).unwrap());
        assert_eq!(read(&unheard), json!({"title": "Unknown", "status": 599}));
    }

    #[test]
    fn a_type_brings_its_own_members() {
        let kind = "https://iana.org/assignments/http-problem-types#mismatching-upload-offset";
        let problem = Problem::new(kind, "offset mismatch", StatusCode::CONFLICT)
            .detail("The upload is at 12.")
            .member("expected-offset", 12)
            .member("provided-offset", u64::MAX)
            .member("tags", Value::List(vec!["a".into(), true.into(), Value::Nothing, Value::List(vec![])]));
        assert_eq!(
            read(&problem),
            json!({
                "type": kind,
                "title": "offset mismatch",
                "status": 409,
                "detail": "The upload is at 12.",
                "expected-offset": 12,
                "provided-offset": u64::MAX,
                "tags": ["a", true, null, []],
            })
        );
        assert_eq!(problem.status(), StatusCode::CONFLICT);
    }

    #[test]
    fn no_member_is_there_twice() {
        let problem = Problem::of(StatusCode::CONFLICT)
            .member("offset", 1)
            .member("offset", 2)
            .member("status", 200)
            .member("type", "x");
        assert_eq!(problem.body(), b"{\"title\":\"Conflict\",\"status\":409,\"offset\":2}");
    }

    #[test]
    fn what_is_told_cannot_leave_its_string() {
        let problem = Problem::of(StatusCode::BAD_REQUEST).detail("\",\"x\":\"\\\r\n\u{0}\u{7f}\u{9b}é🦀");
        let body = String::from_utf8(problem.body()).unwrap();
        assert!(body.ends_with(r#""detail":"\",\"x\":\"\\\u000d\n\u0000\u007f\u009bé🦀"}"#), "{body}");
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(Value::Text),
            any::<u64>().prop_map(Value::Number),
            any::<bool>().prop_map(Value::Flag),
            Just(Value::Nothing),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::List))
    }

    fn expected(value: &Value) -> serde_json::Value {
        match value {
            Value::Text(text) => json!(text),
            Value::Number(number) => json!(number),
            Value::Flag(flag) => json!(flag),
            Value::Nothing => json!(null),
            Value::List(items) => items.iter().map(expected).collect(),
        }
    }

    proptest! {
        #[test]
        fn whatever_is_told_is_read_back(
            kind: String, title: String, detail: String, status in 100..1000_u16, value in values(),
        ) {
            let status = StatusCode::from_u16(status).unwrap();
            let problem = Problem::new(&kind, &title, status).detail(&detail).member("own", value.clone());
            prop_assert_eq!(read(&problem), json!({
                "type": kind,
                "title": title,
                "status": status.as_u16(),
                "detail": detail,
                "own": expected(&value),
            }));
        }
    }
}
