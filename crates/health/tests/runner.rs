//! What is known, and how it grows old.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use buttress_core::{
    lifecycle::{Lifecycle, State},
    source::{CheckReport, Metrics},
};
use buttress_health::{ConfigErrorKind, Entry, FnCheck, Heartbeat, Registry, Status};
use common::{Script, after_runs, get, number, probes};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn two_failures_are_borne_and_the_third_in_a_row_is_a_503() {
    // The first result would decide at once, so there is a pass before it.
    let check = Script::new("db", "PFFPFFF");
    let entry = Entry::critical(check).fall(3).unwrap();
    let (health, runner) = Registry::new().check(entry).unwrap().split();
    let service = probes(&health);
    tokio::spawn(runner.run());
    for (runs, status, word) in [
        (1, 200, "pass"),
        (2, 200, "warn"),
        (3, 200, "warn"),
        (4, 200, "pass"),
        (5, 200, "warn"),
        (6, 200, "warn"),
        (7, 503, "fail"),
    ] {
        after_runs(&health, "db", runs).await;
        for path in ["/health", "/healthz", "/ready", "/readyz"] {
            let answer = get(&service, path).await;
            assert_eq!(answer.status, status, "{path} after {runs}");
            assert_eq!(answer.text(), format!(r#"{{"status":"{word}"}}"#), "{path} after {runs}");
        }
        assert_eq!(get(&service, "/live").await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_failure_decides_at_once() {
    let entry = Entry::critical(Script::new("db", "F")).fall(9).unwrap();
    let (health, runner) = Registry::new().check(entry).unwrap().split();
    tokio::spawn(runner.run());
    after_runs(&health, "db", 1).await;
    assert_eq!(health.overall(), Status::Unhealthy);
}

#[tokio::test(start_paused = true)]
async fn it_rises_after_as_many_passes_as_were_asked_for() {
    let entry = Entry::critical(Script::new("db", "FPPP")).rise(3).unwrap();
    let (health, runner) = Registry::new().check(entry).unwrap().split();
    tokio::spawn(runner.run());
    for (runs, status) in [(2, Status::Unhealthy), (3, Status::Unhealthy), (4, Status::Healthy)] {
        after_runs(&health, "db", runs).await;
        assert_eq!(health.overall(), status, "after {runs}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_worst_of_all_counts_and_an_optional_check_degrades_at_most() {
    use Status::{Degraded, Healthy, Unavailable, Unhealthy};
    for (critical, optional, expected) in [
        ("P", "P", Healthy),
        ("P", "D", Degraded),
        ("P", "F", Degraded),
        ("P", "-", Degraded),
        ("D", "P", Degraded),
        ("D", "F", Degraded),
        ("F", "P", Unhealthy),
        ("F", "F", Unhealthy),
        ("-", "F", Unavailable),
    ] {
        let (health, runner) = Registry::new()
            .check(Entry::critical(Script::new("critical", critical)))
            .unwrap()
            .check(Entry::optional(Script::new("optional", optional)))
            .unwrap()
            .split();
        let runner = tokio::spawn(runner.run());
        // Before the timeout of 2 s: what hangs has no result yet.
        tokio::time::sleep(SECOND).await;
        assert_eq!(health.overall(), expected, "{critical} {optional}");
        assert_eq!(get(&probes(&health), "/health").await.status, expected.http());
        runner.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_beside_a_dependency_that_hangs_call_it_once_and_do_not_wait() {
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&calls);
    let check = FnCheck::new("db", move || {
        seen.fetch_add(1, Ordering::SeqCst);
        std::future::pending()
    });
    let entry = Entry::critical(check).timeout(60 * SECOND).unwrap();
    let (health, runner) = Registry::new().check(entry).unwrap().split();
    tokio::spawn(runner.run());
    tokio::time::sleep(SECOND).await;
    assert_eq!(calls.load(Ordering::SeqCst), 1);

    let service = probes(&health);
    let before = tokio::time::Instant::now();
    let requests: Vec<_> = (0..1_000)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move { get(&service, "/health").await.status })
        })
        .collect();
    for request in requests {
        assert_eq!(request.await.unwrap(), 503);
    }
    // Paused time passes only while everything waits for it: nothing has waited.
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_dies_turns_stale_by_itself() {
    let entry = Entry::critical(Script::new("db", "P"));
    let (health, runner) = Registry::new().check(entry).unwrap().split();
    let service = probes(&health);
    let runner = tokio::spawn(runner.run());
    after_runs(&health, "db", 1).await;
    assert_eq!(get(&service, "/health").await.status, 200);

    runner.abort();
    // Three intervals and the timeout.
    tokio::time::sleep(31 * SECOND).await;
    assert_eq!(get(&service, "/health").await.status, 200);
    tokio::time::sleep(2 * SECOND).await;
    for (path, status) in [("/health", 503), ("/ready", 503), ("/live", 200), ("/startupz", 200)] {
        assert_eq!(get(&service, path).await.status, status, "{path}");
    }
    assert_eq!(health.status_of("db"), Some(Status::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_and_the_runner_lives() {
    for panics in ["PXXP", "PxxP"] {
        let (health, runner) = Registry::new()
            .check(Entry::critical(Script::new("db", panics)))
            .unwrap()
            .check(Entry::critical(Script::new("other", "P")))
            .unwrap()
            .split();
        let runner = tokio::spawn(runner.run());
        for (runs, status) in [(2, Status::Degraded), (3, Status::Unhealthy), (4, Status::Healthy)]
        {
            after_runs(&health, "db", runs).await;
            assert_eq!(health.status_of("db"), Some(status), "{panics} after {runs}");
        }
        assert_eq!(number(&health, "health_check_failures_total", "db"), 2.0);
        assert_eq!(health.status_of("other"), Some(Status::Healthy));
        assert!(!runner.is_finished());
        runner.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_takes_too_long_is_dropped_and_has_failed() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&drops);
    let check = FnCheck::new("db", move || {
        let held = Dropped(Arc::clone(&seen));
        async move {
            let _held = held;
            std::future::pending().await
        }
    });
    let (health, runner) = Registry::new().check(Entry::critical(check)).unwrap().split();
    tokio::spawn(runner.run());
    after_runs(&health, "db", 1).await;
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    assert_eq!(health.status_of("db"), Some(Status::Unhealthy));
    assert_eq!(number(&health, "health_check_duration_seconds", "db").round(), 2.0);
}

#[tokio::test(start_paused = true)]
async fn no_more_checks_run_at_once_than_were_asked_for() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut registry = Registry::new().concurrency(3).unwrap();
    for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        let check = FnCheck::new(name, move || {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(SECOND).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(CheckReport::ok())
            }
        });
        registry = registry.check(Entry::critical(check)).unwrap();
    }
    let (health, runner) = registry.split();
    tokio::spawn(runner.run());
    for name in ["a", "j"] {
        after_runs(&health, name, 3).await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn the_start_is_over_once_it_was_up_and_stays_over() {
    let lifecycle = Lifecycle::new();
    let check = Script::new("db", "F");
    let (health, runner) = Registry::new()
        .lifecycle(&lifecycle)
        .check(Entry::critical(check.clone()))
        .unwrap()
        .split();
    let service = probes(&health);
    tokio::spawn(runner.run());
    let expect = async |startup: u16, ready: u16, live: u16, when: &str| {
        for (path, status) in [("/startupz", startup), ("/ready", ready), ("/live", live)] {
            assert_eq!(get(&service, path).await.status, status, "{path} {when}");
        }
    };
    expect(503, 503, 200, "before the first look").await;
    lifecycle.advance(State::Running);
    after_runs(&health, "db", 1).await;
    expect(503, 503, 200, "running, its check down").await;
    check.now("P");
    after_runs(&health, "db", 2).await;
    check.now("F");
    expect(200, 200, 200, "up").await;
    after_runs(&health, "db", 4).await;
    expect(200, 503, 200, "down again").await;
    check.now("P");
    after_runs(&health, "db", 5).await;
    lifecycle.advance(State::Draining);
    expect(200, 503, 200, "draining").await;
    assert_eq!(get(&service, "/health").await.status, 200);
    lifecycle.advance(State::Stopping);
    expect(200, 503, 200, "stopping").await;
}

#[tokio::test(start_paused = true)]
async fn before_it_runs_it_has_not_started() {
    let lifecycle = Lifecycle::new();
    let (health, _runner) = Registry::new().lifecycle(&lifecycle).split();
    assert_eq!(get(&probes(&health), "/startupz").await.status, 503);
    lifecycle.advance(State::Running);
    assert_eq!(get(&probes(&health), "/startupz").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_silent_task_is_not_alive_but_while_draining_it_may_be_silent() {
    let (lifecycle, beat) = (Lifecycle::new(), Heartbeat::new("outbox", 10 * SECOND).unwrap());
    let (health, _runner) = Registry::new().lifecycle(&lifecycle).heartbeat(&beat).unwrap().split();
    let service = probes(&health);
    let live = async || get(&service, "/livez").await.status;
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(live().await, 200);
    tokio::time::sleep(SECOND).await;
    assert_eq!(live().await, 503);
    beat.beat();
    assert_eq!(live().await, 200);
    tokio::time::sleep(11 * SECOND).await;
    assert_eq!(live().await, 503);
    lifecycle.advance(State::Draining);
    assert_eq!(live().await, 200);
}

#[test]
fn what_cannot_be_right_is_refused() {
    let entry = || Entry::critical(Script::new("db", "P"));
    let beat = Heartbeat::new("db", SECOND).unwrap();
    let day = Duration::from_secs(86_401);
    let twice = Registry::new().check(entry()).unwrap();
    let cases = [
        (entry().interval(Duration::ZERO).map(drop), ConfigErrorKind::Time),
        (entry().interval(day).map(drop), ConfigErrorKind::Time),
        // Below what a timer can tell apart, it would be stale before the next look.
        (entry().interval(Duration::from_nanos(1)).map(drop), ConfigErrorKind::Time),
        (entry().timeout(Duration::from_nanos(1)).map(drop), ConfigErrorKind::Time),
        (entry().timeout(Duration::ZERO).map(drop), ConfigErrorKind::Time),
        (entry().fall(0).map(drop), ConfigErrorKind::Count),
        (entry().rise(0).map(drop), ConfigErrorKind::Count),
        (Registry::new().concurrency(0).map(drop), ConfigErrorKind::Count),
        (twice.check(entry()).map(drop), ConfigErrorKind::Name),
        (Registry::new().check(entry()).unwrap().heartbeat(&beat).map(drop), ConfigErrorKind::Name),
        (Heartbeat::new("", SECOND).map(drop), ConfigErrorKind::Name),
        (Heartbeat::new("a\nb", SECOND).map(drop), ConfigErrorKind::Name),
        (Heartbeat::new("a", Duration::ZERO).map(drop), ConfigErrorKind::Time),
    ];
    for (index, (result, kind)) in cases.into_iter().enumerate() {
        assert_eq!(result.unwrap_err().kind(), kind, "case {index}");
    }
}

#[tokio::test(start_paused = true)]
async fn samples_of_one_name_stand_together() {
    let (health, runner) = Registry::new()
        .check(Entry::critical(Script::new("a", "P")))
        .unwrap()
        .check(Entry::optional(Script::new("b", "F")))
        .unwrap()
        .split();
    tokio::spawn(runner.run());
    after_runs(&health, "b", 2).await;
    let mut names = Vec::new();
    health.collect(&mut |sample| names.push(sample.name.to_owned()));
    names.dedup();
    assert_eq!(
        names,
        [
            "health_status",
            "health_live",
            "health_ready",
            "health_check_status",
            "health_check_duration_seconds",
            "health_check_runs_total",
            "health_check_failures_total",
            "health_check_transitions_total"
        ]
    );
    assert_eq!(number(&health, "health_check_status", "b"), 3.0);
    assert_eq!(number(&health, "health_check_failures_total", "b"), 2.0);
}

/// Its task ends with it, and is made anew.
#[tokio::test(start_paused = true)]
async fn a_check_that_panics_when_it_is_dropped_has_failed_and_is_asked_anew() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("planted: in a drop");
        }
    }
    let calls = AtomicUsize::new(0);
    let check = FnCheck::new("db", move || {
        let bad = (calls.fetch_add(1, Ordering::SeqCst) < 2).then(|| Bad);
        async move {
            if bad.is_some() {
                std::future::pending::<()>().await;
            }
            Ok(CheckReport::ok())
        }
    });
    let (health, runner) = Registry::new().check(Entry::critical(check)).unwrap().split();
    tokio::spawn(runner.run());
    for (runs, status) in [(2, Status::Unhealthy), (3, Status::Healthy)] {
        after_runs(&health, "db", runs).await;
        assert_eq!(health.overall(), status, "after {runs}");
    }
}

/// It waits for a place meanwhile, so nothing is known of it: a failure is no reason for a 200.
#[tokio::test(start_paused = true)]
async fn a_failure_after_it_was_stale_is_down_at_once() {
    let slow = FnCheck::new("slow", std::future::pending);
    let (health, runner) = Registry::new()
        .concurrency(1)
        .unwrap()
        .check(Entry::critical(Script::new("db", "PF")).fall(3).unwrap())
        .unwrap()
        .check(Entry::critical(slow).timeout(100 * SECOND).unwrap())
        .unwrap()
        .split();
    tokio::spawn(runner.run());
    tokio::time::sleep(SECOND).await;
    assert_eq!(health.status_of("db"), Some(Status::Healthy));
    tokio::time::sleep(90 * SECOND).await;
    assert_eq!(health.status_of("db"), Some(Status::Unavailable));
    after_runs(&health, "db", 2).await;
    assert_eq!(health.status_of("db"), Some(Status::Unhealthy));
}

#[tokio::test(start_paused = true)]
async fn optional_checks_that_hang_take_no_critical_ones_place() {
    let mut registry = Registry::new();
    for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i"] {
        let hangs = FnCheck::new(name, std::future::pending);
        let entry = Entry::optional(hangs).timeout(600 * SECOND).unwrap();
        registry = registry.check(entry).unwrap();
    }
    let (health, runner) = registry.check(Entry::critical(Script::new("db", "P"))).unwrap().split();
    tokio::spawn(runner.run());
    for _ in 0..60 {
        tokio::time::sleep(SECOND).await;
        assert_eq!(health.status_of("db"), Some(Status::Healthy));
    }
    assert!(health.is_ready());
}

/// Hangs so many times, and its future panics when it is dropped.
fn bad(name: &'static str, times: usize) -> impl buttress_core::source::Check {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("planted: in a drop");
        }
    }
    let calls = AtomicUsize::new(0);
    FnCheck::new(name, move || {
        let bad = (calls.fetch_add(1, Ordering::SeqCst) < times).then(|| Bad);
        async move {
            if bad.is_some() {
                std::future::pending::<()>().await;
            }
            Ok(CheckReport::ok())
        }
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_looked_at_once_a_day_holds_up_no_other_that_panics_when_it_is_dropped() {
    let daily = Entry::critical(bad("daily", 9)).interval(86_400 * SECOND).unwrap();
    let (health, runner) =
        Registry::new().check(daily).unwrap().check(Entry::critical(bad("db", 2))).unwrap().split();
    tokio::spawn(runner.run());
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(health.status_of("db"), Some(Status::Healthy));
}

#[tokio::test(start_paused = true)]
async fn a_runner_without_checks_runs_for_ever_too() {
    let (_health, runner) = Registry::new().split();
    assert!(tokio::time::timeout(3_600 * SECOND, runner.run()).await.is_err());
}

/// A SIGTERM in the middle of the boot.
#[tokio::test(start_paused = true)]
async fn what_drains_before_it_ran_has_never_started() {
    let lifecycle = Lifecycle::new();
    let (health, runner) = Registry::new()
        .lifecycle(&lifecycle)
        .check(Entry::critical(Script::new("db", "P")))
        .unwrap()
        .split();
    tokio::spawn(runner.run());
    after_runs(&health, "db", 1).await;
    lifecycle.advance(State::Draining);
    after_runs(&health, "db", 3).await;
    assert_eq!(get(&probes(&health), "/startupz").await.status, 503);
}

#[tokio::test(start_paused = true)]
async fn the_start_is_over_although_nobody_asked() {
    let lifecycle = Lifecycle::new();
    let (health, runner) = Registry::new().lifecycle(&lifecycle).split();
    tokio::spawn(runner.run());
    tokio::time::sleep(SECOND).await;
    lifecycle.advance(State::Running);
    tokio::time::sleep(SECOND).await;
    lifecycle.advance(State::Draining);
    assert_eq!(get(&probes(&health), "/startupz").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn each_change_is_counted_that_it_grew_stale_too() {
    let check = Entry::critical(Script::new("db", "PPFFFFP"));
    let (health, runner) = Registry::new().check(check).unwrap().split();
    let changes = || number(&health, "health_check_transitions_total", "db");
    let runner = tokio::spawn(runner.run());
    for (runs, expected) in [(1, 1.0), (2, 1.0), (3, 2.0), (4, 3.0), (6, 3.0), (7, 4.0)] {
        after_runs(&health, "db", runs).await;
        assert_eq!(changes(), expected, "after {runs}");
    }
    runner.abort();
    tokio::time::sleep(60 * SECOND).await;
    for _ in 0..3 {
        assert_eq!(health.overall(), Status::Unavailable);
    }
    assert_eq!(changes(), 5.0);
}

#[tokio::test(start_paused = true)]
async fn a_scrape_sees_what_the_probes_say() {
    let lifecycle = Lifecycle::new();
    let beat = Heartbeat::new("outbox", 10 * SECOND).unwrap();
    let (health, _runner) = Registry::new().lifecycle(&lifecycle).heartbeat(&beat).unwrap().split();
    let flags = || {
        let mut found = Vec::new();
        health.collect(&mut |sample| {
            if matches!(sample.name, "health_live" | "health_ready") {
                found.push(sample.value);
            }
        });
        found
    };
    assert_eq!(flags(), [1.0, 0.0]);
    lifecycle.advance(State::Running);
    assert_eq!(flags(), [1.0, 1.0]);
    tokio::time::sleep(11 * SECOND).await;
    assert_eq!(flags(), [0.0, 1.0]);
    lifecycle.advance(State::Draining);
    assert_eq!(flags(), [1.0, 0.0]);
}
