//! The table: aligned on a terminal, plain in a pipe, Markdown in both.

use std::fmt;

/// Rows under a head.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
    aligned: bool,
}

impl Table {
    /// A table with this head; `aligned` is for eyes, and for a font of one width.
    pub fn new<'a>(head: impl IntoIterator<Item = &'a str>, aligned: bool) -> Self {
        Self { rows: vec![head.into_iter().map(str::to_owned).collect()], aligned }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            if self.aligned { cells.map(|cell| cell.chars().count()).max().unwrap_or(1) } else { 1 }
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, row) in self.rows.iter().enumerate() {
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(f, "| {cell:<width$} |")?,
                    _ => write!(f, " {cell:>width$} |")?,
                }
            }
            writeln!(f)?;
            if number == 0 {
                for (column, &width) in widths.iter().enumerate() {
                    match column {
                        0 => write!(f, "|{:-<1$}|", "", width + 2)?,
                        _ => write!(f, "{:-<1$}:|", "", width + 1)?,
                    }
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// A count with its thousands parted: `12,345`.
#[must_use]
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Table, thousands};

    #[test]
    fn a_table_is_markdown_whether_it_is_aligned_or_not() {
        let table = |aligned| {
            let mut table = Table::new(["case", "ns"], aligned);
            table.row(["request id".to_owned(), "7".to_owned()]);
            table.to_string()
        };
        assert_eq!(table(false), "| case | ns |\n|---|--:|\n| request id | 7 |\n");
        let aligned = "| case       | ns |\n|------------|---:|\n| request id |  7 |\n";
        assert_eq!(table(true), aligned);
    }

    #[test]
    fn thousands_are_parted() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(thousands(count), text);
        }
    }
}
