//! A statement without what it is about.

use std::borrow::Cow;

/// The most bytes that are kept of a statement.
const LONGEST: usize = 2_000;

/// The statement as it may be logged: every literal is a `?`, comments are gone, and white space is
/// one space. Parameters (`$1`) and names stay, also quoted ones; it is cut after 2,000 bytes.
///
/// What is no whole literal is none of ours to understand: from a quote that does not end, nothing
/// is kept. The rules are those of Postgres' lexical structure (its manual, §4.1): `'it''s'`,
/// `E'\''`, `B''`, `X''`, `U&''`, `N''`, also where they go on in another line, `$tag$…$tag$`,
/// numbers in all their forms, nested comments; with `standard_conforming_strings` on, as it is
/// since Postgres 9.1. It takes time in proportion to the statement's length.
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
        let space = if is_spaced && !out.is_empty() { " " } else { "" };
        is_spaced = false;
        if out.len() + space.len() + text.len() > LONGEST {
            out.push('…');
            break;
        }
        out.push_str(space);
        out.push_str(&text);
    }
    out
}

/// The first two words of each statement, as far as there are so many. It reads no further than it
/// is asked.
pub(super) fn openings(sql: &str) -> impl Iterator<Item = [&str; 2]> {
    let (mut rest, mut count) = (sql, 0_usize);
    std::iter::from_fn(move || {
        let mut words = [""; 2];
        while let Some(first) = rest.chars().next() {
            let (token, after) = token(rest, first);
            rest = after;
            let word = match token {
                Token::Space => continue,
                Token::Text(";") if (1..words.len()).contains(&count) => {
                    count = 0;
                    return Some(words);
                }
                Token::Text(";") => {
                    count = 0;
                    continue;
                }
                Token::Text(text) => text,
                Token::Literal => "",
            };
            if let Some(place) = words.get_mut(count) {
                *place = word;
            }
            count = count.saturating_add(1);
            if count == words.len() {
                return Some(words);
            }
        }
        let is_last = (1..words.len()).contains(&count);
        count = 0;
        is_last.then_some(words)
    })
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
        _ if is_space(first) => (Token::Space, from(sql, one)),
        '-' if sql.starts_with("--") => {
            (Token::Space, from(sql, sql.find(['\n', '\r']).unwrap_or(sql.len())))
        }
        '/' if sql.starts_with("/*") => (Token::Space, after_comment(sql)),
        '\'' => (Token::Literal, after_string(from(sql, one), false)),
        '"' => match after_quote(from(sql, one), '"', false) {
            Some(after) => (Token::Text(to(sql, sql.len() - after.len())), after),
            // Without an end it is no name.
            None => (Token::Literal, ""),
        },
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
        return (Token::Literal, after_string(from(after, 1), is("e")));
    }
    if is("u") && after.starts_with("&'") {
        return (Token::Literal, after_string(from(after, 2), false));
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

/// To Postgres' lexer whatever is not ASCII is a letter, blanks of Unicode as well.
fn is_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || !c.is_ascii()
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
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

/// After a string, also one that goes on: after white space with a new line in it, a further quote
/// is the same string's, with the same escapes (the manual, §4.1.2.1).
fn after_string(sql: &str, has_escapes: bool) -> &str {
    let mut rest = sql;
    loop {
        let Some(after) = after_quote(rest, '\'', has_escapes) else { return "" };
        match continuation(after) {
            Some(more) => rest = more,
            None => return after,
        }
    }
}

/// After the quote that ends it, if there is one; a doubled one does not, and with backslashes
/// neither does one after a backslash.
fn after_quote(sql: &str, quote: char, has_escapes: bool) -> Option<&str> {
    let mut rest = sql;
    loop {
        let at = rest.find(|c| c == quote || (has_escapes && c == '\\'))?;
        let is_escape = !from(rest, at).starts_with(quote);
        rest = from(rest, at + 1);
        if is_escape {
            rest = from(rest, rest.chars().next().map_or(0, char::len_utf8));
            continue;
        }
        match rest.strip_prefix(quote) {
            Some(after) => rest = after,
            None => return Some(rest),
        }
    }
}

fn continuation(sql: &str) -> Option<&str> {
    let is_end = |c| matches!(c, '\n' | '\r');
    let (mut rest, mut is_new_line) = (sql, false);
    loop {
        let after = rest.trim_start_matches(is_space);
        is_new_line |= to(rest, rest.len() - after.len()).contains(is_end);
        let Some(comment) = after.strip_prefix("--") else {
            return after.strip_prefix('\'').filter(|_| is_new_line);
        };
        rest = from(comment, comment.find(is_end).unwrap_or(comment.len()));
    }
}

fn after_comment(sql: &str) -> &str {
    let mut rest = from(sql, 2);
    let mut depth = 1_usize;
    while depth > 0 {
        let Some(at) = rest.find(['/', '*']) else { return "" };
        let mark = from(rest, at);
        let length = if mark.starts_with("/*") {
            depth += 1;
            2
        } else if mark.starts_with("*/") {
            depth -= 1;
            2
        } else {
            1
        };
        rest = from(mark, length);
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
            ("SELECT 'one'\n  'two', 'a' 'b'", "SELECT ?, ? ?"),
            ("SELECT E'one' -- and\n 'it\\'s a secret' , 2", "SELECT ? , ?"),
            ("SELECT E'one' 'no escape\\' , 2", "SELECT ? ? , ?"),
            ("SELECT \"never ends\"\"", "SELECT ?"),
            ("SELECT \"it\"\"s\", \"\"", "SELECT \"it\"\"s\", \"\""),
            ("SELECT $\u{a0}$ secret $\u{a0}$, 2", "SELECT ?, ?"),
            ("SELECT e\u{a0}'no escape\\' , 2", "SELECT e\u{a0}? , ?"),
            ("a /*/ secret */ b /***/ c /**/*/ d", "a b c */ d"),
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

    #[test]
    fn it_is_cut_in_front_of_what_is_too_long() {
        let names = format!("{} {}", "a".repeat(LONGEST), "b");
        assert_eq!(normalize(&names), "a".repeat(LONGEST) + "…");
        assert_eq!(normalize(&"a".repeat(LONGEST + 1)), "…");
    }

    #[test]
    fn time_is_in_proportion_to_the_length() {
        // Where each would look ahead to the end, these would take hours.
        let many = 200_000;
        let hostile = [
            "/*".repeat(many) + &"*/".repeat(many),
            "/**/".repeat(many),
            "$a$b".repeat(many),
            "$a".repeat(many),
            "$1".repeat(many),
            "'a'\n".repeat(many),
            "'a'--\n".repeat(many),
            "E'\\".repeat(many),
            "\"\"".repeat(many),
            "1e+".repeat(many),
            ";".repeat(many),
        ];
        let began = std::time::Instant::now();
        for sql in hostile {
            assert!(normalize(&sql).len() <= LONGEST + '…'.len_utf8());
            let _ = openings(&sql).count();
        }
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }

    #[test]
    fn the_first_words_of_each_statement_are_found() {
        let cases: [(&str, &[[&str; 2]]); 6] = [
            ("", &[]),
            (" ; -- BEGIN\n;", &[]),
            ("begin", &[["begin", ""]]),
            ("/* it */ SET LOCAL a = 'b;c'; ;COMMIT;", &[["SET", "LOCAL"], ["COMMIT", ""]]),
            ("SELECT 'x; BEGIN'; 1; a b c; d", &[["SELECT", ""], ["", ""], ["a", "b"], ["d", ""]]),
            ("DO $$ BEGIN; END $$; LISTEN a", &[["DO", ""], ["LISTEN", "a"]]),
        ];
        for (sql, expected) in cases {
            assert_eq!(openings(sql).collect::<Vec<_>>(), expected, "{sql}");
        }
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
