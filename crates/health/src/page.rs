//! The details as a page: no script, and nothing inline.

use std::fmt::Write;

use buttress_core::value::Value;

use crate::{
    details::{rows, system},
    registry::Health,
};

/// Nothing but our own stylesheet and the empty icon. A stricter or a usual policy that another
/// layer puts in its place (`style-src 'self'`) fits the page as well.
pub(crate) const CSP: &str = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) const STYLE: &str = "\
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.4rem .8rem;border-bottom:1px solid #8884;vertical-align:top}
.healthy{color:#0a7d33}.degraded{color:#a86400}.unavailable,.unhealthy{color:#c5221f}
small{opacity:.7}
";

/// Seconds after which a browser asks again.
const REFRESH: u32 = 5;

pub(crate) fn html(health: &Health, own_name: &str) -> String {
    let overall = health.overall().name();
    let mut out = String::with_capacity(4_096);
    // Writing into a `String` cannot fail.
    let _ = write!(
        out,
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"refresh\" content=\"{REFRESH}\"><title>{overall}</title>\
         <link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"{}.css\"></head>\
         <body><h1 class=\"{overall}\">{overall}</h1><p>",
        Escaped(own_name)
    );
    for (name, value) in system(health) {
        if value != Value::Null {
            let _ = write!(out, "<small>{name}</small> {} ", Escaped(&plain(&value)));
        }
    }
    out.push_str(
        "</p><table><thead><tr><th>Check</th><th>Status</th><th>Took</th><th>Last check</th>\
         <th>Last failure</th><th>In a row</th><th>Data</th></tr></thead><tbody>",
    );
    for row in rows(health) {
        let _ = write!(
            out,
            "<tr><td>{} <small>{}</small></td><td class=\"{}\">{} <small>{}</small></td>\
             <td>{:.1} ms</td><td>{}</td><td>{}</td><td>{}</td><td>",
            Escaped(&row.name),
            if row.critical { "critical" } else { "optional" },
            row.status,
            row.status,
            Escaped(row.reason.unwrap_or_default()),
            row.took_ms,
            row.last_check.as_deref().unwrap_or("never"),
            row.last_failure.as_deref().unwrap_or("never"),
            row.consecutive_failures,
        );
        for (name, value) in &row.data {
            let _ = write!(out, "<small>{}</small> {} ", Escaped(name), Escaped(&plain(value)));
        }
        out.push_str("</td></tr>");
    }
    out.push_str("</tbody></table></body></html>");
    out
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone().into_owned(),
        value => value.to_json(),
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
