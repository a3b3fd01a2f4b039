//! Which characters are looked at.

use crate::rule::Rule;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Plain,
    Nul,
    Control,
    Bidi,
    ZeroWidth,
}

impl Class {
    pub(crate) const fn rule(self) -> Option<Rule> {
        match self {
            Self::Plain => None,
            Self::Nul => Some(Rule::Nul),
            Self::Control => Some(Rule::Control),
            Self::Bidi => Some(Rule::Bidi),
            Self::ZeroWidth => Some(Rule::ZeroWidth),
        }
    }
}

/// The controls of Unicode's category Cc but tab, line feed and carriage return, and the line and
/// paragraph separators; the explicit directional characters of UAX #9 §2; and what is not seen, which
/// is `Default_Ignorable_Code_Point` (Unicode 16, `DerivedCoreProperties.txt`) and the annotation
/// characters U+FFF9 to U+FFFB. The zero-width joiner U+200D and non-joiner U+200C are needed by
/// emoji and by Persian, and the variation selector U+FE0F by emoji, but are not seen either.
#[inline]
pub(crate) const fn class(character: char) -> Class {
    match character {
        '\0' => Class::Nul,
        '\t' | '\n' | '\r' => Class::Plain,
        '\u{1}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => Class::Control,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Class::Bidi
        }
        '\u{ad}'
        | '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => Class::ZeroWidth,
        _ => Class::Plain,
    }
}
