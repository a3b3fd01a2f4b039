//! The headers that are shown.

use std::fmt::{self, Write};

use buttress_redact::Rules;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{extra::Fields, text::Capped};

/// The longest value that is shown, in bytes.
const MAX_VALUE: usize = 1024;

/// The list, and the rules by which its values are printed.
#[derive(Clone, Debug)]
pub(super) struct ShownHeaders {
    headers: Vec<Shown>,
    rules: Rules,
}

#[derive(Clone, Debug)]
struct Shown {
    name: HeaderName,
    field: String,
}

impl Default for ShownHeaders {
    fn default() -> Self {
        Self { headers: Vec::new(), rules: Rules::none() }
    }
}

impl ShownHeaders {
    pub(super) fn new(names: impl IntoIterator<Item = HeaderName>, rules: &Rules) -> Self {
        let mut headers: Vec<Shown> = Vec::new();
        for name in names {
            if headers.iter().all(|shown| shown.name != name) {
                let field = format!("header_{}", name.as_str().replace('-', "_"));
                headers.push(Shown { name, field });
            }
        }
        Self { headers, rules: Rules::none() }.judged_by(rules)
    }

    pub(super) fn judged_by(self, rules: &Rules) -> Self {
        let names = self.headers.iter().map(|shown| shown.name.clone());
        Self { rules: rules.clone().show_headers(names), ..self }
    }

    /// The list, in its order.
    pub(super) fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.headers.iter().map(|shown| &shown.name)
    }

    /// The lines of the request's headers that are on the list, in its order.
    pub(super) fn captured(&self, headers: &HeaderMap) -> Vec<(usize, HeaderValue)> {
        let mut captured = Vec::new();
        for (at, shown) in self.headers.iter().enumerate() {
            captured.extend(headers.get_all(&shown.name).iter().map(|value| (at, value.clone())));
        }
        captured
    }

    /// Adds a field for each header of which something may be shown.
    pub(super) fn add_to(&self, fields: &mut Fields, captured: &[(usize, HeaderValue)]) {
        for lines in captured.chunk_by(|(one, _), (other, _)| one == other) {
            let Some(shown) = lines.first().and_then(|(at, _)| self.headers.get(*at)) else {
                continue;
            };
            let values = lines.iter().map(|(_, value)| value);
            let Some(text) = self.printed(&shown.name, values) else { continue };
            // Each name once: what the application says counts.
            if fields.iter().all(|(name, _)| *name != shown.field) {
                fields.push((shown.field.clone().into(), text.into()));
            }
        }
    }

    fn printed<'a>(
        &self,
        name: &HeaderName,
        values: impl Iterator<Item = &'a HeaderValue>,
    ) -> Option<String> {
        let mut text = String::new();
        let mut is_shown = false;
        let mut out = Capped::new(&mut text, MAX_VALUE);
        let mut print = |value| -> fmt::Result {
            let line = self.rules.header(name, value);
            if !line.is_shown() {
                return Ok(());
            }
            if std::mem::replace(&mut is_shown, true) {
                out.write_str(", ")?;
            }
            line.write_value(&mut out)
        };
        for value in values {
            // An error says that it is full.
            if print(value).is_err() {
                break;
            }
        }
        is_shown.then_some(text)
    }
}
