//! What a check and a source of numbers hand over.

use std::error::Error;

use buttress_core::{
    source::{Check, CheckError, CheckFuture, CheckReport, Kind, Metrics, Sample},
    value::Value,
};

struct Queue {
    depth: usize,
}

impl Check for Queue {
    fn name(&self) -> &'static str {
        "queue"
    }

    fn check(&self) -> CheckFuture<'_> {
        Box::pin(async {
            match self.depth {
                0..10 => Ok(CheckReport::ok().with("depth", self.depth)),
                10..100 => Err(CheckError::degraded("backlog").with("depth", self.depth)),
                _ => Err(CheckError::failed("full").because("broker-3 is out of disk")),
            }
        })
    }
}

impl Metrics for Queue {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        each(Sample::gauge("queue_depth", "Jobs that wait.", 3.0).labels(&[("queue", "a")]));
        each(Sample::counter("jobs_total", "Jobs that were done.", 8.0));
    }
}

#[tokio::test]
async fn a_check_that_passes_says_what_it_saw() {
    let queue: Box<dyn Check> = Box::new(Queue { depth: 3 });
    assert_eq!(queue.name(), "queue");
    let report = queue.check().await.unwrap();
    assert_eq!(report.data().collect::<Vec<_>>(), [("depth", &Value::from(3_usize))]);
}

#[tokio::test]
async fn a_degraded_check_says_what_it_saw() {
    let error = Queue { depth: 30 }.check().await.unwrap_err();
    assert!(error.is_degraded());
    assert_eq!(error.public(), "backlog");
    assert_eq!(error.data().collect::<Vec<_>>(), [("depth", &Value::from(30_usize))]);
}

#[tokio::test]
async fn a_cause_is_not_shown() {
    let error = Queue { depth: 300 }.check().await.unwrap_err();
    assert!(!error.is_degraded());
    assert_eq!((error.to_string().as_str(), error.data().count()), ("full", 0));
    assert_eq!(error.source().unwrap().to_string(), "broker-3 is out of disk");
}

#[test]
fn the_same_name_again_replaces_the_value() {
    let report = CheckReport::ok().with("n", 1_u64).with("m", true).with("n", 2_u64);
    assert_eq!(report, CheckReport::ok().with("m", true).with("n", 2_u64));
}

#[test]
fn each_sample_is_handed_over_with_its_kind() {
    let mut seen = Vec::new();
    Queue { depth: 3 }.collect(&mut |sample| {
        seen.push((sample.name.to_owned(), sample.kind, sample.value, sample.labels.len()));
    });
    let gauge = (String::from("queue_depth"), Kind::Gauge, 3.0, 1);
    let counter = (String::from("jobs_total"), Kind::Counter, 8.0, 0);
    assert_eq!(seen, [gauge, counter]);
}
