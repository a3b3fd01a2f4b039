//! Payment card numbers.

use std::ops::Range;

const SHORTEST: usize = 13;
const LONGEST: usize = 19;

/// A first digit of 2 and 13 digits: nothing smaller is a card.
pub(crate) const SMALLEST: u128 = 2_000_000_000_000;

/// What begins with these digits.
pub(super) enum Run {
    Card(Range<usize>),
    /// No card begins here; the digits end there.
    Digits(usize),
}

/// Looks at the digits from `at` on, the first of their group.
pub(super) fn at(text: &[u8], from: usize, at: usize) -> Run {
    let before = text.get(from..at).unwrap_or_default();
    match before {
        // Of a fraction's digits one in some hundred would be a card.
        [.., digit, b'.'] if digit.is_ascii_digit() => Run::Digits(at + digits(text, at)),
        // The digits of `%20` are none of a card's, if there is one behind them.
        [.., b'%'] => match (groups(text, at), text.get(at..)) {
            (Run::Digits(_), Some([_, second, third, ..]))
                if second.is_ascii_digit() && third.is_ascii_digit() =>
            {
                groups(text, at + 2)
            }
            (run, _) => run,
        },
        _ => groups(text, at),
    }
}

/// A card ends with a group: the longest that is one counts, so that an expiry date after it does
/// not hide it.
fn groups(text: &[u8], at: usize) -> Run {
    let first = at + digits(text, at);
    let is_alone = match text.get(first..) {
        Some([b' ' | b'-', next, ..]) => !next.is_ascii_digit(),
        _ => true,
    };
    if is_alone && first - at < SHORTEST {
        return Run::Digits(first);
    }
    let mut digits = [0_u8; LONGEST];
    let mut count = 0;
    let mut end = at;
    let mut first_group = at;
    let mut card = None;
    while let Some(byte) = text.get(end) {
        if byte.is_ascii_digit() {
            let Some(digit) = digits.get_mut(count) else { break };
            *digit = byte - b'0';
            count += 1;
            end += 1;
            continue;
        }
        if first_group == at {
            first_group = end;
        }
        if digits.get(..count).is_some_and(is_card) {
            card = Some(end);
        }
        let in_between = matches!(byte, b' ' | b'-');
        if !in_between || !text.get(end + 1).is_some_and(u8::is_ascii_digit) {
            break;
        }
        end += 1;
    }
    if end == text.len() && digits.get(..count).is_some_and(is_card) {
        card = Some(end);
    }
    match card {
        Some(end) => Run::Card(at..end),
        None if first_group > at => Run::Digits(first_group),
        // A group to the end of the text, or of more digits than a card has.
        None => Run::Digits(end + self::digits(text, end)),
    }
}

/// How many digits stand here.
fn digits(text: &[u8], at: usize) -> usize {
    text.iter().skip(at).take_while(|byte| byte.is_ascii_digit()).count()
}

/// A number that would be a card's if it were a text.
pub(super) fn is_number(number: u128) -> bool {
    if !(SMALLEST..10_000_000_000_000_000_000).contains(&number) {
        return false;
    }
    let mut digits = [0_u8; LONGEST];
    let mut left = number;
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        if left == 0 {
            break;
        }
        *digit = u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
        count += 1;
    }
    digits.get(LONGEST - count..).is_some_and(is_card)
}

fn is_card(digits: &[u8]) -> bool {
    digits.len() >= SHORTEST && is_issued(digits) && luhn(digits)
}

/// Prefixes and lengths of the issuers (ISO/IEC 7812-1; the networks' own BIN tables).
fn is_issued(digits: &[u8]) -> bool {
    let prefix = digits.iter().take(4).fold(0_u16, |prefix, digit| prefix * 10 + u16::from(*digit));
    let lengths = match prefix {
        // Visa.
        4000..=4999 => return matches!(digits.len(), 13 | 16 | 19),
        // American Express.
        3400..=3499 | 3700..=3799 => 15..=15,
        // Mastercard.
        2221..=2720 | 5100..=5599 => 16..=16,
        // Diners Club.
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => 14..=19,
        // Mir, JCB, Discover, UnionPay, RuPay.
        2200..=2204
        | 3528..=3589
        | 5080..=5089
        | 6000..=6099
        | 6200..=6299
        | 6440..=6599
        | 8100..=8299 => 16..=19,
        // Maestro.
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => 13..=19,
        _ => return false,
    };
    lengths.contains(&digits.len())
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| match (index % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}
