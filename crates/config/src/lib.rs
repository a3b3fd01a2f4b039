#![doc = include_str!("../README.md")]

mod config;
mod declared;
mod docs;
mod dotenv;
mod duration;
mod effective;
mod environment;
mod findings;
mod flag;
mod group;
mod lookup;
mod nearest;
mod print;
mod profile;
mod rate;
mod report;
pub mod rule;
mod service_link;
mod size;
mod unit;
mod url;
mod value;
mod var;
mod vars;

pub use buttress_core::{CENSOR, Secret};

pub use self::{
    config::Config,
    docs::{Docs, Stale},
    effective::{Loaded, Origin, Setting},
    environment::Environment,
    flag::{Flag, FlagOverride},
    group::Group,
    profile::Profile,
    rate::Rate,
    report::{Problem, ProblemKind, Report, Severity, Subject},
    rule::{Requirement, Rule, require},
    size::Size,
    unit::Unit,
    url::Url,
    value::{Invalid, Value, choice},
    var::Var,
    vars::{Field, Read, Vars},
};
