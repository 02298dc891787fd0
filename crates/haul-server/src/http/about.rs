//! What the server tells of itself: whether it is well, and its figures in the form that Prometheus reads (text format
//! 0.0.4). Nobody needs a name for it; it names nobody.

use std::fmt::Write as _;

use http::{Method, StatusCode};

use super::{
    answer::Answer,
    request::{Client, Request},
    trouble::{Answered, Trouble},
};

/// The answer, where that is what is asked for.
pub(super) fn answer(client: &Client, request: &Request) -> Option<Answered> {
    let answer = match request.path.as_str() {
        "/-/health" => Answer::new(StatusCode::OK).bytes("application/json", "{\"status\":\"ok\"}\n"),
        "/-/metrics" => {
            Answer::new(StatusCode::OK).bytes("text/plain; version=0.0.4; charset=utf-8", metrics(client))
        }
        _ => return None,
    };
    let answer = answer.with(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    Some(match request.method {
        Method::GET | Method::HEAD => Ok(answer),
        _ => Err(Trouble::method("GET, HEAD")),
    })
}

fn metrics(client: &Client) -> String {
    let (house, counts) = (&client.house, &client.house.counts);
    let mut text = String::new();
    let mut tell = |name: &str, kind: &str, help: &str, values: &[(&str, u64)]| {
        // Whatever it is, it can be written to a string.
        let _ = writeln!(text, "# HELP haul_{name} {help}\n# TYPE haul_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "haul_{name}{labels} {value}");
        }
    };
    let there = |sessions: &crate::Sessions| u64::try_from(sessions.count()).unwrap_or(u64::MAX);
    let open = [("{door=\"ftp\"}", there(&house.sessions)), ("{door=\"http\"}", there(&house.connections))];
    tell("connections", "gauge", "Clients that are connected.", &open);
    let came = [("", counts.connections())];
    tell("http_connections_total", "counter", "Connections over HTTP so far.", &came);
    let [one, two, three, four, five] = counts.requests();
    let answers = [
        ("{class=\"1xx\"}", one),
        ("{class=\"2xx\"}", two),
        ("{class=\"3xx\"}", three),
        ("{class=\"4xx\"}", four),
        ("{class=\"5xx\"}", five),
    ];
    tell("http_answers_total", "counter", "Answers over HTTP by the class of their status.", &answers);
    let sent = [("", counts.bytes_sent())];
    tell("http_sent_bytes_total", "counter", "Bytes of files sent over HTTP.", &sent);
    let received = [("", counts.bytes_received())];
    tell("http_received_bytes_total", "counter", "Bytes of uploads received over HTTP.", &received);
    text
}
