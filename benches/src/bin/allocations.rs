//! How often each side of the cases allocates, or how many bytes each store holds: a line of its
//! key, a tab, and the count.
//!
//! A program of its own, since the allocator that counts would be part of what is timed.
#![allow(clippy::print_stdout, reason = "a program speaks to the one who started it")]

use std::collections::BTreeSet;

use buttress_bench::{Failure, Side, cases, stores};

/// Requests that may still build what is built once.
const WARM_UP: u64 = 8;
/// Requests that are counted, each by itself; the worst one counts.
const COUNTED: usize = 64;
/// The same for a job that takes long.
const COUNTED_LONG: usize = 4;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == stores::BYTES) {
        return bytes_of_stores();
    }
    let mut done = BTreeSet::new();
    for case in cases(&words) {
        for side in case.sides() {
            if done.insert(side.key().to_owned()) {
                println!("{}\t{}", side.key(), worst(side)?);
            }
        }
    }
    Ok(())
}

fn bytes_of_stores() -> Result<(), Failure> {
    let held = |fill: &mut dyn FnMut()| {
        u64::try_from(allocation_counter::measure(fill).bytes_current).unwrap_or_default()
    };
    for (key, bytes) in stores::bytes(held)? {
        println!("{key}\t{bytes}");
    }
    Ok(())
}

fn worst(side: &Side) -> Result<u64, Failure> {
    let mut run = side.start()?;
    let counted = if side.is_long() { COUNTED_LONG } else { COUNTED };
    run(if side.is_long() { 1 } else { WARM_UP });
    let counts = (0..counted).map(|_| allocation_counter::measure(|| run(1)).count_total);
    Ok(counts.max().unwrap_or_default())
}
