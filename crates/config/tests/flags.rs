//! What is on and off.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::thread;

use buttress_config::{Environment, Flag, config};

macro_rules! flags {
    ($($flag:ident $name:literal $default:literal $settings:ident;)*) => {$(
        static $flag: Flag = Flag::new($name, $default, "For a test.");
        config! {
            #[derive(Debug)]
            struct $settings {
                /// How many.
                many: u8 = var("MANY").default(1),
            }
            flags { $flag }
        }
    )*};
}

// One for each test: they are the process's.
flags! {
    SET "FLAG_SET" false Set;
    FAILED "FLAG_FAILED" false Failed;
    HERE "FLAG_HERE" true Here;
    NESTED "FLAG_NESTED" false Nested;
    WRONG "FLAG_WRONG" true Wrong;
    PART "FLAG_PART" false Part;
}

#[test]
fn a_flag_has_its_default_and_then_what_the_environment_says() {
    assert!(!SET.is_on());
    let loaded = Environment::of([("FLAG_SET", "on")]).load::<Set>().unwrap();
    assert!(SET.is_on());
    assert_eq!(loaded.many, 1);
    assert_eq!(loaded.effective().last().unwrap().to_string(), "FLAG_SET=\"on\" (environment)");
    assert!(thread::spawn(|| SET.is_on()).join().unwrap());
    // Loaded anew, it is what the environment says then.
    Environment::of([("OTHER", "on")]).load::<Set>().unwrap();
    assert!(!SET.is_on());
}

#[test]
fn a_flag_of_a_part_is_read_by_its_own_name() {
    config! {
        #[derive(Debug)]
        struct Outer {
            /// A part.
            part: Part = group().prefixed("PART_"),
        }
    }
    let environment = Environment::of([("FLAG_PART", "on"), ("PART_FLAG_PART", "off")]);
    let loaded = environment.prefix("PART_").load::<Outer>().unwrap();
    assert!(PART.is_on());
    assert_eq!((loaded.part.many, loaded.warnings().count()), (1, 1));
}

#[test]
fn a_configuration_with_errors_sets_no_flag() {
    let environment = Environment::of([("FLAG_FAILED", "true"), ("MANY", "x")]);
    assert!(environment.load::<Failed>().is_err());
    assert!(!FAILED.is_on());
}

#[test]
fn a_flag_that_is_neither_on_nor_off_is_an_error() {
    let report = Environment::of([("FLAG_WRONG", "enabled")]).load::<Wrong>().unwrap_err();
    assert_eq!(report.errors().count(), 1);
    assert!(WRONG.is_on());
}

#[test]
fn a_test_sets_it_for_its_thread_alone() {
    let off = HERE.set_here(false);
    assert!(!HERE.is_on());
    assert!(thread::spawn(|| HERE.is_on()).join().unwrap());
    drop(off);
    assert!(HERE.is_on());
}

#[test]
fn of_several_settings_the_last_counts_and_any_may_go_first() {
    let first = NESTED.set_here(true);
    let second = NESTED.set_here(false);
    assert!(!NESTED.is_on());
    drop(first);
    assert!(!NESTED.is_on());
    drop(second);
    assert!(!NESTED.is_on());
    let _third = NESTED.set_here(true);
    assert!(NESTED.is_on());
}
