// What a recipe shows between client and service is what happens. Included by its code.

use axum::{
    Router,
    body::{Body, to_bytes},
};
use http::Request;
use tower::ServiceExt;

/// The lines of the section that begin so, without that.
fn lines<'a>(page: &'a str, section: &str, begin: &str) -> Vec<&'a str> {
    let (_, section) = page.split_once(&format!("\n## {section}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section.lines().filter_map(|line| line.strip_prefix(begin)).collect()
}

/// Sends what stands behind each `→ `, a method, a path and perhaps JSON, and finds what stands
/// behind the next `← `, a status and perhaps a body.
pub async fn check(app: Router, page: &str, section: &str) {
    let (requests, answers) = (lines(page, section, "→ "), lines(page, section, "← "));
    assert!(requests.len() > 1 && requests.len() == answers.len(), "{section}");
    let mut wrong = String::new();
    for (request, answer) in requests.into_iter().zip(answers) {
        let mut words = request.splitn(3, ' ');
        let head = Request::builder().method(words.next().unwrap()).uri(words.next().unwrap());
        let sent = match words.next() {
            Some(json) => {
                head.header("content-type", "application/json").body(Body::from(json.to_owned()))
            }
            None => head.body(Body::empty()),
        };
        let got = app.clone().oneshot(sent.unwrap()).await.unwrap();
        let status = got.status().as_u16();
        let body = to_bytes(got.into_body(), 4_096).await.unwrap();
        let mut got = format!("{status} {}", String::from_utf8_lossy(&body)).trim_end().to_owned();
        // The ids are others each time, and the page leaves them out.
        if let (Some(ids), Some(errors)) = (got.find(r#""request_id""#), got.find(r#""errors""#)) {
            got.replace_range(ids..errors, "");
        }
        if got != answer {
            wrong += &format!("→ {request}\n← {got}\n");
        }
    }
    assert!(wrong.is_empty(), "{section}: it is\n{wrong}");
}
