//! Files of variables.

use std::collections::BTreeSet;

/// A line that cannot be read; which it is, and not what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) reason: &'static str,
}

/// The variables of a file, in its order, and the lines that cannot be read.
pub(crate) fn parse(text: &str) -> (Vec<(String, String)>, Vec<Line>) {
    let mut cursor = Cursor { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let (mut variables, mut mistakes) = (Vec::new(), Vec::new());
    let mut names = BTreeSet::new();
    while !cursor.rest.is_empty() {
        let number = cursor.line;
        match cursor.variable() {
            Ok(None) => {}
            Ok(Some((name, value))) if names.insert(name.clone()) => variables.push((name, value)),
            Ok(Some(_)) => {
                mistakes.push(Line { number, reason: "sets a variable for the second time" });
            }
            Err(reason) => {
                mistakes.push(Line { number, reason });
                cursor.skip_line();
            }
        }
    }
    (variables, mistakes)
}

/// The value so that it reads back.
pub(crate) fn quote(value: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:@%+=,?&[]~*!^".contains(c);
    if value.chars().all(is_plain) {
        return value.to_owned();
    }
    let mut out = String::from('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

struct Cursor<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Cursor<'a> {
    fn variable(&mut self) -> Result<Option<(String, String)>, &'static str> {
        self.skip_blanks();
        if self.rest.is_empty() || self.at_end_of_line() || self.rest.starts_with('#') {
            self.skip_line();
            return Ok(None);
        }
        if let Some(rest) = self.rest.strip_prefix("export")
            && rest.starts_with([' ', '\t'])
        {
            self.rest = rest;
            self.skip_blanks();
        }
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("has no name before its value");
        }
        self.skip_blanks();
        if !self.rest.starts_with('=') {
            return Err("has no `=` behind the name");
        }
        self.advance(1);
        self.skip_blanks();
        let value = match self.rest.chars().next() {
            Some('\'') => self.raw()?,
            Some('"') => self.escaped()?,
            _ => {
                let value = self.plain();
                self.skip_line();
                return Ok(Some((name.to_owned(), value.to_owned())));
            }
        };
        self.skip_blanks();
        if !self.rest.is_empty() && !self.at_end_of_line() && !self.rest.starts_with('#') {
            return Err("goes on behind its closing quote");
        }
        self.skip_line();
        Ok(Some((name.to_owned(), value)))
    }

    /// To the end of the line, or to a comment, which white space stands before.
    fn plain(&mut self) -> &'a str {
        let line = self.take_while(|c| c != '\n');
        let mut after_blank = true;
        let comment = line.find(|c: char| {
            let begins = c == '#' && after_blank;
            after_blank = c.is_whitespace();
            begins
        });
        comment.and_then(|at| line.get(..at)).unwrap_or(line).trim()
    }

    fn raw(&mut self) -> Result<String, &'static str> {
        let inner = self.rest.strip_prefix('\'').unwrap_or_default();
        let Some((value, _)) = inner.split_once('\'') else {
            return Err("has a quote that is not closed");
        };
        self.advance(value.len() + 2);
        Ok(value.replace("\r\n", "\n"))
    }

    fn escaped(&mut self) -> Result<String, &'static str> {
        let mut value = String::new();
        let mut chars = self.rest.char_indices();
        // The quote.
        chars.next();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.advance(at + 1);
                    return Ok(value);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, c @ ('"' | '\\' | '$' | '\''))) => value.push(c),
                    Some(_) => return Err("has a `\\` before what needs none"),
                    None => break,
                },
                // A key of several lines is the same, whatever a checkout ends them with.
                '\r' if chars.as_str().starts_with('\n') => {}
                c => value.push(c),
            }
        }
        Err("has a quote that is not closed")
    }

    fn take_while(&mut self, matches: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !matches(c)).unwrap_or(self.rest.len());
        let (taken, _) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.advance(taken.len());
        taken
    }

    fn at_end_of_line(&self) -> bool {
        self.rest.starts_with(['\n', '\r'])
    }

    fn skip_blanks(&mut self) {
        self.take_while(|c| matches!(c, ' ' | '\t'));
    }

    fn skip_line(&mut self) {
        self.take_while(|c| c != '\n');
        self.advance(1);
    }

    fn advance(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.line += passed.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Line, parse, quote};

    fn one(text: &str) -> Option<(String, String)> {
        let (mut variables, mistakes) = parse(text);
        assert_eq!(mistakes, []);
        assert!(variables.len() < 2);
        variables.pop()
    }

    #[test]
    fn lines() {
        let cases = [
            ("A=b", "b"),
            ("export A=b", "b"),
            ("  A = b  ", "b"),
            ("A=", ""),
            ("A=b # a comment", "b"),
            ("A=b#c", "b#c"),
            ("A=# a comment", ""),
            ("A='b # c'", "b # c"),
            ("A='b\\n'", "b\\n"),
            ("A=\"b\\nc\" # a comment", "b\nc"),
            ("A=\"b\nc\"", "b\nc"),
            ("A=\"b\r\nc\"", "b\nc"),
            ("A='b\r\nc'\r\n", "b\nc"),
            ("A=\"b\\r\\nc\"", "b\r\nc"),
            ("A=$B", "$B"),
            ("A=\"${B:-c} $(d) `e`\"", "${B:-c} $(d) `e`"),
            ("A=\"\\${B}\"", "${B}"),
            ("A='${B}'", "${B}"),
            ("export\tA = \"b\nc\" # a comment\r\n", "b\nc"),
            ("A=b\r\n", "b"),
            ("\u{feff}A=b", "b"),
            ("A=a=b", "a=b"),
        ];
        for (text, value) in cases {
            assert_eq!(one(text), Some(("A".to_owned(), value.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_variable() {
        for text in ["", "\n", "# A=b", "  # A=b", "\r\n", "   "] {
            assert_eq!(one(text), None, "{text:?}");
        }
    }

    #[test]
    fn each_mistake_is_told_with_its_line_and_the_rest_is_read() {
        let text = "A=1\nhunter2\n=b\n2B=c\nC=\"x\" y\nA=2\nD=\"\\q\"\nE=5\nF='open\nG=6\n";
        let (variables, mistakes) = parse(text);
        let variables: Vec<_> = variables.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(variables, ["A", "E", "G"]);
        let lines: Vec<_> = mistakes.iter().map(|line| line.number).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6, 7, 9]);
        let first = Line { number: 2, reason: "has no `=` behind the name" };
        assert_eq!(mistakes.first(), Some(&first));
    }

    #[test]
    fn lines_are_counted_over_a_value_of_several() {
        let (_, mistakes) = parse("A=\"1\n2\n3\"\nwrong\n");
        assert_eq!(mistakes.first().map(|line| line.number), Some(4));
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_back(value in any::<String>()) {
            let text = format!("A={}\nB=1\n", quote(&value));
            let (variables, mistakes) = parse(&text);
            prop_assert_eq!(mistakes, []);
            let expected = [("A".to_owned(), value), ("B".to_owned(), "1".to_owned())];
            prop_assert_eq!(variables, expected);
        }

        #[test]
        fn anything_is_read_to_its_end(text in any::<String>()) {
            let (_, mistakes) = parse(&text);
            let lines = text.matches('\n').count() + 1;
            prop_assert!(mistakes.iter().all(|line| (1..=lines).contains(&line.number)));
        }
    }
}
