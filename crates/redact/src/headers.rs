//! Headers: those on a list with their values, the rest by name only.

use std::fmt::{self, Write};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::Rules;

/// Headers as they may be printed, from [`Rules::headers`]: one line each, in the map's order.
#[derive(Clone, Copy)]
pub struct Headers<'a> {
    rules: &'a Rules,
    map: &'a HeaderMap,
}

/// One line of a header as it may be printed: `name: value`, or the name alone.
#[derive(Clone, Copy)]
pub struct HeaderLine<'a> {
    rules: &'a Rules,
    name: &'a HeaderName,
    value: Option<&'a HeaderValue>,
}

impl Rules {
    /// The headers as they may be printed.
    ///
    /// ```
    /// use buttress_redact::Rules;
    /// use http::{HeaderMap, header};
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert(header::ACCEPT, "*/*".parse()?);
    /// headers.insert(header::AUTHORIZATION, "Bearer s3cr3t".parse()?);
    /// assert_eq!(Rules::new().headers(&headers).to_string(), "accept: */*, authorization");
    /// # Ok::<(), http::header::InvalidHeaderValue>(())
    /// ```
    #[must_use]
    pub const fn headers<'a>(&'a self, map: &'a HeaderMap) -> Headers<'a> {
        Headers { rules: self, map }
    }

    /// One line of a header as it may be printed. Its value is shown where the name is on the list
    /// ([`show_headers`](Self::show_headers)), no key rule is against it, and nobody has marked the
    /// value as sensitive; then the value rules go over it.
    #[must_use]
    pub fn header<'a>(&'a self, name: &'a HeaderName, value: &'a HeaderValue) -> HeaderLine<'a> {
        let value = Some(value).filter(|value| !value.is_sensitive() && self.shows(name));
        HeaderLine { rules: self, name, value }
    }

    /// Marks the values of sensitive headers as such: `Debug` does not print them then, and HPACK
    /// keeps them out of its table, where their length could be guessed at (RFC 7541 §7.1.3).
    ///
    /// ```
    /// use buttress_redact::Rules;
    /// use http::{HeaderMap, header};
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert(header::COOKIE, "id=1".parse()?);
    /// Rules::new().mark_sensitive(&mut headers);
    /// assert!(headers[header::COOKIE].is_sensitive());
    /// # Ok::<(), http::header::InvalidHeaderValue>(())
    /// ```
    pub fn mark_sensitive(&self, headers: &mut HeaderMap) {
        for (name, value) in headers {
            if self.is_sensitive(name) {
                value.set_sensitive(true);
            }
        }
    }

    fn is_sensitive(&self, name: &HeaderName) -> bool {
        self.keys().judge(name.as_str().bytes()).is_some()
    }
}

impl<'a> Headers<'a> {
    /// The lines. A name that has several comes once for each.
    pub fn iter(&self) -> impl Iterator<Item = HeaderLine<'a>> + use<'a> {
        let rules = self.rules;
        self.map.iter().map(move |(name, value)| rules.header(name, value))
    }
}

impl HeaderLine<'_> {
    /// The header's name.
    #[must_use]
    pub const fn name(&self) -> &HeaderName {
        self.name
    }

    /// Whether there is a value to print.
    #[must_use]
    pub const fn is_shown(&self) -> bool {
        self.value.is_some()
    }

    /// Writes the value, or nothing where it is not shown. Bytes past visible ASCII are escaped.
    ///
    /// # Errors
    /// Those of `out`, and of a censor's function.
    pub fn write_value(&self, out: &mut dyn Write) -> fmt::Result {
        match self.value.map(|value| value.to_str().map_err(|_| value.as_bytes())) {
            None => Ok(()),
            Some(Ok(text)) => self.rules.text(text, out),
            Some(Err(bytes)) => self.rules.format(format_args!("{}", bytes.escape_ascii()), out),
        }
    }
}

impl fmt::Display for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            fmt::Display::fmt(&line, f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

impl fmt::Display for HeaderLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_str())?;
        if self.is_shown() {
            f.write_str(": ")?;
            self.write_value(f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for HeaderLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
