//! Statements as they are logged.

use buttress_pool::normalize;

use super::SECRET;

/// The most bytes of a normal form, with the `…` where it was cut.
const LONGEST: usize = 2_000 + '…'.len_utf8();

/// Normal forms of SQL. As it is, it is taken, bounded, and its normal form is one of its own. Cut
/// at each NUL, every piece is the text of a literal or comment, in the way that its first byte
/// chooses: then nothing of any of them is left, and everything between them is.
pub fn sql(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let normal = normalize(&text);
    assert!(normal.len() <= LONGEST, "{} bytes", normal.len());
    if !normal.ends_with('…') {
        assert_eq!(normalize(&normal), normal, "another normal form");
    }
    if text.contains(SECRET) {
        return;
    }
    let (mut sql, mut expected) = (String::from("a"), String::from("a"));
    for piece in data.split(|byte| *byte == 0) {
        let Some((choice, text)) = piece.split_first() else { continue };
        let text = format!("{SECRET}{}{SECRET}", String::from_utf8_lossy(text));
        let (literal, left) = hide(*choice, &text);
        sql.extend([" ", &literal, " a"]);
        expected.extend([left, " a"]);
    }
    let normal = normalize(&sql);
    assert!(!normal.contains(SECRET), "it is told: {normal}");
    if expected.len() <= 2_000 {
        assert_eq!(normal, expected, "of {sql}");
    }
}

/// A literal or comment of this text, and what is left of it.
fn hide(choice: u8, text: &str) -> (String, &'static str) {
    let doubled = text.replace('\'', "''");
    let escaped = text.replace('\\', r"\\").replace('\'', r"\'");
    let undollared = text.replace('$', " ");
    match choice % 12 {
        0 => (format!("'{doubled}'"), " ?"),
        1 => (format!("E'{escaped}'"), " ?"),
        2 => (format!("e'{}'", doubled.replace('\\', r"\\")), " ?"),
        3 => (format!("u&'{doubled}'"), " ?"),
        4 => (format!("N'x' \t\r\n '{doubled}'"), " ?"),
        5 => (format!("E'x' -- '\n--\n'{escaped}'"), " ?"),
        6 => (format!("$${undollared}$$"), " ?"),
        7 => (format!("$é_1${}$é_1$", text.replace('$', "$-")), " ?"),
        8 => (format!("/*{}*/", text.replace(['/', '*'], " ")), ""),
        9 => (format!("/* /*/*{}*/*/ '*/", text.replace(['/', '*'], " ")), ""),
        10 => (format!("--{}\n", text.replace(['\n', '\r'], " ")), ""),
        _ => (format!("0x{}", text.replace(|c: char| !c.is_ascii_alphanumeric(), "_")), " ?"),
    }
}
