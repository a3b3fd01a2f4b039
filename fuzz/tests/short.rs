//! Every target for a moment, with the same inputs each time, so that each test run fuzzes a
//! little and a law that breaks outright is seen at once.

use std::{collections::BTreeSet, fs, path::Path};

use buttress_fuzz::{
    TARGETS, Target,
    engine::{Engine, MAX_INPUT, holds},
    target,
};

/// Well under a second for each target without optimisation.
const RUNS: usize = 10_000;

const SEED: u64 = 0xb077_2e55;

#[test]
fn every_target_holds_for_its_seeds_and_for_mutants_of_them() {
    for target in TARGETS {
        let mut engine = Engine::new(target, SEED).unwrap();
        for _ in 0..RUNS {
            let input = engine.next_input();
            assert!(holds(target, &input), "{} fails for {}", target.name, input.escape_ascii());
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_inputs() {
    for target in TARGETS {
        let inputs = |seed| {
            let mut engine = Engine::new(target, seed).unwrap();
            (0..200).map(|_| engine.next_input()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1), "{}", target.name);
        assert_ne!(inputs(1), inputs(2), "{}", target.name);
    }
}

#[test]
fn inputs_vary_and_stay_short() {
    for target in TARGETS {
        let mut engine = Engine::new(target, SEED).unwrap();
        let inputs: Vec<Vec<u8>> = (0..RUNS).map(|_| engine.next_input()).collect();
        assert!(inputs.iter().all(|input| input.len() <= MAX_INPUT), "{}", target.name);
        let different: BTreeSet<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        assert!(different.len() > RUNS / 2, "{}: {}", target.name, different.len());
    }
}

#[test]
fn a_target_that_breaks_its_law_is_caught() {
    fn no_quotes(data: &[u8]) {
        assert!(!data.windows(6).any(|window| window == b"for=\"\\"), "found");
    }
    let weak = Target { run: no_quotes, ..*target("client_ip").unwrap() };
    let mut engine = Engine::new(&weak, SEED).unwrap();
    assert!((0..RUNS).any(|_| !holds(&weak, &engine.next_input())));
}

#[test]
fn every_target_has_seeds_and_a_libfuzzer_binary_and_neither_is_left_over() {
    let names = |folder: &str| {
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect::<BTreeSet<_>>()
    };
    let targets: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len(), "a name is given twice");
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("libfuzzer/fuzz_targets"), targets);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let binaries = manifest.lines().filter_map(|line| {
        line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\"").map(str::to_owned)
    });
    assert_eq!(binaries.collect::<BTreeSet<_>>(), targets);
}
