//! All that is printed of a start, and what must not be in it.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    fmt::Debug,
    io::{self, Write},
    sync::{Arc, Mutex},
};

use buttress_config::{Config, Environment};
use tracing_subscriber::fmt::MakeWriter;

use crate::shop::Settings;

pub(crate) const PLANTED: &str = "Tr0ub4dor&3-planted";

/// All that can be printed of a start with these variables, told to a log or to a terminal.
pub(crate) fn outputs<T: Config + Debug>(environment: &Environment) -> String {
    let docs = environment.docs::<T>();
    let mut out = format!("{environment:?}{docs:?}{}{}", docs.env_example(), docs.markdown());
    out += &format!("{}{:?}", docs.mistakes(), docs.mistakes());
    match environment.load::<T>() {
        Ok(loaded) => {
            out += &logged(|| loaded.log());
            out += &format!("{loaded:?}");
            out.extend(loaded.effective().map(|setting| format!("{setting}{setting:?}")));
            out += &format!("{}{}", loaded.table(), loaded.report());
            out.extend(loaded.warnings().map(|warning| format!("{warning}{warning:?}")));
        }
        Err(report) => {
            out += &logged(|| report.log());
            out += &format!("{report}{report:?}{report:#?}");
            out.extend(report.problems().map(|problem| format!("{problem}{problem:?}")));
        }
    }
    out
}

/// What is told to the log meanwhile.
pub(crate) fn logged(tell: impl FnOnce()) -> String {
    let log = Log::default();
    let lines =
        tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).without_time().finish();
    tracing::subscriber::with_default(lines, tell);
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}

#[track_caller]
pub(crate) fn is_hidden(environment: &Environment) -> String {
    let out = outputs::<Settings>(environment);
    assert!(!out.contains(PLANTED), "{out}");
    assert!(!out.contains("planted"), "a part of it is left: {out}");
    out
}

#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
