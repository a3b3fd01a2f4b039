use std::{
    io::{self, Write},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use buttress::log::{AccessLog, Sink};
use buttress::metrics::HttpMetrics;
use buttress::observe::ObserveLayer;
use buttress::trace::Trace;
use tower_layer::Layer;

use super::{
    Headers,
    event::{heard_by_fmt, heard_by_ours, repeated},
    nothing,
};
use crate::{
    Case, Failure, Loop, Side,
    case::bare,
    drive::{Answer, Bare, at_info, heard_by, serve},
    peers,
};

pub(super) fn cases() -> Vec<Case> {
    vec![access_line(), event(), together(), pipe()]
}

fn observed() -> Side {
    bare("a request with 8 headers that is observed", || {
        Ok(serve(ObserveLayer::new(()).layer(Bare(Answer::Empty)), Headers::Eight.request()))
    })
}

/// What the line takes where the exchange is observed anyway.
fn access_line() -> Case {
    Case::new("log, one access line", observed(), || {
        let service = AccessLog::new().layer().layer(Bare(Answer::Empty));
        heard_by_ours(serve(service, Headers::Eight.request()))
    })
    .peer("tower-http trace, fmt json", || {
        let service = peers::trace().layer(Bare(Answer::Empty));
        Ok(heard_by_fmt(serve(service, Headers::Eight.request())))
    })
    .asked(2_500, 0)
}

/// The peers hide nothing.
fn event() -> Case {
    Case::new("log, an event of 16 fields", nothing(), || heard_by_ours(repeated()))
        .peer("fmt json", || Ok(heard_by_fmt(repeated())))
        .peer("json-subscriber", || {
            let layer = json_subscriber::fmt::layer().with_writer(io::sink);
            Ok(heard_by(at_info(layer), repeated()))
        })
        .asked(3_600, 0)
}

/// All that watches a request, in one wrapper.
fn together() -> Case {
    Case::new("observe: trace, log, metrics", Headers::Eight.bare(), || {
        let metrics = HttpMetrics::server().route_from(|_| Some("/users/{id}"));
        let observers = (Trace::propagate(), AccessLog::new(), metrics);
        let service = ObserveLayer::new(observers).layer(Bare(Answer::Empty));
        heard_by_ours(serve(service, Headers::Eight.request()))
    })
    .peer("tower-http trace, fmt json, axum-prometheus", || {
        let service = (peers::trace(), peers::prometheus()?).layer(Bare(Answer::Empty));
        Ok(heard_by_fmt(serve(service, Headers::Eight.request())))
    })
}

/// So many are queued before somebody waits until all are in the pipe: none is lost.
const BATCH: u64 = 1_000;

/// Lines of 500 bytes into a pipe that another process reads.
fn pipe() -> Case {
    const LINE: [u8; 500] = {
        let mut line = [b'x'; 500];
        line[499] = b'\n';
        line
    };
    Case::new("log, 500 bytes into a pipe", nothing(), || {
        let mut reader = Reader::start()?;
        let (writer, guard) = Sink::to(reader.pipe()?).open()?;
        let mut lines = 0;
        let run: Loop = Box::new(move |times| {
            // The reader outlives the guard.
            let (guard, _reader) = (&guard, &reader);
            for _ in 0..times {
                writer.push(&LINE);
                lines += 1;
                if lines % BATCH == 0 {
                    assert!(guard.flush(Duration::from_secs(10)), "nobody reads");
                }
            }
            assert_eq!(writer.lost(), 0);
        });
        Ok(run)
    })
    .peer("a write each", || {
        let mut reader = Reader::start()?;
        let mut pipe = reader.pipe()?;
        let run: Loop = Box::new(move |times| {
            let _reader = &reader;
            let written = (0..times).filter(|_| pipe.write_all(&LINE).is_ok()).count();
            assert_eq!(written as u64, times);
        });
        Ok(run)
    })
}

/// A process that reads its standard input to the end, and ends then.
struct Reader(Child);

impl Reader {
    fn start() -> Result<Self, Failure> {
        let mut cat = Command::new("cat");
        Ok(Self(cat.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?))
    }

    fn pipe(&mut self) -> Result<ChildStdin, Failure> {
        Ok(self.0.stdin.take().ok_or("no standard input")?)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill or to wait for.
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}
