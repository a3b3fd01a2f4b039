//! How often our layers allocate: exact, so asserted.

use std::process::Command;

use buttress_bench::{allocations, cases};

/// What each case adds to the bare service. Who lowers a count writes it down; who raises it, why.
const ADDED: &[(&str, u64)] = &[
    ("bare service, no headers", 0),
    ("bare service, 8 headers", 2),
    ("request id minted, no headers", 5),
    ("request id minted, 8 headers", 4),
    ("request id taken, no other headers", 2),
    ("request id taken, 8 other headers", 2),
    ("id into a header value", 1),
    ("12 headers, on an empty map", 2),
    ("12 headers, 2 others present", 3),
    ("stack, every slot empty", 0),
    ("8 layers that pass through", 0),
    ("stack, production, no headers", 6),
    ("stack, production, 8 headers", 5),
    ("stack, production with limits and the 12 of web, no headers", 9),
    ("stack, production with limits and the 12 of web, 8 headers", 8),
    ("context::current()", 0),
    ("context made, nothing in it", 0),
    ("observe, nobody listening", 0),
    ("rejection, http", 6),
    ("rejection, gRPC", 6),
    ("problem, an answer that passes", 0),
    ("problem, a bare 500", 7),
    ("redact, a clear line of 100 bytes", 0),
    ("redact, a line of 100 bytes with a password", 0),
    ("redact, a query of 4 pairs", 0),
    ("redact, a value as JSON", 0),
    // fmt's own.
    ("redact, around fmt json, 16 fields", 3),
    ("metrics, recorded", 0),
    ("metrics, a layer", 0),
    ("trace begun, ids only", 0),
    ("trace continued, ids only", 0),
    ("trace sent on", 3),
    ("log, one access line", 0),
    ("log, an event of 16 fields", 0),
    ("observe: trace, log, metrics", 0),
    ("log, 500 bytes into a pipe", 0),
    ("limit, admits", 0),
    ("limit, admits, with headers", 3),
    ("limit, two rules, with headers", 3),
    ("limit, failures only, a success", 0),
    ("limit, refuses", 5),
    ("limit, refuses gRPC", 5),
    ("limit, a check of one key", 0),
    ("breaker, count window", 0),
    ("breaker, time window", 0),
    ("breaker, consecutive", 0),
    ("breaker, count window, slow calls", 0),
    ("breaker, per host, 8 headers", 0),
    ("breaker, a circuit alone, count window", 0),
    ("breaker, a circuit alone, time window", 0),
    ("breaker, a circuit alone, consecutive", 0),
    ("breaker, a bulkhead", 0),
    // The copy of the head.
    ("retry, first attempt, 8 headers kept", 2),
    ("retry, sent once, 8 headers", 0),
    ("health, passes", 0),
    // The map of the answer's headers.
    ("health, a probe", 2),
    // Two of them are the copy of the request's one header.
    ("health, all details", 24),
    ("shutdown, drain layer", 0),
    // The body, and its text.
    ("seal, 32 B", 2),
    ("seal, 32 B opened", 1),
    ("seal, 1 KiB", 2),
    ("seal, 1 KiB opened", 1),
    ("seal, 64 KiB", 2),
    ("seal, 64 KiB opened", 1),
    ("seal, 64 KiB binary", 1),
    ("seal, 64 KiB binary opened", 1),
    ("seal, is it stale", 0),
    // The buffer of a chunk; the reader keeps its context.
    ("seal, a stream of 64 KiB", 1),
    ("seal, a stream of 64 KiB opened", 2),
    ("seal, 100 bytes out of a stream of 64 KiB", 3),
    ("seal, a cookie", 3),
    ("seal, a cookie opened", 1),
    // The stack of what is open, the keys of it, and a word for each: however long the document is.
    ("sanitize, JSON of 12 KB", 3),
    ("sanitize, JSON of 825 KB", 3),
    ("sanitize, JSON of 12 KB, in chunks of 1 KB", 3),
    // The list of the pieces, too, which grows.
    ("sanitize, 12 KB that may be stripped", 4),
    // And what was stripped is told, once for its rule.
    ("sanitize, 12 KB, a member of each book stripped", 13),
    // All but three are the type's own.
    ("sanitize, one book into a type", 17),
    ("sanitize, 12 KB into a type", 410),
    ("sanitize, a form of 12 fields", 9),
    ("sanitize, a query of 4 pairs", 5),
    ("sanitize, a path of 45 bytes", 0),
    ("sanitize, no guard", 0),
    ("sanitize, GET passes", 0),
    ("sanitize, GET with a query passes", 5),
    ("sanitize, POST of one book, judged first", 6),
    ("sanitize, POST of one book, judged as it is read", 5),
    ("sanitize, POST of one book refused", 22),
    ("config, a flag", 0),
    ("config, 20 variables", 660),
    ("pool, a statement of 60 bytes without literals", 1),
    ("pool, a statement of 460 bytes with literals", 1),
];

#[test]
fn our_layers_allocate_as_often_as_is_written_down() {
    let program = env!("CARGO_BIN_EXE_buttress-bench-allocations");
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counts = allocations::read(&String::from_utf8(output.stdout).unwrap()).unwrap();

    let cases = cases::<&str>(&[]);
    let added = cases.iter().map(|case| (case.name.as_str(), case.added(&counts)[0].unwrap()));
    assert_eq!(added.collect::<Vec<_>>(), ADDED);
}
