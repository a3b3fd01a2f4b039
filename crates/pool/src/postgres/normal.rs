//! A statement without what it is about.

use std::borrow::Cow;

/// The most bytes that are kept of a statement.
const LONGEST: usize = 2_000;

/// The statement as it may be logged: every literal is a `?`, comments are gone, and white space is
/// one space. Parameters (`$1`) and names stay, also quoted ones; it is cut after 2,000 bytes.
///
/// What is no whole literal is none of ours to understand: from a quote that does not end, nothing
/// is kept. The rules are those of Postgres' lexical structure (its manual, §4.1): `'it''s'`,
/// `E'\''`, `B''`, `X''`, `U&''`, `N''`, `$tag$…$tag$`, numbers in all their forms, nested comments; with `standard_conforming_strings` on, as it is
/// since Postgres 9.1.
///
/// ```
/// use buttress_pool::normalize;
///
/// let sql = "SELECT *\n  FROM users -- who is it\n WHERE email = 'ada@example.org' AND n > $1 LIMIT 10";
/// assert_eq!(normalize(sql), "SELECT * FROM users WHERE email = ? AND n > $1 LIMIT ?");
/// ```
#[must_use]
pub fn normalize(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len().min(LONGEST));
    let mut rest = sql;
    let mut is_spaced = false;
    while let Some(first) = rest.chars().next() {
        let (token, after) = token(rest, first);
        rest = after;
        let text: Cow<'_, str> = match token {
            Token::Space => {
                is_spaced = true;
                continue;
            }
            Token::Literal => "?".into(),
            Token::Text(text) => text.into(),
        };
        if is_spaced && !out.is_empty() {
            out.push(' ');
        }
        is_spaced = false;
        if out.len() + text.len() > LONGEST {
            out.push('…');
            break;
        }
        out.push_str(&text);
    }
    out
}

enum Token<'a> {
    /// White space or a comment.
    Space,
    Literal,
    Text(&'a str),
}

/// The first token, and what comes after it.
fn token(sql: &str, first: char) -> (Token<'_>, &str) {
    let one = first.len_utf8();
    match first {
        _ if first.is_whitespace() => (Token::Space, from(sql, one)),
        '-' if sql.starts_with("--") => {
            (Token::Space, from(sql, sql.find(['\n', '\r']).unwrap_or(sql.len())))
        }
        '/' if sql.starts_with("/*") => (Token::Space, after_comment(sql)),
        '\'' => (Token::Literal, after_quote(sql, one, '\'', false)),
        '"' => {
            let after = after_quote(sql, one, '"', false);
            let whole = to(sql, sql.len() - after.len());
            // Without an end it is no name.
            let is_whole = whole.len() > one && whole.ends_with('"');
            (if is_whole { Token::Text(whole) } else { Token::Literal }, after)
        }
        '$' => dollar(sql),
        '0'..='9' => (Token::Literal, from(sql, number(sql))),
        '.' if sql.chars().nth(1).is_some_and(|next| next.is_ascii_digit()) => {
            (Token::Literal, from(sql, number(sql)))
        }
        _ if is_name(first) => {
            let length = sql.find(|c| !(is_name(c) || c.is_ascii_digit() || c == '$'));
            let length = length.unwrap_or(sql.len());
            word(sql, length)
        }
        _ => (Token::Text(to(sql, one)), from(sql, one)),
    }
}

/// A name or keyword, or the letters in front of a literal's quote.
fn word(sql: &str, length: usize) -> (Token<'_>, &str) {
    let (word, after) = (to(sql, length), from(sql, length));
    let is = |prefix: &str| word.eq_ignore_ascii_case(prefix);
    if after.starts_with('\'') && (is("e") || is("b") || is("x") || is("n")) {
        return (Token::Literal, after_quote(after, 1, '\'', is("e")));
    }
    if is("u") && after.starts_with("&'") {
        return (Token::Literal, after_quote(after, 2, '\'', false));
    }
    (Token::Text(word), after)
}

/// A parameter, a dollar-quoted literal, or a lone dollar.
fn dollar(sql: &str) -> (Token<'_>, &str) {
    let after = from(sql, 1);
    let length = after.find(|c| !(is_name(c) || c.is_ascii_digit())).unwrap_or(after.len());
    let tag = to(after, length);
    if tag.starts_with(|c: char| c.is_ascii_digit()) {
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        return (Token::Text(to(sql, 1 + digits)), from(after, digits));
    }
    let body = from(after, length);
    let Some(body) = body.strip_prefix('$') else { return (Token::Text("$"), after) };
    // The tag with its dollars.
    let fence = to(sql, tag.len() + 2);
    let end = body.find(fence).map_or(body.len(), |end| end + fence.len());
    (Token::Literal, from(body, end))
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphabetic() || (!c.is_ascii() && !c.is_whitespace())
}

/// The length of a number: digits with `_`, a point, an exponent; or `0x`, `0o`, `0b`. Letters that
/// come right after are junk to Postgres, and go with it.
fn number(sql: &str) -> usize {
    let mut last = ' ';
    sql.find(|c: char| {
        let is_sign = matches!(c, '+' | '-') && matches!(last, 'e' | 'E');
        last = c;
        !(c.is_ascii_digit() || is_name(c) || c == '.' || is_sign)
    })
    .unwrap_or(sql.len())
}

/// After the quote that ends it; a doubled one does not, and with backslashes neither does one after
/// a backslash.
fn after_quote(sql: &str, begin: usize, quote: char, has_escapes: bool) -> &str {
    let mut rest = from(sql, begin);
    loop {
        let Some(at) = rest.find(|c| c == quote || (has_escapes && c == '\\')) else { return "" };
        let is_escape = !rest.get(at..).is_some_and(|found| found.starts_with(quote));
        rest = from(rest, at + 1);
        if is_escape {
            rest = from(rest, rest.chars().next().map_or(0, char::len_utf8));
            continue;
        }
        match rest.strip_prefix(quote) {
            Some(after) => rest = after,
            None => return rest,
        }
    }
}

fn after_comment(sql: &str) -> &str {
    let mut rest = from(sql, 2);
    let mut depth = 1_usize;
    while depth > 0 {
        let next = [rest.find("/*"), rest.find("*/")];
        match next {
            [Some(open), Some(close)] if open < close => {
                depth += 1;
                rest = from(rest, open + 2);
            }
            [_, Some(close)] => {
                depth -= 1;
                rest = from(rest, close + 2);
            }
            [_, None] => return "",
        }
    }
    rest
}

fn from(text: &str, begin: usize) -> &str {
    text.get(begin..).unwrap_or_default()
}

fn to(text: &str, end: usize) -> &str {
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals_are_gone_and_the_rest_stays() {
        let cases = [
            ("SELECT 1", "SELECT ?"),
            ("select 'it''s', $1, \"a name\"", "select ?, $1, \"a name\""),
            (r"SELECT E'it\'s a secret' , 2", "SELECT ? , ?"),
            (r"SELECT 'no escape\' , 2", "SELECT ? , ?"),
            ("SELECT b'01', X'ff', n'x', U&'d\\0061t'", "SELECT ?, ?, ?, ?"),
            ("SELECT $$secret$$, $tag$ se'c$$ret $tag$ , $2", "SELECT ?, ? , $2"),
            ("SELECT 1.5e-3, .5, 0xff, 1_000, 3", "SELECT ?, ?, ?, ?, ?"),
            ("SELECT col1, t2.c3 FROM t2 WHERE a=-7", "SELECT col1, t2.c3 FROM t2 WHERE a=-?"),
            ("a /* one /* two */ 'still' */ b -- secret\nc", "a b c"),
            ("VALUES ('a'),\n\t('b')", "VALUES (?), (?)"),
            ("SELECT 'never ends", "SELECT ?"),
            ("SELECT \"never ends", "SELECT ?"),
            ("SELECT $a$never ends", "SELECT ?"),
            ("SELECT /* never ends 'x'", "SELECT"),
            ("SELECT E'ends in a backslash\\", "SELECT ?"),
            ("SELECT a$b, $", "SELECT a$b, $"),
            ("größe = 'ß'", "größe = ?"),
            ("", ""),
        ];
        for (sql, expected) in cases {
            assert_eq!(normalize(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_long_statement_is_cut() {
        let long = "SELECT a, ".repeat(1_000);
        let normal = normalize(&long);
        assert!(normal.len() <= LONGEST + '…'.len_utf8(), "{}", normal.len());
        assert!(normal.ends_with('…'));
    }

    proptest! {
        #[test]
        fn anything_is_taken(sql in ".{0,200}") {
            let _ = normalize(&sql);
        }

        #[test]
        fn pieces_of_sql_are_taken(
            sql in proptest::collection::vec(
                prop_oneof![
                    Just("'"), Just("''"), Just("\\"), Just("\""), Just("$"), Just("$$"), Just("$a$"),
                    Just("--"), Just("/*"), Just("*/"), Just("E'"), Just("u&'"), Just("1e-"), Just("a"),
                    Just(" "), Just("\n"), Just("ß"), Just("0x"), Just("."),
                ],
                0..40,
            )
        ) {
            let _ = normalize(&sql.concat());
        }

        #[test]
        fn what_is_quoted_is_never_there(secret in "[ -~]{0,30}", before in "[a-z ,=(]{0,20}") {
            let planted = format!("PLANTED{secret}");
            for sql in [
                format!("{before} '{}' x", planted.replace('\'', "''")),
                format!("{before} E'{}' x", planted.replace('\\', "\\\\").replace('\'', "\\'")),
                format!("{before} $fence${planted}$fence$ x"),
                format!("{before} /* {} */ x", planted.replace(['*', '/'], "")),
                format!("{before} -- {planted}\n x"),
            ] {
                let normal = normalize(&sql);
                prop_assert!(!normal.contains("PLANTED"), "{} {}", sql, normal);
                prop_assert!(normal.ends_with('x'), "{} {}", sql, normal);
            }
        }

        #[test]
        fn a_number_is_never_there(number in 10_000_u64.., before in "[a-z ]{0,10}[ =(,]") {
            let normal = normalize(&format!("{before}{number}, {number}.5e+3)"));
            prop_assert!(!normal.contains(&number.to_string()), "{normal}");
        }
    }
}
