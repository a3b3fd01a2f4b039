//! The process' own numbers.

use std::fs;

use buttress_core::source::{Metrics, Sample};

/// Memory, CPU, threads and open files of this process, under the names that Prometheus' client
/// libraries use.
///
/// They are read from `/proc` on each scrape; where there is none (anywhere but on Linux), or a
/// file of it cannot be read, what it says is absent. Counting the open files takes time with
/// their number, 10,000 of them some milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessMetrics(());

impl ProcessMetrics {
    /// Reads `/proc/self`.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl Metrics for ProcessMetrics {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        if let Some(stat) = Stat::read() {
            stat.show(each);
        }
        if let Some(count) = open_files() {
            each(Sample::gauge("process_open_fds", "Number of open file descriptors.", count));
        }
        if let Some(limit) = max_open_files() {
            let help = "Maximum number of open file descriptors.";
            each(Sample::gauge("process_max_fds", help, limit));
        }
    }
}

/// What `/proc/self/stat` says, in seconds and bytes (`proc_pid_stat(5)`).
#[derive(Debug, PartialEq)]
struct Stat {
    cpu: f64,
    threads: f64,
    start: Option<f64>,
    virtual_memory: f64,
    resident_memory: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let auxiliary = fs::read("/proc/self/auxv").unwrap_or_default();
        let boot = fs::read_to_string("/proc/stat").ok();
        Self::parse(&stat, &auxiliary, boot.as_deref())
    }

    fn parse(stat: &str, auxiliary: &[u8], boot: Option<&str>) -> Option<Self> {
        // `getauxval(3)`, and what is usual where it cannot be read.
        let page = auxiliary_value(auxiliary, 6).unwrap_or(4_096.0);
        let ticks = auxiliary_value(auxiliary, 17).unwrap_or(100.0);
        // The second field is the program's name, and may have spaces and brackets in it.
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<_> = rest.split_ascii_whitespace().collect();
        // By the numbers of the manual, in which what follows the name is 3.
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        let booted = boot.and_then(|stat| {
            stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok())
        });
        let after_boot = field(22)? / ticks;
        Some(Self {
            cpu: (field(14)? + field(15)?) / ticks,
            threads: field(20)?,
            start: booted.map(|booted| booted + after_boot),
            virtual_memory: field(23)?,
            resident_memory: field(24)? * page,
        })
    }

    fn show(&self, each: &mut dyn FnMut(Sample<'_>)) {
        let help = "Total user and system CPU time spent in seconds.";
        each(Sample::counter("process_cpu_seconds_total", help, self.cpu));
        let help = "Resident memory size in bytes.";
        each(Sample::gauge("process_resident_memory_bytes", help, self.resident_memory));
        let help = "Virtual memory size in bytes.";
        each(Sample::gauge("process_virtual_memory_bytes", help, self.virtual_memory));
        each(Sample::gauge("process_threads", "Number of threads.", self.threads));
        if let Some(start) = self.start {
            let help = "Start time of the process since unix epoch in seconds.";
            each(Sample::gauge("process_start_time_seconds", help, start));
        }
    }
}

/// A value of the auxiliary vector: pairs of native words.
fn auxiliary_value(auxiliary: &[u8], wanted: usize) -> Option<f64> {
    let (words, _) = auxiliary.as_chunks::<{ size_of::<usize>() }>();
    let (pairs, _) = words.as_chunks::<2>();
    let [_, value] = pairs.iter().find(|[key, _]| usize::from_ne_bytes(*key) == wanted)?;
    u32::try_from(usize::from_ne_bytes(*value)).ok().filter(|value| *value > 0).map(f64::from)
}

fn open_files() -> Option<f64> {
    // One of them is the directory that is being read.
    let count = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u32::try_from(count).ok().map(f64::from)
}

fn max_open_files() -> Option<f64> {
    soft_limit(&fs::read_to_string("/proc/self/limits").ok()?)
}

fn soft_limit(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(f64::INFINITY),
        limit => limit.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_stat_are_found_behind_any_name() {
        let stat = "42 (a) b (c) ) S 1 42 42 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 7 0 1000 8192 3 \
                    18446744073709551615";
        let mut auxiliary = Vec::new();
        for word in [6_usize, 16_384, 17, 100, 0, 0] {
            auxiliary.extend_from_slice(&word.to_ne_bytes());
        }
        let stat = Stat::parse(stat, &auxiliary, Some("cpu 1\nbtime 1700000000\n"));
        let expected = Stat {
            cpu: 3.0,
            threads: 7.0,
            start: Some(1_700_000_010.0),
            virtual_memory: 8_192.0,
            resident_memory: 49_152.0,
        };
        assert_eq!(stat, Some(expected));
        assert_eq!(Stat::parse("", &[], None), None);
    }

    #[test]
    fn limits_may_be_unlimited() {
        let limits = "Limit Soft Hard Units\nMax open files            1024     4096     files\n";
        assert_eq!(soft_limit(limits), Some(1_024.0));
        assert_eq!(soft_limit("Max open files unlimited unlimited files"), Some(f64::INFINITY));
        assert_eq!(soft_limit("Max processes 1 1 files"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_threads_and_files() {
        let mut seen = Vec::new();
        ProcessMetrics::new()
            .collect(&mut |sample| seen.push((sample.name.to_owned(), sample.value)));
        let of = |name: &str| seen.iter().find(|(known, _)| known == name).unwrap().1;
        assert!(of("process_resident_memory_bytes") > 100_000.0);
        assert!(of("process_virtual_memory_bytes") >= of("process_resident_memory_bytes"));
        assert!(of("process_threads") >= 1.0);
        assert!(of("process_open_fds") >= 1.0);
        assert!(of("process_max_fds") >= of("process_open_fds"));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let age = now.as_secs_f64() - of("process_start_time_seconds");
        assert!((-2.0..86_400.0).contains(&age), "{age}");
    }
}
