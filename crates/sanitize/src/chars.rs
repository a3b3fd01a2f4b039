//! Which characters are looked at.

use std::mem;

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
/// characters U+FFF9 to U+FFFB. Of these, [`Unseen`] knows which belong where they are.
#[inline]
pub(crate) const fn class(character: char) -> Class {
    // Nearly all there are, ASCII first. The rest must stay out of line for this to be their cost.
    match character {
        ' '..='~' | '\u{ae}'..='\u{34e}' | '\u{350}'..='\u{61b}' | '\u{3165}'..='\u{fdff}' => {
            Class::Plain
        }
        _ => looked_up(character),
    }
}

#[cold]
const fn looked_up(character: char) -> Class {
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

/// The control characters that a text may have, and a name may not: a line of its own in a log, or
/// in a head, is what somebody who sends them is after.
#[inline]
pub(crate) const fn is_layout(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r')
}

/// Reads the characters of one text in their order, since some that are not seen are a part of
/// what is: of emoji (UTS #51), of words in Persian and in the scripts of India (UAX #31 §2.3.1),
/// of the one of several forms of an ideograph (UTS #37). What does not stand where it can do its
/// work has no business there, and two texts that look alike are not.
///
/// Nobody is asked for a table of all sequences: each is known by the character before it, of
/// which only the block matters, and by what must follow. So at most one unseen character stands
/// with each that is seen, but for the flags of England, Scotland and Wales.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unseen {
    // U+0000 where nothing can be joined to it.
    last: char,
    open: Open,
}

/// What has begun, and must go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Open {
    #[default]
    Nothing,
    /// A digit and its selector: U+20E3 must follow.
    Keycap,
    /// An emoji and a joiner: another must follow.
    Joined,
    /// A flag and the name of its country, as far as it has come.
    Flag(u64),
}

const BLACK_FLAG: char = '\u{1f3f4}';
const EMOJI_STYLE: char = '\u{fe0f}';

/// `gbeng`, `gbsct`, `gbwls`: the tag sequences that are there (UTS #51 §1.4.6, RGI).
const COUNTRIES: [u64; 3] = [0x67_6265_6e67, 0x67_6273_6374, 0x67_6277_6c73];

impl Unseen {
    /// The rules that are broken with this character: by what came before it and has not come to
    /// its end, and by itself.
    #[inline]
    pub(crate) fn next(&mut self, character: char) -> impl Iterator<Item = Rule> + use<> {
        let (before, own) = match (class(character), self.open) {
            (Class::Plain, Open::Nothing) => {
                self.last = character;
                (None, None)
            }
            (class, _) => self.judge(character, class),
        };
        before.into_iter().chain(own)
    }

    /// As many characters of printable ASCII.
    #[inline]
    pub(crate) fn plain(&mut self, run: &[u8]) -> Option<Rule> {
        self.last = char::from(*run.last()?);
        self.end()
    }

    /// What has begun goes on no further: the text is at its end.
    #[inline]
    pub(crate) fn end(&mut self) -> Option<Rule> {
        if matches!(self.open, Open::Nothing) {
            return None;
        }
        self.open = Open::Nothing;
        Some(Rule::ZeroWidth)
    }

    #[cold]
    fn judge(&mut self, character: char, class: Class) -> (Option<Rule>, Option<Rule>) {
        let (last, open) = (mem::replace(&mut self.last, character), mem::take(&mut self.open));
        let goes_on = match (open, character) {
            (Open::Nothing, _) | (Open::Keycap, '\u{20e3}') => true,
            (Open::Joined, _) => is_emoji(character),
            (Open::Flag(country), '\u{e007f}') if COUNTRIES.contains(&country) => {
                return (None, None);
            }
            (Open::Flag(country), '\u{e0061}'..='\u{e007a}') => {
                self.open = Open::Flag(country << 8 | letter(character));
                return (None, None);
            }
            _ => false,
        };
        let own = class.rule().filter(|rule| *rule != Rule::ZeroWidth || !self.joins(last));
        if own.is_some() {
            self.last = '\0';
        }
        ((!goes_on).then_some(Rule::ZeroWidth), own)
    }

    /// Whether the last character, which is not seen, belongs to the one before it.
    fn joins(&mut self, before: char) -> bool {
        match self.last {
            '\u{200c}' => is_joined(before),
            '\u{200d}' if is_emoji(before) || before == EMOJI_STYLE => {
                self.open = Open::Joined;
                true
            }
            '\u{200d}' => is_joined(before),
            EMOJI_STYLE if matches!(before, '0'..='9' | '#' | '*') => {
                self.open = Open::Keycap;
                true
            }
            '\u{fe0e}' | EMOJI_STYLE => is_emoji(before),
            '\u{fe00}'..='\u{fe0d}' | '\u{e0100}'..='\u{e01ef}' => is_ideograph(before),
            '\u{180b}'..='\u{180f}' => is_mongolian(before),
            '\u{e0061}'..='\u{e007a}' if before == BLACK_FLAG => {
                self.open = Open::Flag(letter(self.last));
                true
            }
            _ => false,
        }
    }
}

/// What a tag stands for.
fn letter(tag: char) -> u64 {
    u64::from(u32::from(tag) & 0x7f)
}

/// The characters beyond ASCII whose property `Emoji` is yes (Unicode 16, `emoji-data.txt`), and
/// their neighbours, which are symbols too.
const fn is_emoji(character: char) -> bool {
    matches!(character, '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}'
        | '\u{2194}'..='\u{21aa}' | '\u{231a}'..='\u{23fa}' | '\u{24c2}' | '\u{25aa}'..='\u{27bf}'
        | '\u{2934}' | '\u{2935}' | '\u{2b05}'..='\u{2b55}' | '\u{3030}' | '\u{303d}' | '\u{3297}'
        | '\u{3299}' | '\u{1f004}'..='\u{1faff}')
}

/// The scripts in which a joiner makes a difference, block by block: those that are written
/// joined, as Arabic is, and those of India and their kin.
const fn is_joined(character: char) -> bool {
    matches!(character, '\u{600}'..='\u{dff}' | '\u{f00}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{1a20}'..='\u{1cff}' | '\u{a840}'..='\u{aaff}' | '\u{abc0}'..='\u{abff}'
        | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10a00}'..='\u{11fff}'
        | '\u{1e900}'..='\u{1e95f}')
        || is_mongolian(character)
}

const fn is_mongolian(character: char) -> bool {
    matches!(character, '\u{1820}'..='\u{18aa}')
}

const fn is_ideograph(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where in a text, counted in characters, rules are broken.
    fn broken(text: &str) -> Vec<(usize, Rule)> {
        let mut unseen = Unseen::default();
        let mut all = Vec::new();
        for (at, character) in text.chars().enumerate() {
            all.extend(unseen.next(character).map(|rule| (at, rule)));
        }
        all.extend(unseen.end().map(|rule| (text.chars().count(), rule)));
        all
    }

    #[test]
    fn what_is_not_looked_up_would_be_found_to_be_plain() {
        for character in '\0'..=char::MAX {
            assert_eq!(class(character), looked_up(character), "{character:?}");
        }
    }

    #[test]
    fn what_belongs_to_a_text_passes() {
        for text in [
            "❤\u{fe0f}",
            "☎\u{fe0e}",
            "©\u{fe0f} ™\u{fe0f} ‼\u{fe0f} ㊗\u{fe0f} 〰\u{fe0f} ⬛\u{fe0f}",
            "1\u{fe0f}\u{20e3}#\u{fe0f}\u{20e3}*\u{fe0f}\u{20e3}",
            // A family, a flag, a couple with a selector, a skin tone, a gender.
            "👨\u{200d}👩\u{200d}👧\u{200d}👦",
            "🏳\u{fe0f}\u{200d}🌈 🏴\u{200d}☠\u{fe0f}",
            "👩\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨",
            "👩🏽\u{200d}🚀 🧑🏿\u{200d}🤝\u{200d}🧑🏻",
            "🏃🏻\u{200d}♀\u{fe0f}\u{200d}➡\u{fe0f} 🙂\u{200d}↔\u{fe0f} ⛓\u{fe0f}\u{200d}💥",
            // England, Scotland and Wales.
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "🏴\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}!",
            // "I want", "books" in Persian.
            "می\u{200c}خواهم کتاب\u{200c}ها",
            // Hindi, Bengali, Malayalam (a joiner at the end of a word), Sinhala.
            "क्\u{200d}ष क्\u{200c}ष",
            "র\u{200d}্য",
            "അവന്\u{200d} പറഞ്ഞു",
            "ශ්\u{200d}රී",
            // Names in Japanese, and Mongolian.
            "葛\u{e0100}城 辻\u{e0101}",
            "ᠮᠣᠩᠭᠣᠯ\u{180e}ᠠ ᠨ\u{180b}",
        ] {
            assert_eq!(broken(text), [], "{text}");
        }
    }

    #[test]
    fn what_is_hidden_in_a_text_is_found() {
        for (text, at) in [
            ("a\u{200d}b", 1),
            ("ad\u{200c}min", 2),
            ("a\u{fe0f}", 1),
            ("\u{fe0f}", 0),
            ("\u{200d}👩", 0),
            // Nothing is joined.
            ("👩\u{200d}", 2),
            ("👩\u{200d}a", 2),
            ("👩\u{200d}\u{fe0f}", 2),
            ("👩\u{200c}👩", 1),
            ("☎\u{fe0e}\u{200d}👩", 2),
            // No keycap.
            ("1\u{fe0f}", 2),
            ("1\u{fe0f}2", 2),
            // More than one.
            ("❤\u{fe0f}\u{fe0f}", 2),
            ("❤\u{fe0f}\u{fe0e}", 2),
            ("😀\u{e0100}\u{e0101}", 1),
            ("葛\u{e0100}\u{e0101}", 2),
            ("م\u{200c}\u{200c}خ", 2),
            ("م\u{200c}\u{200d}خ", 2),
            ("ᠨ\u{180b}\u{180b}", 2),
            ("م\u{61c}\u{200c}", 2),
            // Another flag than those, one without its end, and what is written in tags.
            ("🏴\u{e0075}\u{e0073}\u{e0063}\u{e0061}\u{e007f}", 5),
            ("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}", 6),
            ("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}a", 6),
            ("😀\u{e0067}", 1),
            ("🏴\u{e007f}", 1),
            // What is never part of anything.
            ("ad\u{200b}min", 2),
            ("\u{feff}a", 0),
            ("a\u{ad}b", 1),
        ] {
            let found = broken(text);
            let found = found.iter().find(|(_, rule)| *rule == Rule::ZeroWidth);
            assert_eq!(found, Some(&(at, Rule::ZeroWidth)), "{}", text.escape_unicode());
        }
    }

    #[test]
    fn a_country_of_any_length_is_not_taken_for_a_shorter_one() {
        for before in 1..20 {
            let tags = "\u{e0061}".repeat(before) + "\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}";
            assert_eq!(broken(&format!("🏴{tags}\u{e007f}")).len(), 2, "{before}");
        }
    }

    #[test]
    fn what_breaks_off_hides_nothing_of_what_comes_instead() {
        assert_eq!(broken("👩\u{200d}\0"), [(2, Rule::ZeroWidth), (2, Rule::Nul)]);
        assert_eq!(broken("👩\u{200d}\u{202e}"), [(2, Rule::ZeroWidth), (2, Rule::Bidi)]);
    }
}
