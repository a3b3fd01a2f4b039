//! The macro, wherever it is used.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use buttress_config::{Environment, Problem, config, require};

/// Nothing in scope, and what is, is something else.
mod strange {
    #![no_implicit_prelude]

    ::buttress_config::config! {
        /// Names that the macro might use itself.
        #[derive(Debug)]
        pub(crate) struct Settings {
            /// A list.
            pub(crate) vars: ::std::option::Option<::std::vec::Vec<::std::string::String>> = var("VARS"),
            /** A keyword. */
            pub(super) r#type: ::core::primitive::u16 = var("TYPE").default(1),
            #[doc = "A number."]
            pub(super) names: ::core::primitive::u16 = var("NAMES").default(1),
            /// A number.
            pub(crate) rule: ::core::primitive::u16 = var("RULE").default(1),
            /// A flag.
            broken: bool = var("BROKEN").default(false),
        }
        rules {
            (vars, r#type, names, rule, broken) => ::buttress_config::require(
                *r#type == 1 && names == rule && !broken && vars.is_none(),
                "as it is",
            ),
        }
    }

    #[allow(dead_code, non_camel_case_types, reason = "names that are in the way")]
    mod in_the_way {
        pub(super) struct u16;
        pub(super) struct Option;
        pub(super) struct String;
        pub(super) struct Vec;
    }
    #[allow(unused_imports, reason = "names that are in the way")]
    use self::in_the_way::{Option, String, Vec, u16};
}

#[test]
fn it_needs_nothing_in_scope() {
    let settings = Environment::of([("A", "b")]).load::<strange::Settings>().unwrap();
    assert_eq!((settings.vars.as_ref(), settings.r#type), (None, 1));
    assert!(Environment::of([("NAMES", "2")]).load::<strange::Settings>().is_err());
}

#[test]
fn rules_and_flags_come_in_any_order() {
    static CHAT: buttress_config::Flag = buttress_config::Flag::new("MACRO_CHAT", false, "Talk.");
    config! {
        #[derive(Debug)]
        struct Settings {
            /// How many.
            many: u8 = var("MANY").default(1),
        }
        rules { (many) => require(*many > 0, "one at least") }
        flags { CHAT }
    }
    let loaded = Environment::of([("MACRO_CHAT", "on")]).load::<Settings>().unwrap();
    assert!(CHAT.is_on() && loaded.many == 1);
}

/// What a rule returns early from is the rule.
#[test]
fn a_rule_may_return_early() {
    config! {
        #[derive(Debug)]
        struct Settings {
            /// A name.
            name: Option<String> = var("NAME"),
            /// Asked after it.
            many: u8 = var("MANY"),
        }
        rules {
            (name) => {
                let Some(name) = name else { return require(true, "") };
                require(name.len() > 3, "a longer one")
            },
            (many) => require(*many > 0, "one at least"),
        }
    }
    let loaded = Environment::of([("MANY", "1")]).load::<Settings>().unwrap();
    assert_eq!((loaded.name.as_deref(), loaded.many), (None, 1));
    let report = Environment::of([("MANY", "0")]).load::<Settings>().unwrap_err();
    assert_eq!(report.errors().map(Problem::right).collect::<Vec<_>>(), ["one at least"]);
}
