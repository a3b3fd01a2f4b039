//! One variable.

mod read;

use std::fmt;

use crate::{
    declared::Declared,
    rule::Rule,
    unit::Unit,
    value::Invalid,
    vars::{Vars, tidy},
};

type Parse<'v, T> = Box<dyn Fn(&str, Option<Unit>) -> Result<T, Invalid> + 'v>;

/// A variable that is about to be read, from [`Vars::var`] and [`Vars::parsed`]. In
/// [`config!`](crate::config) these are the verbs behind the name.
///
/// `F` is the type of the field, `T` what the rules look at: of an `Option`, what is in it.
#[must_use = "it does nothing until `read`"]
pub struct Var<'v, 'a, F, T> {
    vars: &'v mut Vars<'a>,
    declared: Declared,
    parse: Parse<'v, T>,
    field: fn(Option<T>) -> Option<F>,
    rules: Vec<Rule<T>>,
    unset: Option<F>,
    unit: Option<Unit>,
    is_text: bool,
    may_be_empty: bool,
    is_public: bool,
    /// Nothing but its name says that it is a secret.
    is_named_so: bool,
}

impl<'v, 'a, F, T> Var<'v, 'a, F, T> {
    pub(crate) const fn new(
        vars: &'v mut Vars<'a>,
        declared: Declared,
        parse: Parse<'v, T>,
        field: fn(Option<T>) -> Option<F>,
    ) -> Self {
        Self {
            vars,
            declared,
            parse,
            field,
            rules: Vec::new(),
            unset: None,
            unit: None,
            is_text: false,
            may_be_empty: false,
            is_public: false,
            is_named_so: false,
        }
    }

    pub(crate) const fn text(mut self, is_text: bool) -> Self {
        self.is_text = is_text;
        self
    }

    pub(crate) const fn may_be_empty(mut self, may_be_empty: bool) -> Self {
        self.may_be_empty = may_be_empty;
        self
    }

    /// What it is for; in [`config!`](crate::config) the field's doc comment.
    pub fn about(mut self, about: &str) -> Self {
        self.declared.about = tidy(about);
        self
    }

    /// What holds where it is not set, as it would be written. A default that cannot be read is
    /// reported as a mistake of the program, whether it is needed or not.
    ///
    /// The default of a secret, or of a URL with a password, is an error in production; of what
    /// only has the name of one ([`public`](Self::public)), a warning. It is never printed.
    pub fn default(mut self, text: impl fmt::Display) -> Self {
        self.declared.defaults.push((None, text.to_string()));
        self
    }

    /// What holds in this profile where it is not set.
    pub fn default_in(mut self, profile: crate::Profile, text: impl fmt::Display) -> Self {
        self.declared.defaults.push((Some(profile), text.to_string()));
        self
    }

    /// What holds where it is not set and there is no default, as a value and in words. Rules do
    /// not look at it.
    pub fn unset(mut self, field: F, words: &str) -> Self {
        self.unset = Some(field);
        self.declared.otherwise = Some(words.to_owned());
        self.declared.is_required = false;
        self
    }

    /// It must be set in production, though its field is an `Option` or has
    /// [`unset`](Self::unset).
    pub const fn required_in_production(mut self) -> Self {
        self.declared.is_required_in_production = true;
        self
    }

    /// A warning where it is not set, with what is missed then: `no mail is sent`.
    pub fn wanted(mut self, missed: &str) -> Self {
        self.declared.wanted = Some(missed.to_owned());
        self
    }

    /// How it may be written, for the report and the documentation.
    pub fn example(mut self, example: &str) -> Self {
        self.declared.example = Some(example.to_owned());
        self
    }

    /// What would be right, in the place of what the type says.
    pub fn expects(mut self, expects: &str) -> Self {
        expects.clone_into(&mut self.declared.expects);
        self
    }

    /// Another name, such as the one it had in a service before this one. Where several are set,
    /// they must agree.
    pub fn alias(mut self, name: &str) -> Self {
        self.declared.aliases.push(self.vars.prefixed(name));
        self
    }

    /// What a bare number counts, where the variable's name does not say it ([`Unit::of_name`]).
    pub const fn bare(mut self, unit: Unit) -> Self {
        self.unit = Some(unit);
        self
    }

    /// Set to nothing, or to white space, it is as if it were not set. By default that is a mistake.
    pub const fn empty_is_unset(mut self) -> Self {
        self.declared.empty_is_unset = true;
        self
    }

    /// It is never printed, whatever its type.
    pub const fn secret(mut self) -> Self {
        self.declared.is_secret = true;
        self
    }

    /// Its name looks like a secret's, and it is none: it is printed.
    pub const fn public(mut self) -> Self {
        self.is_public = true;
        self
    }

    /// What will take the value, asked at the start: a client's constructor, say, whose answer is
    /// thrown away. What it refuses is reported with its error as the reason, of a secret too: that
    /// error must not quote the value.
    ///
    /// ```
    /// use buttress_config::{Environment, Secret, config};
    ///
    /// /// As a crate has it that knows what a token is.
    /// fn bearer(token: &str) -> Result<(), &'static str> {
    ///     if token.is_ascii() { Ok(()) } else { Err("a token is ASCII") }
    /// }
    ///
    /// config! {
    ///     #[derive(Debug)]
    ///     struct Settings {
    ///         /// Lets operators in.
    ///         token: Secret<String> = var("TOKEN")
    ///             .expects("letters and digits")
    ///             .taken_by(|token| bearer(token.expose())),
    ///     }
    /// }
    ///
    /// let report = Environment::of([("TOKEN", "hünter2")]).load::<Settings>().unwrap_err();
    /// assert_eq!(
    ///     report.errors().next().unwrap().to_string(),
    ///     "TOKEN=[REDACTED] is refused: a token is ASCII; right: letters and digits",
    /// );
    /// ```
    pub fn taken_by<U, E: fmt::Display>(mut self, take: impl Fn(&T) -> Result<U, E> + 'v) -> Self
    where
        T: 'v,
    {
        let parse = self.parse;
        self.parse = Box::new(move |text, unit| {
            let value = parse(text, unit)?;
            take(&value).map_err(Invalid::of_taker)?;
            Ok(value)
        });
        self
    }

    /// What its value must be beyond the type.
    pub fn rule(mut self, rule: Rule<T>) -> Self {
        self.declared.rules.push(rule.requirement().clone());
        self.rules.push(rule);
        self
    }
}

impl<F, T> fmt::Debug for Var<'_, '_, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Var").field("name", &self.declared.name).finish_non_exhaustive()
    }
}
