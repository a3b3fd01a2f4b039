//! The details as a page: no script, and nothing inline.

use std::fmt::Write;

use buttress_core::value::Value;

use crate::details::{Row, View};

/// Nothing but our own stylesheet and the empty icon. A stricter or a usual policy that another
/// layer puts in its place (`style-src 'self'`) fits the page as well.
pub(crate) const CSP: &str = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) const STYLE: &str = "\
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--text:#1b1f24;--soft:#5c6570;--line:#e3e6ea;\
--good:#0b7a3b;--warn:#9a5b00;--bad:#c2281d}
@media(prefers-color-scheme:dark){:root{--page:#101317;--card:#181c22;--text:#e6e9ed;--soft:#98a2ad;\
--line:#2a3038;--good:#4cc27f;--warn:#e5a13d;--bad:#ff7b70}}
*{box-sizing:border-box}
body{margin:0;padding:2.5rem 1.25rem;background:var(--page);color:var(--text);\
font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif;font-variant-numeric:tabular-nums}
main{max-width:72rem;margin:0 auto}
header,section{background:var(--card);border:1px solid var(--line);border-radius:12px}
header{padding:1.25rem 1.5rem;margin-bottom:1.25rem;border-left:6px solid currentColor}
header dl,h1{color:var(--text)}
h1{margin:0 0 .75rem;font-size:1.6rem;line-height:1.2;font-weight:650}
h1::first-letter{text-transform:uppercase}
h2{margin:0;padding:1rem 1.5rem .25rem;font-size:1rem;font-weight:650}
section{margin-bottom:1.25rem;overflow-x:auto}
dl{display:flex;flex-wrap:wrap;gap:.5rem 2rem;margin:0}
dt{color:var(--soft);font-size:.8rem}
dd{margin:0;font-weight:550;overflow-wrap:anywhere}
td dl{gap:.15rem 1rem}td dl div{display:flex;gap:.35rem;align-items:baseline}td dd{font-weight:400}
table{border-collapse:collapse;width:100%}
th{color:var(--soft);font-size:.8rem;font-weight:550;white-space:nowrap}
th,td{text-align:left;padding:.6rem .75rem;vertical-align:top;border-bottom:1px solid var(--line)}
tr>:first-child{padding-left:1.5rem}tr>:last-child{padding-right:1.5rem}
tbody tr:last-child td{border-bottom:0}
th:first-child,td:first-child{min-width:11rem}th:last-child{min-width:14rem}
td.n{white-space:nowrap}td b{font-weight:600;overflow-wrap:anywhere}
section.beats table{width:auto}
small{display:block;color:var(--soft);font-size:.8rem}
.s{white-space:nowrap;font-weight:600}.s::before{content:'';display:inline-block;width:.55rem;height:.55rem;\
margin-right:.5rem;border-radius:50%;background:currentColor}
.s small{font-weight:400;padding-left:1.05rem}
.healthy,.alive{color:var(--good)}.degraded{color:var(--warn)}
.unavailable,.unhealthy,.silent{color:var(--bad)}
@media(max-width:48rem){body{padding:1rem .75rem}table,tbody,tr,td{display:block}thead{display:none}\
tbody tr{padding:.75rem 1.5rem;border-bottom:1px solid var(--line)}tbody tr:last-child{border-bottom:0}\
td,tr>:first-child,tr>:last-child{padding:.1rem 0;border:0}td:empty,td:has(dl:empty){display:none}\
td[data-label]::before{content:attr(data-label) ' ';color:var(--soft);font-size:.8rem}\
td.n small{display:inline}.s::before{margin-right:.4rem}}
footer{color:var(--soft);font-size:.8rem;padding:0 .25rem}
";

/// Seconds after which a browser asks again.
const REFRESH: u32 = 5;

pub(crate) fn html(view: &View, own_name: &str) -> String {
    let overall = view.overall.name();
    let mut out = String::with_capacity(8_192);
    // Writing into a `String` cannot fail. The leading `./` keeps a name with a colon a path.
    let _ = write!(
        out,
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"refresh\" content=\"{REFRESH}\"><title>{overall}</title>\
         <link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"./{}.css\"></head>\
         <body><main><header class=\"{overall}\"><h1>{overall}</h1><dl>",
        Escaped(own_name)
    );
    let yes = |is| Value::from(if is { "yes" } else { "no" });
    let probes =
        [("ready", yes(view.ready)), ("live", yes(view.live)), ("started", yes(view.started))];
    for (name, value) in probes.iter().chain(&view.system) {
        match value {
            Value::Unsigned(seconds) if *name == "uptimeSeconds" => {
                pair(&mut out, "uptime", &length(*seconds).into());
            }
            Value::Unsigned(number) => pair(&mut out, name, &number.to_string().into()),
            value => pair(&mut out, name, value),
        }
    }
    out.push_str("</dl></header>");
    checks(&mut out, &view.rows);
    heartbeats(&mut out, &view.heartbeats);
    let _ = write!(
        out,
        "<footer>Asks again every {REFRESH} seconds. Times are in UTC.</footer></main></body></html>"
    );
    out
}

fn checks(out: &mut String, rows: &[Row]) {
    out.push_str("<section><h2>Checks</h2>");
    if rows.is_empty() {
        out.push_str("<table><tbody><tr><td>There are none.</td></tr></tbody></table></section>");
        return;
    }
    out.push_str(
        "<table><thead><tr><th>Name</th><th>Status</th><th>Took</th><th>Last pass</th>\
         <th>Last failure</th><th>Failures in a row</th><th>Data</th></tr></thead><tbody>",
    );
    for row in rows {
        let status = row.status.name();
        // On a narrow screen each cell stands alone, and needs its column's name.
        let _ = write!(
            out,
            "<tr><td><b>{}</b><small>{}</small></td>\
             <td class=\"s {status}\">{status}<small>{}</small></td>\
             <td class=\"n\" data-label=\"took\">{:.2} ms</td>\
             <td class=\"n\" data-label=\"last pass\">{}</td>\
             <td class=\"n\" data-label=\"last failure\">{}</td>\
             <td data-label=\"failures in a row\">{}</td><td><dl>",
            Escaped(&row.name),
            if row.critical { "critical" } else { "optional" },
            Escaped(row.reason.unwrap_or_default()),
            row.took_ms,
            Time(row.last_success.as_deref()),
            Time(row.last_failure.as_deref()),
            row.consecutive_failures,
        );
        for (name, value) in &row.data {
            pair(out, name, value);
        }
        out.push_str("</dl></td></tr>");
    }
    out.push_str("</tbody></table></section>");
}

fn heartbeats(out: &mut String, heartbeats: &[(String, bool)]) {
    if heartbeats.is_empty() {
        return;
    }
    out.push_str("<section class=\"beats\"><h2>Heartbeats</h2><table><tbody>");
    for (name, is_silent) in heartbeats {
        let status = if *is_silent { "silent" } else { "alive" };
        let name = Escaped(name);
        let _ =
            write!(out, "<tr><td><b>{name}</b></td><td class=\"s {status}\">{status}</td></tr>");
    }
    out.push_str("</tbody></table></section>");
}

/// What is null is left out.
fn pair(out: &mut String, name: &str, value: &Value) {
    if *value != Value::Null {
        let (name, value) = (Escaped(name), plain(value));
        let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", Escaped(&value));
    }
}

/// `2026-11-21T08:00:00Z` as a time above its day.
struct Time<'a>(Option<&'a str>);

impl std::fmt::Display for Time<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.and_then(|date| date.trim_end_matches('Z').split_once('T')) {
            Some((day, time)) => write!(f, "{time} <small>{day}</small>"),
            None => f.write_str("never"),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone().into_owned(),
        // To read and not to reckon with.
        Value::Unsigned(number) => grouped(*number),
        Value::Float(number) if number.fract() != 0.0 => format!("{number:.3}"),
        value => value.to_json(),
    }
}

/// In threes, with narrow spaces between them: 1 078 804 480.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && digits.len() > 4 {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// The two largest units.
fn length(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// Text, in an element or a quoted attribute.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_easy_to_read() {
        for (number, expected) in [
            (0, "0"),
            (4_096, "4096"),
            (65_536, "65\u{202f}536"),
            (1_078_804_480, "1\u{202f}078\u{202f}804\u{202f}480"),
        ] {
            assert_eq!(grouped(number), expected);
        }
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3_600, "1 h 0 min"),
            (86_399, "23 h 59 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(length(seconds), expected);
        }
    }
}
