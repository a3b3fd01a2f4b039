use std::{collections::HashSet, sync::Barrier, thread};

use super::*;

#[test]
fn what_was_added_is_found_and_keeps_its_place() {
    let table = Table::new(3);
    for (key, at) in [(7, 0), (0, 1), (u64::MAX, 2), (7, 0)] {
        assert_eq!(table.find_or_add(key, |_| true, |at| at), Some(&at), "{key}");
    }
    assert_eq!(table.find(7, |_| true), Some(&0));
    assert_eq!(table.find(8, |_| true), None);
    assert_eq!(table.iter().copied().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_full_table_takes_no_more_and_forgets_nothing() {
    let table = Table::new(5);
    for key in 1..=5 {
        assert!(table.find_or_add(key, |_| true, |_| key).is_some());
    }
    assert_eq!(table.find_or_add(6, |_| true, |_| 6), None);
    assert_eq!(table.find_or_add(5, |_| true, |_| 0), Some(&5));
    assert_eq!(table.len(), 5);
}

#[test]
fn keys_that_collide_are_told_apart() {
    let table = Table::new(4);
    for text in ["a", "b", "c"] {
        assert_eq!(table.find_or_add(9, |known| *known == text, |_| text), Some(&text));
    }
    assert_eq!(table.len(), 3);
    assert_eq!(table.find(9, |known| *known == "b"), Some(&"b"));
}

#[test]
fn threads_that_add_the_same_keys_agree() {
    const THREADS: usize = 4;
    let table = Table::new(1_000);
    let start = Barrier::new(THREADS);
    let places = thread::scope(|scope| {
        let adders: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    let add = |key| *table.find_or_add(key, |_| true, |at| at).unwrap();
                    (1..=1_000).map(add).collect::<Vec<_>>()
                })
            })
            .collect();
        adders.into_iter().map(|adder| adder.join().unwrap()).collect::<HashSet<_>>()
    });
    assert_eq!(places.len(), 1);
    assert_eq!(places.iter().flatten().collect::<HashSet<_>>().len(), 1_000);
}
