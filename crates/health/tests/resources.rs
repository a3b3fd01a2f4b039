//! What the monitors read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

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
    BlockingCheck, ConfigErrorKind, Cpu, Descriptors, Entry, Growth, Load, Memory, Registry, Status,
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

impl Root {
    fn write(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            fs::write(self.0.join(path), text).unwrap();
        }
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
            "v2, of two limits the one whose share is larger",
            vec![
                deep,
                MEMINFO,
                ("sys/fs/cgroup/pods/pod1/app/memory.max", "100\n"),
                ("sys/fs/cgroup/pods/pod1/app/memory.current", "50\n"),
                ("sys/fs/cgroup/pods/pod1/memory.max", "10000\n"),
                ("sys/fs/cgroup/pods/pod1/memory.current", "9900\n"),
            ],
            "nearly used up",
            9_900,
            10_000,
            "cgroup v2",
        ),
        (
            "v2, with a limit above what the host has",
            vec![v2, MEMINFO, (MEMORY_MAX, "9000000\n"), (CURRENT, "900\n")],
            "ok",
            400 * 1024,
            1_000 * 1024,
            "host",
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

/// As `/proc`, and some file systems in user space: there is nothing to use up.
#[cfg(feature = "disk")]
#[tokio::test]
async fn a_file_system_without_blocks_has_no_share() {
    let (said, data) = look(&buttress_health::Disk::of("disk", "/proc")).await;
    assert_eq!((said, of(&data, "limit")), ("ok", &Value::Null));
}

const CPU_MAX: &str = "sys/fs/cgroup/app/cpu.max";
const CPU_STAT: &str = "sys/fs/cgroup/app/cpu.stat";
const PROC_STAT: &str = "proc/stat";

/// Four processors that have done so many ticks of 10 ms, and idled.
fn proc_stat(busy: u32) -> String {
    format!(
        "cpu  {busy} 0 0 999999 5 0 0 0 77 0\ncpu0 1 0 0 0\ncpu1 1 0 0 0\ncpu2 1 0 0 0\ncpu3 1 0 0 0\nintr 5\n"
    )
}

fn float(data: &[(String, Value)], name: &str) -> f64 {
    match of(data, name) {
        Value::Float(number) => *number,
        other => panic!("{name}: {other:?}"),
    }
}

/// Ten seconds lie between the two looks.
#[tokio::test(start_paused = true)]
async fn processor_time_is_measured_by_the_quota_and_only_without_one_by_the_host() {
    let v2 = ("proc/self/cgroup", "0::/app\n");
    let v1 = ("proc/self/cgroup", "3:cpu,cpuacct:/app\n");
    let quota_v1 = "sys/fs/cgroup/cpu/app/cpu.cfs_quota_us";
    let period_v1 = ("sys/fs/cgroup/cpu/app/cpu.cfs_period_us", "100000\n");
    let usage_v1 = "sys/fs/cgroup/cpuacct/app/cpuacct.usage";
    let (idle, full) = (proc_stat(100), proc_stat(100 + 3_900));
    for (name, before, after, public, used, limit, throttled, source) in [
        (
            "v2",
            vec![
                v2,
                (PROC_STAT, &*idle),
                (CPU_MAX, "50000 100000\n"),
                (CPU_STAT, "usage_usec 1000000\nnr_periods 10\nnr_throttled 0\n"),
            ],
            vec![(CPU_STAT, "usage_usec 5500000\nnr_periods 110\nnr_throttled 25\n")],
            "running low",
            0.45,
            0.5,
            Some(0.25),
            "cgroup v2",
        ),
        (
            "v2, the parent's quota",
            vec![
                v2,
                (PROC_STAT, &*idle),
                (CPU_MAX, "max 100000\n"),
                (CPU_STAT, "usage_usec 0\n"),
                ("sys/fs/cgroup/cpu.max", "200000 100000\n"),
                ("sys/fs/cgroup/cpu.stat", "usage_usec 0\n"),
            ],
            vec![("sys/fs/cgroup/cpu.stat", "usage_usec 20000000\n")],
            "nearly used up",
            2.0,
            2.0,
            None,
            "cgroup v2",
        ),
        (
            "v2 without a quota is the host's",
            vec![v2, (PROC_STAT, &*idle), (CPU_MAX, "max 100000\n"), (CPU_STAT, "usage_usec 0\n")],
            vec![(PROC_STAT, &*full)],
            "nearly used up",
            3.9,
            4.0,
            None,
            "host",
        ),
        (
            "v2 with a quota above the host's processors",
            vec![
                v2,
                (PROC_STAT, &*idle),
                (CPU_MAX, "900000 100000\n"),
                (CPU_STAT, "usage_usec 0\n"),
            ],
            vec![(PROC_STAT, &*idle)],
            "ok",
            0.0,
            4.0,
            None,
            "host",
        ),
        (
            "v1",
            vec![
                v1,
                (PROC_STAT, &*idle),
                (quota_v1, "200000\n"),
                period_v1,
                (usage_v1, "1000000000\n"),
            ],
            vec![(usage_v1, "2000000000\n")],
            "ok",
            0.1,
            2.0,
            None,
            "cgroup v1",
        ),
        (
            "v1 without a quota is the host's",
            vec![v1, (PROC_STAT, &*idle), (quota_v1, "-1\n"), period_v1, (usage_v1, "1\n")],
            vec![],
            "ok",
            0.0,
            4.0,
            None,
            "host",
        ),
    ] {
        let root = Root::new(&before);
        let check = Cpu::below(&root.0);
        let (said, data) = look(&check).await;
        assert_eq!((said, of(&data, "share")), ("ok", &Value::Null), "{name}, at first");
        root.write(&after);
        tokio::time::advance(Duration::from_secs(10)).await;
        let (said, data) = look(&check).await;
        assert_eq!(said, public, "{name}: {data:?}");
        assert!((float(&data, "used") - used).abs() < 1e-6, "{name}: {data:?}");
        assert_eq!(float(&data, "limit"), limit, "{name}");
        assert!((float(&data, "share") - used / limit).abs() < 1e-6, "{name}: {data:?}");
        assert_eq!(*of(&data, "throttled"), Value::from(throttled), "{name}");
        assert_eq!(*of(&data, "source"), Value::from(source), "{name}");
    }
}

/// It was moved to another group, or a counter began anew.
#[tokio::test(start_paused = true)]
async fn processor_time_that_cannot_be_compared_is_not() {
    let root = Root::new(&[
        ("proc/self/cgroup", "0::/app\n"),
        (PROC_STAT, &proc_stat(1)),
        (CPU_MAX, "50000 100000\n"),
        (CPU_STAT, "usage_usec 9000000\n"),
    ]);
    let check = Cpu::below(&root.0);
    assert_eq!(look(&check).await.0, "ok");
    root.write(&[(CPU_STAT, "usage_usec 1\n")]);
    tokio::time::advance(Duration::from_secs(10)).await;
    let (said, data) = look(&check).await;
    assert_eq!((said, of(&data, "share")), ("ok", &Value::Null));
    // At the same instant: nothing has passed.
    let (said, data) = look(&check).await;
    assert_eq!((said, of(&data, "share")), ("ok", &Value::Null));
}

#[tokio::test]
async fn a_load_is_that_of_each_processor() {
    for (loadavg, public, each) in [
        ("9.00 4.00 1.00 1/100 7\n", "ok", 1.0),
        ("1.00 6.00 1.00 1/100 7\n", "loaded", 1.5),
        ("1.00 12.00 1.00 1/100 7\n", "overloaded", 3.0),
    ] {
        let root = Root::new(&[(PROC_STAT, &proc_stat(1)), ("proc/loadavg", loadavg)]);
        let (said, data) = look(&Load::below(&root.0)).await;
        assert_eq!((said, float(&data, "perProcessor")), (public, each), "{loadavg}");
        assert_eq!(float(&data, "processors"), 4.0);
    }
}

#[tokio::test]
async fn what_cannot_be_read_of_processors_is_degraded_and_says_so() {
    for files in [
        vec![("nothing", "")],
        vec![(PROC_STAT, ""), ("proc/loadavg", "1.0 1.0 1.0 1/1 1")],
        vec![(PROC_STAT, "cpu  a b\ncpu0 1\n"), ("proc/loadavg", "none")],
    ] {
        let root = Root::new(&files);
        for check in [&Cpu::below(&root.0) as &dyn Check, &Load::below(&root.0)] {
            let error = check.check().await.unwrap_err();
            assert_eq!((error.public(), error.is_degraded()), ("unreadable", true), "{files:?}");
        }
    }
}

#[test]
fn what_this_process_uses_of_processors_can_be_read() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let all = Cpu::new().thresholds(1.0, 1.0).unwrap();
        look(&all).await;
        let before = std::time::Instant::now();
        while before.elapsed() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        let (_, data) = look(&all).await;
        assert!(float(&data, "share") >= 0.0, "{data:?}");
        let (_, data) = look(&Load::new().thresholds(1e6, 1e6).unwrap()).await;
        assert!(float(&data, "processors") >= 1.0, "{data:?}");
    });
}

#[tokio::test(start_paused = true)]
async fn what_grows_for_a_whole_window_is_a_warning_and_says_how_fast() {
    let used = Arc::new(AtomicUsize::new(1_000_000));
    let seen = Arc::clone(&used);
    let read = move || Ok(seen.load(Ordering::SeqCst) as u64);
    let check = Growth::of("cache", read).window(Duration::from_secs(1_800)).unwrap();
    let mut warned_after = None;
    for look_number in 0..400 {
        match check.check().await {
            Ok(report) => drop(report),
            Err(error) => {
                assert!(error.is_degraded());
                assert_eq!(error.public(), "growing");
                let data: Vec<_> = error.data().map(|(n, v)| (n.to_owned(), v.clone())).collect();
                assert_eq!(float(&data, "perHour").round(), 360_000.0);
                assert!((float(&data, "share") - 0.18).abs() < 0.01, "{data:?}");
                assert_eq!(*of(&data, "fullInSeconds"), Value::Null);
                warned_after.get_or_insert(look_number);
            }
        }
        used.fetch_add(1_000, Ordering::SeqCst);
        tokio::time::advance(Duration::from_secs(10)).await;
        if warned_after.is_some() {
            break;
        }
    }
    assert_eq!(warned_after, Some(180), "after the first window, in looks");
}

#[tokio::test(start_paused = true)]
async fn the_growth_of_memory_knows_its_limit() {
    let check = Growth::of_memory();
    let (said, data) = look(&check).await;
    assert_eq!((said, check.name()), ("ok", "memory_growth"));
    assert!(matches!(of(&data, "used"), Value::Unsigned(1..)), "{data:?}");
    let broken = Growth::of("broken", || Err(std::io::ErrorKind::NotFound.into()));
    let error = broken.check().await.unwrap_err();
    assert_eq!((error.public(), error.is_degraded()), ("unreadable", true));
}

#[test]
fn loads_and_growths_that_cannot_be_right_are_refused() {
    for (warn, fail) in [(0.0, 1.0), (2.0, 1.0), (1.0, f64::INFINITY), (f64::NAN, 1.0)] {
        let error = Load::new().thresholds(warn, fail).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Share, "{warn} {fail}");
        assert!(Cpu::new().thresholds(warn, fail).is_err(), "{warn} {fail}");
    }
    assert!(Load::new().thresholds(2.0, 40.0).is_ok());
    for share in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = Growth::of_memory().share(share).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Share, "{share}");
    }
    for seconds in [0, 59, 86_401] {
        let error = Growth::of_memory().window(Duration::from_secs(seconds)).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Time, "{seconds}");
    }
}
