//! The values of an event or a span, copied because one of them is not to be seen.

use std::{error::Error, fmt};

use tracing_core::{
    Field, Metadata,
    field::{DisplayValue, Value, Visit, display},
};

use crate::{Fields, Rules, Verdict, scratch};

/// One value for each field of the callsite, censored.
pub(crate) struct Copy(Vec<Option<Owned>>);

enum Owned {
    Bool(bool),
    I64(i64),
    U64(u64),
    I128(i128),
    U128(u128),
    F64(f64),
    Bytes(Box<[u8]>),
    /// What came as a text.
    Text(String),
    /// What came as `Debug`, and prints this.
    Printed(DisplayValue<String>),
    Error(Box<dyn Error + 'static>),
}

impl Copy {
    /// `None` where nothing is to be hidden: no copy is made to find that out.
    pub(crate) fn of(
        rules: &Rules,
        metadata: &'static Metadata<'static>,
        record: impl Fn(&mut dyn Visit),
    ) -> Option<Self> {
        let fields = rules.fields(metadata);
        if !fields.are_clear() {
            let mut keys = FindKey { fields, found: false };
            record(&mut keys);
            if keys.found {
                return Some(Self::make(rules, fields, metadata, record));
            }
        }
        if rules.has_values() {
            let mut values = FindValue { rules, found: false };
            record(&mut values);
            if values.found {
                return Some(Self::make(rules, fields, metadata, record));
            }
        }
        None
    }

    fn make(
        rules: &Rules,
        fields: Fields<'_>,
        metadata: &Metadata<'_>,
        record: impl Fn(&mut dyn Visit),
    ) -> Self {
        let values = metadata.fields().iter().map(|_| None).collect();
        let mut copier = Copier { rules, fields, values };
        record(&mut copier);
        Self(copier.values)
    }

    pub(crate) fn values(&self) -> Vec<Option<&dyn Value>> {
        self.0.iter().map(|value| value.as_ref().map(Owned::value)).collect()
    }
}

impl Owned {
    fn value(&self) -> &dyn Value {
        match self {
            Self::Bool(value) => value,
            Self::I64(value) => value,
            Self::U64(value) => value,
            Self::I128(value) => value,
            Self::U128(value) => value,
            Self::F64(value) => value,
            Self::Bytes(value) => value,
            Self::Text(value) => value,
            Self::Printed(value) => value,
            Self::Error(value) => value,
        }
    }
}

// === looking ===

/// Whether a field with a censor has a value at all.
struct FindKey<'a> {
    fields: Fields<'a>,
    found: bool,
}

/// Whether a value is sensitive by its look.
struct FindValue<'a> {
    rules: &'a Rules,
    found: bool,
}

/// Makes the copy.
struct Copier<'a> {
    rules: &'a Rules,
    fields: Fields<'a>,
    values: Vec<Option<Owned>>,
}

impl Visit for FindKey<'_> {
    fn record_debug(&mut self, field: &Field, _: &dyn fmt::Debug) {
        self.found |= !matches!(self.fields.verdict(field), Verdict::Clear);
    }
}

impl FindValue<'_> {
    fn number(&mut self, number: impl TryInto<u128>) {
        self.found |= !matches!(integer(self.rules, number), Verdict::Clear);
    }

    fn format(&mut self, args: fmt::Arguments<'_>) {
        self.found = self.found || !scratch::formatted(args, |text| self.rules.is_clear(text));
    }
}

impl Visit for FindValue<'_> {
    fn record_str(&mut self, _: &Field, value: &str) {
        self.found = self.found || !self.rules.is_clear(value);
    }

    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        self.format(format_args!("{value:?}"));
    }

    fn record_error(&mut self, _: &Field, value: &(dyn Error + 'static)) {
        // What would be left of a longer chain is not looked at: the copy is without it.
        self.found |= chain(value).count() == MAX_SOURCES;
        for error in chain(value) {
            self.format(format_args!("{error}"));
            self.format(format_args!("{error:?}"));
        }
    }

    fn record_bytes(&mut self, _: &Field, value: &[u8]) {
        self.found |= !self.rules.are_clear(value);
    }

    fn record_bool(&mut self, _: &Field, _: bool) {}

    fn record_f64(&mut self, _: &Field, value: f64) {
        self.found |= !matches!(self.rules.float(value), Verdict::Clear);
    }

    fn record_i64(&mut self, _: &Field, value: i64) {
        self.number(value);
    }

    fn record_u64(&mut self, _: &Field, value: u64) {
        self.number(value);
    }

    fn record_i128(&mut self, _: &Field, value: i128) {
        self.number(value);
    }

    fn record_u128(&mut self, _: &Field, value: u128) {
        self.number(value);
    }
}

// === copying ===

impl Copier<'_> {
    /// Keeps what a clear field has; what another has is censored, and `value` is all it needs.
    fn keep(
        &mut self,
        field: &Field,
        value: &dyn fmt::Display,
        clear: impl FnOnce(&Rules) -> Option<Owned>,
    ) {
        let kept = match self.fields.verdict(field) {
            Verdict::Clear => clear(self.rules),
            Verdict::Remove => None,
            Verdict::Censor(censor) => {
                let mut text = String::new();
                // What a censor's function could not write is not there.
                let _ = censor.write(value, &mut text);
                Some(Owned::Text(text))
            }
        };
        if let Some(slot) = self.values.get_mut(field.index()) {
            *slot = kept;
        }
    }

    /// A number whose censor, if it has one by its look, is found by `judge`.
    fn number<T: fmt::Display + Clone>(
        &mut self,
        field: &Field,
        value: T,
        judge: impl FnOnce(&Rules, T) -> Verdict<'_>,
        owned: fn(T) -> Owned,
    ) {
        self.keep(field, &value.clone(), |rules| match judge(rules, value.clone()) {
            Verdict::Clear => Some(owned(value)),
            Verdict::Remove => None,
            Verdict::Censor(censor) => {
                let mut text = String::new();
                let _ = censor.write(&value, &mut text);
                Some(Owned::Text(text))
            }
        });
    }
}

impl Visit for Copier<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, &value, |rules| {
            Some(Owned::Text(censored(rules, format_args!("{value}"))))
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep(field, &format_args!("{value:?}"), |rules| {
            Some(Owned::Printed(display(censored(rules, format_args!("{value:?}")))))
        });
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.keep(field, &value, |rules| {
            let mut copied: Option<Box<CopiedError>> = None;
            let errors: Vec<_> = chain(value).collect();
            for error in errors.into_iter().rev() {
                copied = Some(Box::new(CopiedError {
                    display: censored(rules, format_args!("{error}")),
                    debug: censored(rules, format_args!("{error:?}")),
                    source: copied,
                }));
            }
            copied.map(|error| Owned::Error(error))
        });
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.keep(field, &value.escape_ascii(), |rules| {
            Some(match rules.are_clear(value) {
                true => Owned::Bytes(value.into()),
                false => {
                    let text = String::from_utf8_lossy(value);
                    Owned::Text(censored(rules, format_args!("{text}")))
                }
            })
        });
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, &value, |_| Some(Owned::Bool(value)));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.number(field, value, Rules::float, Owned::F64);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value, integer, Owned::I64);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, value, integer, Owned::U64);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.number(field, value, integer, Owned::I128);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.number(field, value, integer, Owned::U128);
    }
}

/// What the rules say of an integer; a negative one is no card.
fn integer(rules: &Rules, number: impl TryInto<u128>) -> Verdict<'_> {
    number.try_into().map_or(Verdict::Clear, |number| rules.number(number))
}

fn censored(rules: &Rules, args: fmt::Arguments<'_>) -> String {
    let mut text = String::new();
    let _ = rules.format(args, &mut text);
    text
}

/// What is left of an error: what it prints, and what its sources do.
struct CopiedError {
    display: String,
    debug: String,
    source: Option<Box<CopiedError>>,
}

impl fmt::Display for CopiedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display)
    }
}

impl fmt::Debug for CopiedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.debug)
    }
}

impl Error for CopiedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// More sources than anybody reads: a chain that bites its own tail must end.
const MAX_SOURCES: usize = 64;

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source()).take(MAX_SOURCES)
}
