//! What the server tells of itself: whether it is well, and its figures in the form that Prometheus reads (text format
//! 0.0.4). Nobody needs a name for it; it names nobody.

use http::{HeaderValue, Method, StatusCode, header};

use super::{
    answer::Answer,
    request::{Client, Request},
    trouble::{Answered, Trouble},
};
use crate::metrics;

/// The answer, where that is what is asked for.
pub(super) async fn answer(client: &Client, request: &Request) -> Option<Answered> {
    let answer = match request.path.as_str() {
        "/-/health" => Answer::new(StatusCode::OK).bytes("application/json", "{\"status\":\"ok\"}\n"),
        "/-/metrics" => {
            Answer::new(StatusCode::OK).bytes(metrics::CONTENT_TYPE, metrics::scrape(&client.house).await)
        }
        _ => return None,
    };
    let answer = answer.with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(match request.method {
        Method::GET | Method::HEAD => Ok(answer),
        _ => Err(Trouble::method("GET, HEAD")),
    })
}
