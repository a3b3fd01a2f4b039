use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

use super::*;

/// The whole tour, of a service with what this makes of its stack.
async fn tour_of(change: impl Fn(Stack) -> Stack) -> (bool, String) {
    let log = Captured::new();
    let (lines, guard) = log.setup().unwrap().layer().unwrap();
    let _logging = tracing_subscriber::registry().with(lines).set_default();
    install_panic_hook();
    let story = Story::new(Vec::new(), false);
    let story = tell(story, log, &guard.writer(), change).await.unwrap();
    (story.holds(), String::from_utf8(story.into_inner()).unwrap())
}

#[tokio::test]
async fn a_service_without_headers_is_not_as_told() {
    let (holds, story) = tour_of(|stack| stack.headers(None)).await;
    assert!(!holds);
    let (_, end) = story.split_once("claims do not hold:").unwrap();
    assert!(end.contains("the nine of an API; seen:"), "{end}");
    assert!(end.contains("and so are the security headers; seen: \"\""), "{end}");
    assert!(!end.contains("the answer has an id"), "{end}");
}

#[tokio::test]
async fn a_service_without_a_limit_is_not_as_told() {
    let (holds, story) = tour_of(|stack| stack.limit(None)).await;
    assert!(!holds);
    let (_, end) = story.split_once("claims do not hold:").unwrap();
    assert!(end.contains("the eleventh is refused by the burst's rule; seen:"), "{end}");
    assert!(!end.contains("the sixth"), "{end}");
}

#[tokio::test]
async fn a_service_without_a_guard_is_not_as_told() {
    let (holds, story) = tour_of(|stack| stack.sanitize(None)).await;
    assert!(!holds);
    let (_, end) = story.split_once("claims do not hold:").unwrap();
    assert!(end.contains("a key twice, hidden by an escape: 400; seen:"), "{end}");
    // The extractors of typed input judge by themselves.
    assert!(!end.contains("a parameter twice"), "{end}");
}

#[test]
fn a_broken_claim_is_told_with_what_was_seen() {
    let mut story = Story::new(Vec::new(), false);
    story.claim("two is two", true, 2).unwrap();
    story.claim("two is three", false, 2).unwrap();
    story.end().unwrap();
    assert!(!story.holds());
    let told = String::from_utf8(story.into_inner()).unwrap();
    assert!(told.contains("NOT SO two is three"), "{told}");
    assert!(told.ends_with("1 of 2 claims do not hold:\n  - two is three; seen: 2\n"), "{told}");
}

#[test]
fn there_is_colour_where_it_is_asked_for() {
    for colour in [true, false] {
        let mut story = Story::new(Vec::new(), colour);
        story.title("title").unwrap();
        story.claim("claim", true, ()).unwrap();
        assert_eq!(story.into_inner().contains(&0x1b), colour);
    }
}
