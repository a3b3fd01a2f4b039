//! The name that was meant.

/// Longer names are not compared: no variable of ours is.
const LONGEST: usize = 64;

/// The name that is nearest to this one, if any is near.
pub(crate) fn nearest<'a>(
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
    farthest: usize,
) -> Option<&'a str> {
    // What differs in length differs in as many letters.
    let of_length = |other: &&str| other.len().abs_diff(name.len()) <= farthest;
    let near = names.into_iter().filter(of_length).filter_map(|other| {
        let distance = distance(name, other)?;
        (distance <= farthest).then_some((distance, other))
    });
    near.min().map(|(_, other)| other)
}

/// How far a slip of the keyboard may lead in a name of this length.
pub(crate) fn reach(name: &str) -> usize {
    (name.len() / 4).clamp(1, 4)
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour (optimal
/// string alignment), whatever their case.
fn distance(one: &str, other: &str) -> Option<usize> {
    if one.len() > LONGEST || other.len() > LONGEST {
        return None;
    }
    let lower = |text: &str| text.bytes().map(|byte| byte.to_ascii_lowercase()).collect::<Vec<_>>();
    let (one, other) = (lower(one), lower(other));
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, j) + usize::from(a != b);
            let mut best = replaced.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped =
                i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a);
            if swapped {
                best = best.min(at(&before_last, j - 1) + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{distance, nearest};

    #[test]
    fn slips_of_the_keyboard() {
        let cases = [
            ("SHOP_BIND", "SHOP_BIND", 0),
            ("SHOP_BNID", "SHOP_BIND", 1),
            ("SHOP_BIN", "SHOP_BIND", 1),
            ("SHOP_BINDD", "SHOP_BIND", 1),
            ("SHOP_MIND", "SHOP_BIND", 1),
            ("shop_bind", "SHOP_BIND", 0),
            ("", "SHOP", 4),
            ("kitten", "sitting", 3),
        ];
        for (one, other, expected) in cases {
            assert_eq!(distance(one, other), Some(expected), "{one} {other}");
        }
    }

    #[test]
    fn the_nearest_is_found_and_what_is_far_is_not() {
        let names = ["SHOP_BIND", "SHOP_PORT", "SHOP_POOL_MAX"];
        assert_eq!(nearest("SHOP_BNID", names, 2), Some("SHOP_BIND"));
        assert_eq!(nearest("SHOP_COLOUR", names, 2), None);
    }

    proptest! {
        #[test]
        fn it_is_a_distance(one in "[A-C_]{0,8}", other in "[A-C_]{0,8}") {
            let there = distance(&one, &other);
            prop_assert_eq!(there, distance(&other, &one));
            prop_assert_eq!(there == Some(0), one == other);
            let (long, short) = (one.len().max(other.len()), one.len().min(other.len()));
            prop_assert!(there.is_some_and(|there| (long - short..=long).contains(&there)));
        }
    }
}
