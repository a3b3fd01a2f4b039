//! What is sensitive unless something else is said. All of it is normalised already.

/// A key is sensitive if it is one of these.
pub(crate) const KEYS: &[&str] = &["otp", "otpcode", "pin", "pincode", "sid", "sig", "totp"];

/// A key is sensitive if one of these is in it.
pub(crate) const WORDS: &[&str] = &[
    "apikey",
    "auth",
    "bearer",
    "cardnumber",
    "cookie",
    "credential",
    "csrf",
    "cvc",
    "cvv",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "pwd",
    "secret",
    "session",
    "signature",
    "ssn",
    "token",
    "xsrf",
];

/// Keys that have one of the words in them and nothing to hide.
pub(crate) const ALLOWED: &[&str] = &[
    // auth
    "author",
    "authorid",
    "authority",
    "authorname",
    "authors",
    "coauthor",
    // secret
    "secretaries",
    "secretary",
    // signature
    "signaturealg",
    "signaturealgorithm",
    "signaturemethod",
    "signatures",
    "signatureversion",
    "xamzsignatureversion",
    // ssn, where no separator tells that it spans two words
    "businessname",
    "classname",
    "processname",
    // token: what language models are billed by
    "cachedtokens",
    "completiontokens",
    "inputtokens",
    "maxoutputtokens",
    "maxtokens",
    "outputtokens",
    "prompttokens",
    "reasoningtokens",
    "tokencount",
    "tokenizer",
    "totaltokens",
];

/// Headers whose values are printed: they describe the message and nobody in particular.
pub(crate) const HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "date",
    "etag",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "last-modified",
    "origin",
    "range",
    "retry-after",
    "server",
    "traceparent",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "x-correlation-id",
    "x-request-id",
];
