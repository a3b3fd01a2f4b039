#![doc = include_str!("../README.md")]

pub mod engine;
pub mod targets;

/// One thing that reads what the outside sent, with the laws that must hold for any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of the function, of the folder in `corpus/` and of the binary in `libfuzzer/`.
    pub name: &'static str,
    /// Panics when a law is broken.
    pub run: fn(&[u8]),
    /// Pieces of the format that random bytes would take long to find.
    pub dictionary: &'static [&'static str],
}

/// All there are.
#[rustfmt::skip] // It would give each word of the dictionaries a line.
pub const TARGETS: &[Target] = &[
    Target {
        name: "client_ip",
        run: targets::client_ip,
        dictionary: &[
            ",", ", ", ";", "\"", "\\", "\\\"", "=", "for=", "For=", ";for=", "for=\"", "\n", "[", "]",
            "]:", ":", "::", "::ffff:", "64:ff9b::", "10.0.0.2", "10.0.0.2, ", "198.51.100.7",
            "[2001:db8:ffff::1]", ":80", ":_x", "_x", "unknown", "%eth0", "proto=", "host=\"", "\t",
        ],
    },
    Target {
        name: "cidr",
        run: targets::cidr,
        dictionary: &[
            "/", "/0", "/8", "/32", "/33", "/96", "/128", "/129", "/-1", "/+8", "/08", ".", ":",
            "::", "::ffff:", "64:ff9b::", "10.0.0.0", "255.255.255.255", "2001:db8::", " ", "%1",
        ],
    },
    Target {
        name: "grpc_message",
        run: targets::grpc_message,
        dictionary: &["%", "%%", "%41", "%0", " ", "~", "\r\n", "\0", "\x7f", "\u{e9}", "\u{1f600}"],
    },
    Target {
        name: "trace_context",
        run: targets::trace_context,
        dictionary: &[
            "-", "00-", "01-", "ff-", "-01", "-03", "-ff", "-01-", "00000000000000000000000000000000",
            "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "A", "\n", "\n\n", ",", ", ", " \t", "=",
            "rojo=1", "rojo=1,", ",rojo=2", "congo=t61rcWkgMzE", "0@a=1", "@", "_-*/", "b=", " =",
            "a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1,q=1,r=1,s=1,t=1,u=1,v=1",
        ],
    },
    Target {
        name: "redact",
        run: targets::redact,
        dictionary: &[
            "&", "=", "%", "+", "%26", "%3D", "%74oken", ".", "-", "_", "author", "token_count",
            "Bearer ", "Basic ", "eyJ", "eyJhbGciOiJIUzI1NiJ9.", "AKIA", "AKIAIOSFODNN7EXAMPLE",
            "-----BEGIN PRIVATE KEY-----", "-----END ", "://", ":", "@", "[::1]", "/", "?", "#",
            "4111111111111111", "4111 1111 1111 1111", "3782-822463-10005", "\n", "\"", "\u{e9}",
        ],
    },
    Target {
        name: "log",
        run: targets::log,
        dictionary: &[
            "\n", "\r\n", "\u{1b}[31m", "\0", "\"", "\\", "{", "}", "\",\"level\":\"ERROR\"", "\u{2028}",
            "\u{202e}", "\u{9b}", "level", "x_level", "message", "timestamp", "request_id", "spans", "truncated",
            "httpRequest", "password", "user", "credentials", "Bearer ", "://", ":", "@", "eyJ", "beside",
        ],
    },
    Target {
        name: "limit",
        run: targets::limit,
        dictionary: &[
            "/", "\n", "ms", "s", "m", "h", "d", "/s", "/1s", "/15m", "/2h", "/366d", "/367d", "0", "00", "1",
            "100", "10", " ", "\t", "-1", "+1", "1.5", "1e9", "4294967296", "4294967297", "999999999999999",
            "1000000000000000", "18446744073709551615", "18446744073709551616", "x", "\u{661}", "\x11\x11\x11",
        ],
    },
    Target {
        name: "retry_after",
        run: targets::retry_after,
        dictionary: &[
            "0", "120", "-1", "+1", "1.5", " ", "\t", "\n", "18446744073709551615", "18446744073709551616",
            "Sat, 21 Nov 2026 12:00:00 GMT", "Saturday, 21-Nov-26 12:00:00 GMT", "Sat Nov 21 12:00:00 2026",
            "Sat, ", "Nov", "Feb", "29", "-76 ", "-69 ", " 9999 ", " 1970 ", "23:59:60", "24:00:00", " GMT", " UTC",
        ],
    },
    Target {
        name: "grpc_timeout",
        run: targets::grpc_timeout,
        dictionary: &[
            "H", "M", "S", "m", "u", "n", "0", "1", "99999999", "100000000", "00000000", "-", "+", " ", ".", "e",
            "s", "ms", "\u{b5}", "\u{661}", "18446744073709551615", "18446744073709551616",
        ],
    },
    Target {
        name: "probes",
        run: targets::probes,
        dictionary: &[
            "GET\n", "HEAD\n", "POST\n", "/ping", "/live", "/startupz", "/ready", "/healthz", "/status", "/status.css",
            "?", "#", "//", "%2f", "Bearer ", "bearer ", "Basic ", "3vGf0gXkXq8mJw2b", "OjN2R2YwZ1hrWHE4bUp3MmI=", "\n",
            "application/health+json", "application/json", "text/plain", "text/html", "*/*", "text/*", ";q=0", ";q=0.5", ",",
        ],
    },
    Target {
        name: "seal_parse",
        run: targets::seal_parse,
        dictionary: &[
            "sealed.v1.", "sealed.v2.", "sealed.v", "sealkey.v1.", ".", "..", "k1", "k2", "=", "==", "A", "AQ",
            "AAAA", "-", "_", "+", "/", " ", "\n", "\u{e9}", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", "B", "gA",
        ],
    },
    Target {
        name: "seal_open",
        run: targets::seal_open,
        dictionary: &[
            "sealed.v1.", "sealed.v2.", ".k1.", ".k2.", "AQ", "EQ", "AQAB", "=", "SLD", "SLD\x01\x01\x02k1",
            "SLD\x01\x11\x02k1", "\x02k2", "\x01", "\0", "hunter2",
        ],
    },
    Target {
        name: "seal_stream",
        run: targets::seal_stream,
        dictionary: &[
            "SLD", "SLD\x01\x01\x02k1", "\x01", "\x02k2", "\0", "\0@Q\0", "\x02\0A\0", "\x03\0A\0", "\x02@Q\0",
            "\x03@Q\0", "\x04 \0\x01", "\x01\0\0\0",
        ],
    },
    Target {
        name: "sql",
        run: targets::sql,
        dictionary: &[
            "\0", "'", "''", "\\'", "\\", "\\\\", "\"", "\"\"", "$", "$$", "$a$", "$1", "$\u{a0}$", "--", "\n", "\r", "/*", "*/",
            "/*/", "E'", "e'", "u&'", "U&\"", "N'", "b'", "x'", "0x", "1e-", "1e+", "1_0", ".", "..", ".5", ";", " ", "\u{b}",
            "\u{e9}", "\u{2003}", "\u{2026}", "' '", "'\n'", "SELECT ", "a$b$",
        ],
    },
    Target {
        name: "config",
        run: targets::config,
        dictionary: &[
            "\n", "\r\n", "=", "#", " #", "\"", "'", "\\", "\\n", "export ", "$", "\u{feff}", "BIND=", "TIMEOUT=",
            "TIMEOUT_MS=", "BODY=", "LIMIT=", "MANY=", "URL=", "ORIGINS=", "SECRET=", "SECRT=",
            "APP_ENV=", "production", "kJ8vX2mQ9zT4wL7p", "://", "postgres://", "user:pass@", "@", ":", "/", "?token=",
            "[::1]", ":5432", "1h30m", "ms", "us", "d", "KiB", "MB", "M", "100/15m", ",", ",,", "\u{1b}[2J", "\u{85}",
        ],
    },
    Target {
        name: "sanitize_json",
        run: targets::sanitize_json,
        dictionary: &[
            "{", "}", "[", "]", ":", ",", "\"", "\"a\"", "\"a\":1", "\"\\u0061\":", "\"__proto__\":", "\\u005f", "\"$a\":",
            "\"a.b\":", "\"constructor\":{", "\"prototype\":", "\\", "\\\"", "\\ud83d", "\\ude00", "\\u0000", "\\n", "true", "false",
            "null", "0", "-", "-0", "1.5", "e+10", "E", ".", "1e999", " ", "\n", "\t", "\u{feff}", "\u{e9}", "\u{1f600}", "\u{202e}", "/",
        ],
    },
    Target {
        name: "sanitize_form",
        run: targets::sanitize_form,
        dictionary: &[
            "&", "=", "+", "%", "%26", "%3D", "%61", "%5B", "%5D", "[", "]", "[]", "[0]", "[b]", "a", "a=1", "%00", "%25",
            "%C3%BC", "%E2%80", "%ff", "__proto__", "constructor", "prototype", "[__proto__]", ".", "$", "\u{fc}",
        ],
    },
    Target {
        name: "sanitize_params",
        run: targets::sanitize_params,
        dictionary: &[
            "&", "=", "n=", "i=", "f=", "b=", "d=", "t=", "e=", "l=", "c=", "l[]=", "c[0]=", "%6e=", "+", "-", "%2B", "%2D", "%30",
            "0", "01", "255", "256", "-0", "-1", "1.5", "1e5", "1e999", "-1e-999", "NaN", "inf", "true", "false", "True", "one",
            "two", "9223372036854775808", "%00", "%20", "\u{ff11}", "%D9%A1",
        ],
    },
    Target {
        name: "sanitize_path",
        run: targets::sanitize_path,
        dictionary: &[
            "/", ".", "..", "/../", "%2e", "%2E", "%2f", "%5c", "\\", "%25", "%252e", "%00", ";", "..;/", "%", "%c0%ae",
            "%EF%BC%8E", "\u{ff0e}", "\u{ff0f}", "\u{2025}", "a",
        ],
    },
    Target {
        name: "content_type",
        run: targets::content_type,
        dictionary: &[
            "application/json", "application/", "+json", "text/plain", "multipart/form-data", ";", "; ", "charset=", "utf-8",
            "UTF-8", "utf-16", "boundary=", "\"", "\\", "\\\"", "=", " ", "\t", ",", "/", "a=1", "\u{e9}", "\0", "\n",
        ],
    },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
