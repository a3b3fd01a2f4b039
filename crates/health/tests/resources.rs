//! What the monitors read.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use buttress_core::{
    source::{Check, CheckReport},
    value::Value,
};
use buttress_health::{
    BlockingCheck, ConfigErrorKind, Descriptors, Entry, Memory, Registry, Status,
};

/// A directory that looks like a root, and is gone at the end.
struct Root(PathBuf);

impl Root {
    fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("health-root-{}-{next}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(root)
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether it is degraded or has failed, and what was seen.
async fn look(check: &dyn Check) -> (&'static str, Vec<(String, Value)>) {
    let owned = |(name, value): (&str, &Value)| (name.to_owned(), value.clone());
    match check.check().await {
        Ok(report) => ("ok", report.data().map(owned).collect()),
        Err(error) => (error.public(), error.data().map(owned).collect()),
    }
}

fn of<'a>(data: &'a [(String, Value)], name: &str) -> &'a Value {
    &data.iter().find(|(other, _)| other == name).unwrap().1
}

const MEMINFO: (&str, &str) =
    ("proc/meminfo", "MemTotal:       1000 kB\nMemFree: 100 kB\nMemAvailable:    600 kB\n");
const MEMORY_MAX: &str = "sys/fs/cgroup/memory.max";
const CURRENT: &str = "sys/fs/cgroup/memory.current";
const STAT: &str = "sys/fs/cgroup/memory.stat";

#[tokio::test]
async fn memory_is_the_cgroups_and_not_the_hosts() {
    let v2 = ("proc/self/cgroup", "0::/\n");
    let deep = ("proc/self/cgroup", "0::/pods/pod1/app\n");
    let v1 = ("proc/self/cgroup", "12:pids:/docker/x\n4:cpu,memory:/docker/x\n");
    let unlimited = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    for (name, files, public, used, limit, source) in [
        (
            "v2, its cache left out",
            vec![
                v2,
                MEMINFO,
                (MEMORY_MAX, "1000\n"),
                (CURRENT, "900\n"),
                (STAT, "anon 1\ninactive_file 400\n"),
            ],
            "ok",
            500_u64,
            1_000_u64,
            "cgroup v2",
        ),
        (
            "v2, running low",
            vec![v2, MEMINFO, (MEMORY_MAX, "1000\n"), (CURRENT, "800\n")],
            "running low",
            800,
            1_000,
            "cgroup v2",
        ),
        (
            "v2, nearly used up",
            vec![v2, MEMINFO, (MEMORY_MAX, "1000\n"), (CURRENT, "950\n")],
            "nearly used up",
            950,
            1_000,
            "cgroup v2",
        ),
        (
            "v2, the limit is the parent's",
            vec![
                deep,
                MEMINFO,
                ("sys/fs/cgroup/pods/pod1/app/memory.max", "max\n"),
                ("sys/fs/cgroup/pods/pod1/app/memory.current", "100\n"),
                ("sys/fs/cgroup/pods/pod1/memory.max", "1000\n"),
                ("sys/fs/cgroup/pods/pod1/memory.current", "850\n"),
                ("sys/fs/cgroup/pods/memory.max", "9000\n"),
                ("sys/fs/cgroup/pods/memory.current", "900\n"),
            ],
            "running low",
            850,
            1_000,
            "cgroup v2",
        ),
        (
            "v2 without a limit is the host's",
            vec![v2, MEMINFO, (MEMORY_MAX, "max\n"), (CURRENT, "900\n")],
            "ok",
            400 * 1024,
            1_000 * 1024,
            "host",
        ),
        (
            "v1, at its own path",
            vec![
                v1,
                MEMINFO,
                ("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "2000\n"),
                ("sys/fs/cgroup/memory/docker/x/memory.usage_in_bytes", "1900\n"),
                (
                    "sys/fs/cgroup/memory/docker/x/memory.stat",
                    "inactive_file 1\ntotal_inactive_file 1000\nhierarchical_memory_limit 1000\n",
                ),
            ],
            "running low",
            900,
            1_000,
            "cgroup v1",
        ),
        (
            "v1, inside a container, at the top",
            vec![
                v1,
                MEMINFO,
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000\n"),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "500\n"),
            ],
            "ok",
            500,
            2_000,
            "cgroup v1",
        ),
        (
            "v1 without a limit is the host's",
            vec![v1, MEMINFO, unlimited, ("sys/fs/cgroup/memory/memory.usage_in_bytes", "500\n")],
            "ok",
            400 * 1024,
            1_000 * 1024,
            "host",
        ),
        ("no cgroup at all", vec![MEMINFO], "ok", 400 * 1024, 1_000 * 1024, "host"),
    ] {
        let root = Root::new(&files);
        let (said, data) = look(&Memory::below(&root.0)).await;
        assert_eq!(said, public, "{name}");
        assert_eq!(*of(&data, "used"), Value::from(used), "{name}");
        assert_eq!(*of(&data, "limit"), Value::from(limit), "{name}");
        assert_eq!(*of(&data, "source"), Value::from(source), "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_degraded_and_says_so() {
    let root = Root::new(&[("nothing", "")]);
    let error = Memory::below(&root.0).check().await.unwrap_err();
    assert_eq!(error.public(), "unreadable");
    assert!(error.is_degraded());
}

#[tokio::test]
async fn this_process_has_memory_and_open_files() {
    let (_, data) = look(&Memory::new()).await;
    assert!(matches!(of(&data, "used"), Value::Unsigned(1..)), "{data:?}");

    let all = Descriptors::new().thresholds(1.0, 1.0).unwrap();
    let count = async || match of(&look(&all).await.1, "used") {
        Value::Unsigned(count) => *count,
        other => panic!("{other:?}"),
    };
    let before = count().await;
    let files: Vec<_> = (0..64).map(|_| fs::File::open("/proc/self/status").unwrap()).collect();
    let after = count().await;
    // Other tests of this binary open a few at the same time.
    assert!(after >= before.saturating_sub(32) + 64, "{before} {after}");
    drop(files);
}

#[test]
fn thresholds_that_cannot_be_right_are_refused() {
    for (warn, fail) in
        [(0.0, 0.5), (-0.1, 0.5), (0.9, 0.8), (0.5, 1.1), (f64::NAN, 0.5), (0.5, f64::NAN)]
    {
        let error = Memory::new().thresholds(warn, fail).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Share, "{warn} {fail}");
    }
}

/// As statvfs on a mount whose server is gone: the call does not come back.
#[tokio::test(start_paused = true)]
async fn what_hangs_costs_one_thread_however_often_it_is_asked() {
    let calls = Arc::new(AtomicUsize::new(0));
    let server = Arc::new(Barrier::new(2));
    let (seen, asked) = (Arc::clone(&calls), Arc::clone(&server));
    let check = BlockingCheck::new("disk", move || {
        if seen.fetch_add(1, Ordering::SeqCst) == 0 {
            asked.wait();
        }
        Ok(CheckReport::ok())
    });
    let second = Duration::from_secs(1);
    let first = tokio::time::timeout(second, check.check()).await;
    assert!(first.is_err(), "it hangs");
    for _ in 0..100 {
        let error = check.check().await.unwrap_err();
        assert_eq!(error.public(), "still hanging");
    }
    server.wait();
    // The thread ends by itself; no clock of ours says when.
    let passed = loop {
        match check.check().await {
            Ok(report) => break report,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(passed, CheckReport::ok());
    assert_eq!(calls.load(Ordering::SeqCst), 2, "once when it hung, and once after it");
}

#[tokio::test]
async fn a_blocking_check_that_panics_has_failed_and_is_asked_anew() {
    let calls = AtomicUsize::new(0);
    let check = BlockingCheck::new("disk", move || {
        assert!(calls.fetch_add(1, Ordering::SeqCst) > 0, "planted");
        Ok(CheckReport::ok())
    });
    assert_eq!(check.check().await.unwrap_err().public(), "panicked");
    assert!(check.check().await.is_ok());
}

#[cfg(feature = "disk")]
#[tokio::test]
async fn a_disk_has_space_and_a_path_that_is_none_has_failed() {
    use buttress_health::Disk;
    let here = env!("CARGO_TARGET_TMPDIR");
    let (said, data) = look(&Disk::of("disk", here).thresholds(1.0, 1.0).unwrap()).await;
    assert_eq!(said, "ok");
    let (Value::Unsigned(used), Value::Unsigned(limit)) = (of(&data, "used"), of(&data, "limit"))
    else {
        panic!("{data:?}")
    };
    assert!(0 < *used && used < limit, "{data:?}");
    let (said, _) = look(&Disk::of("disk", "/nowhere/at/all")).await;
    assert_eq!(said, "unreadable");
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_is_used_up_takes_nothing_out() {
    let root =
        Root::new(&[("proc/self/cgroup", "0::/\n"), (MEMORY_MAX, "1000\n"), (CURRENT, "1000\n")]);
    let (health, runner) =
        Registry::new().check(Entry::optional(Memory::below(&root.0))).unwrap().split();
    tokio::spawn(runner.run());
    while health.status_of("memory") != Some(Status::Unhealthy) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(health.overall(), Status::Degraded);
    assert!(health.is_ready() && health.is_live());
}
