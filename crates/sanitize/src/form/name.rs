//! The name of a parameter, as those who make objects of forms read it.

/// What a name is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Whether its brackets come in pairs, at its end, and not within each other.
    pub(crate) is_matched: bool,
    /// Its brackets.
    pub(crate) depth: usize,
}

/// Appends the name without its list brackets: `a`, `a[]` and `a[0]` are `a`, and `a[0][b]` is
/// `a[b]`. A name whose brackets do not match is appended as it is.
pub(crate) fn canonical(name: &[u8], out: &mut Vec<u8>) -> Shape {
    let first = name.iter().position(|byte| matches!(byte, b'[' | b']'));
    let (base, mut rest) =
        name.split_at_checked(first.unwrap_or(name.len())).unwrap_or((name, &[]));
    out.extend_from_slice(base);
    let mut shape = Shape { is_matched: rest.is_empty() || !base.is_empty(), depth: 0 };
    while !rest.is_empty() {
        let inner = rest.strip_prefix(b"[").and_then(|inner| {
            let end = inner.iter().position(|byte| matches!(byte, b'[' | b']'))?;
            inner.split_at_checked(end).filter(|(_, after)| after.first() == Some(&b']'))
        });
        let Some((key, after)) = inner else {
            shape.is_matched = false;
            out.extend_from_slice(rest);
            return shape;
        };
        shape.depth += 1;
        if !key.iter().all(u8::is_ascii_digit) {
            out.push(b'[');
            out.extend_from_slice(key);
            out.push(b']');
        }
        rest = after.get(1..).unwrap_or_default();
    }
    shape
}

/// The parts of a name: `a[b][]` has `a`, `b` and an empty one.
pub(crate) fn parts(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|byte| *byte == b'[').map(|part| part.strip_suffix(b"]").unwrap_or(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> (String, bool, usize) {
        let mut out = Vec::new();
        let shape = canonical(name.as_bytes(), &mut out);
        (String::from_utf8(out).unwrap(), shape.is_matched, shape.depth)
    }

    #[test]
    fn list_brackets_do_not_make_another_name() {
        for (name, canonical, depth) in [
            ("a", "a", 0),
            ("", "", 0),
            ("a[]", "a", 1),
            ("a[0]", "a", 1),
            ("a[007]", "a", 1),
            ("a[b]", "a[b]", 1),
            ("a[0][b]", "a[b]", 2),
            ("a[][b][1]", "a[b]", 3),
            ("a.b", "a.b", 0),
            ("a[-1]", "a[-1]", 1),
            ("a[ ]", "a[ ]", 1),
        ] {
            assert_eq!(of(name), (canonical.to_owned(), true, depth), "{name}");
        }
    }

    #[test]
    fn brackets_that_do_not_match_are_seen() {
        for name in
            ["a[", "a]", "[", "]", "[]", "[a]", "a[b", "a[b]c", "a[b[c]]", "a[b]]", "a[[b]", "a][b"]
        {
            assert!(!of(name).1, "{name}");
        }
    }

    #[test]
    fn a_name_has_its_parts() {
        let of = |name: &'static str| parts(name.as_bytes()).collect::<Vec<_>>();
        assert_eq!(of("a"), [b"a"]);
        assert_eq!(of("a[b][]"), [&b"a"[..], b"b", b""]);
        assert_eq!(of(""), [b""]);
    }
}
