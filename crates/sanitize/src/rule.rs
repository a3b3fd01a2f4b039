//! What is judged, and what is done about it.

use std::fmt;

use http::StatusCode;

/// What happens where a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// The request is refused.
    Reject,
    /// The member is left out and the rest passes: only for rules about a JSON member
    /// ([`Rule::can_strip`]).
    Strip,
    /// The request passes; the first place of each rule is kept for the log.
    Report,
    /// Nothing is looked at.
    Off,
}

/// One thing that is judged.
///
/// ```
/// use buttress_sanitize::Rule;
///
/// assert_eq!(Rule::PrototypeKey.name(), "prototype_key");
/// assert_eq!(Rule::BodySize.status(), 413);
/// assert!(Rule::PrototypeKey.can_strip() && !Rule::Syntax.is_adjustable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// No text of RFC 8259, or no header value of its grammar.
    Syntax,
    /// No UTF-8 (RFC 3629): overlong, beyond U+10FFFF, a surrogate, cut short.
    Encoding,
    /// A byte order mark before a JSON text: senders must not add one (RFC 8259 §8.1).
    ByteOrderMark,
    /// An escape that is half of a surrogate pair (RFC 8259 §8.2).
    LoneSurrogate,
    /// A `%` without two hexadecimal digits (RFC 3986 §2.1).
    PercentEncoding,

    /// `__proto__`, or `prototype` in a `constructor`: what pollutes a JavaScript object.
    PrototypeKey,
    /// The same key twice in one object, however it is written. Parsers disagree on which counts.
    DuplicateKey,
    /// A key that begins with `$` or has a `.`: an operator or a path of a document database.
    OperatorKey,
    /// U+0000, which cuts text short in C and is refused by Postgres.
    Nul,
    /// A control character other than tab, line feed and carriage return, and in a path or a
    /// parameter's name these too; also U+2028 and U+2029.
    Control,
    /// A character that turns the direction of the text around it (Unicode TR 36 §3).
    Bidi,
    /// A character that is not seen, where it has no part in what is: two texts that look alike
    /// are not. Emoji, Persian and the scripts of India, ideographs and Mongolian need some of
    /// them (UTS #51, UAX #31 §2.3.1, UTS #37), and there they pass.
    ZeroWidth,

    /// A parameter that is there twice: `a`, `a[]`, `a[0]` and `a%5B0%5D` are one.
    RepeatedParameter,
    /// A parameter's name whose brackets do not match, on which parsers disagree.
    ParameterName,
    /// A path or a parameter's name that is still percent-encoded after it was decoded.
    DoubleEncoding,
    /// A parameter's value that is still percent-encoded after it was decoded.
    EncodedValue,
    /// A path with a `.` or `..` segment, in whatever notation.
    Traversal,
    /// A path with an encoded `/`, which servers take for one or not.
    EncodedSlash,
    /// A path with a `\`, which some take for a `/`.
    Backslash,

    /// More bytes than a body may have.
    BodySize,
    /// More time than a body may keep its reader waiting.
    BodyTime,
    /// Arrays and objects deeper in each other than is allowed.
    Depth,
    /// More keys in all objects together than are allowed.
    Keys,
    /// More keys in one object than are allowed.
    ObjectKeys,
    /// More items in one array than are allowed.
    ArrayItems,
    /// A text longer than is allowed.
    StringLength,
    /// A key, or a parameter's name, longer than is allowed.
    KeyLength,
    /// A number with more characters than are allowed.
    NumberLength,
    /// A longer query than is allowed.
    QueryLength,
    /// More parameters than are allowed.
    Parameters,
    /// A parameter's name with more brackets than are allowed.
    ParameterDepth,
    /// A longer path than is allowed.
    PathLength,

    /// A content type that is none, or not the one that is asked for.
    ContentType,
    /// JSON, or a form, in another encoding than UTF-8.
    Charset,
    /// A content encoding that nobody has decoded.
    ContentEncoding,
}

/// How many rules there are.
pub(crate) const RULES: usize = Rule::ContentEncoding as usize + 1;

/// Every rule, in the order of their numbers.
pub(crate) const ALL: [Rule; RULES] = [
    Rule::Syntax,
    Rule::Encoding,
    Rule::ByteOrderMark,
    Rule::LoneSurrogate,
    Rule::PercentEncoding,
    Rule::PrototypeKey,
    Rule::DuplicateKey,
    Rule::OperatorKey,
    Rule::Nul,
    Rule::Control,
    Rule::Bidi,
    Rule::ZeroWidth,
    Rule::RepeatedParameter,
    Rule::ParameterName,
    Rule::DoubleEncoding,
    Rule::EncodedValue,
    Rule::Traversal,
    Rule::EncodedSlash,
    Rule::Backslash,
    Rule::BodySize,
    Rule::BodyTime,
    Rule::Depth,
    Rule::Keys,
    Rule::ObjectKeys,
    Rule::ArrayItems,
    Rule::StringLength,
    Rule::KeyLength,
    Rule::NumberLength,
    Rule::QueryLength,
    Rule::Parameters,
    Rule::ParameterDepth,
    Rule::PathLength,
    Rule::ContentType,
    Rule::Charset,
    Rule::ContentEncoding,
];

impl Rule {
    /// Its name for logs, metrics and problem documents; it does not change.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Encoding => "encoding",
            Self::ByteOrderMark => "byte_order_mark",
            Self::LoneSurrogate => "lone_surrogate",
            Self::PercentEncoding => "percent_encoding",
            Self::PrototypeKey => "prototype_key",
            Self::DuplicateKey => "duplicate_key",
            Self::OperatorKey => "operator_key",
            Self::Nul => "nul",
            Self::Control => "control",
            Self::Bidi => "bidi",
            Self::ZeroWidth => "zero_width",
            Self::RepeatedParameter => "repeated_parameter",
            Self::ParameterName => "parameter_name",
            Self::DoubleEncoding => "double_encoding",
            Self::EncodedValue => "encoded_value",
            Self::Traversal => "traversal",
            Self::EncodedSlash => "encoded_slash",
            Self::Backslash => "backslash",
            Self::BodySize => "body_size",
            Self::BodyTime => "body_time",
            Self::Depth => "depth",
            Self::Keys => "keys",
            Self::ObjectKeys => "object_keys",
            Self::ArrayItems => "array_items",
            Self::StringLength => "string_length",
            Self::KeyLength => "key_length",
            Self::NumberLength => "number_length",
            Self::QueryLength => "query_length",
            Self::Parameters => "parameters",
            Self::ParameterDepth => "parameter_depth",
            Self::PathLength => "path_length",
            Self::ContentType => "content_type",
            Self::Charset => "charset",
            Self::ContentEncoding => "content_encoding",
        }
    }

    /// What a client is told. It names no value.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Syntax => "not well-formed",
            Self::Encoding => "not valid UTF-8",
            Self::ByteOrderMark => "begins with a byte order mark",
            Self::LoneSurrogate => "has half of a surrogate pair",
            Self::PercentEncoding => "has a % without two hexadecimal digits",
            Self::PrototypeKey => "names an object's prototype",
            Self::DuplicateKey => "the key is there twice",
            Self::OperatorKey => "the key begins with $ or has a dot",
            Self::Nul => "has the character U+0000",
            Self::Control => "has a control character",
            Self::Bidi => "has a character that changes the direction of text",
            Self::ZeroWidth => "has a character without a width",
            Self::RepeatedParameter => "the parameter is there twice",
            Self::ParameterName => "the brackets of the parameter's name do not match",
            Self::DoubleEncoding | Self::EncodedValue => "is encoded twice",
            Self::Traversal => "the path has a dot segment",
            Self::EncodedSlash => "the path has an encoded slash",
            Self::Backslash => "the path has a backslash",
            Self::BodySize => "the body is too large",
            Self::BodyTime => "the body took too long",
            Self::Depth => "too deep",
            Self::Keys => "too many keys in all",
            Self::ObjectKeys => "too many keys in one object",
            Self::ArrayItems => "too many items in one array",
            Self::StringLength => "the text is too long",
            Self::KeyLength => "the key is too long",
            Self::NumberLength => "the number has too many characters",
            Self::QueryLength => "the query is too long",
            Self::Parameters => "too many parameters",
            Self::ParameterDepth => "the parameter's name is too deep",
            Self::PathLength => "the path is too long",
            Self::ContentType => "the content type is not supported",
            Self::Charset => "the text is not declared as UTF-8",
            Self::ContentEncoding => "the content encoding is not supported",
        }
    }

    /// The status of a refusal: 408, 413, 414 or 415 where there is one, else 400.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BodySize => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTime => StatusCode::REQUEST_TIMEOUT,
            Self::QueryLength | Self::PathLength => StatusCode::URI_TOO_LONG,
            Self::ContentType | Self::Charset | Self::ContentEncoding => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether its action can be chosen. The others always refuse: a limit has a number instead,
    /// and what is not well-formed cannot be judged further.
    #[must_use]
    pub const fn is_adjustable(self) -> bool {
        matches!(
            self,
            Self::PrototypeKey
                | Self::DuplicateKey
                | Self::OperatorKey
                | Self::Nul
                | Self::Control
                | Self::Bidi
                | Self::ZeroWidth
                | Self::RepeatedParameter
                | Self::ParameterName
                | Self::DoubleEncoding
                | Self::EncodedValue
                | Self::Traversal
                | Self::EncodedSlash
                | Self::Backslash
        )
    }

    /// Whether it is about a JSON member that can be left out.
    #[must_use]
    pub const fn can_strip(self) -> bool {
        matches!(self, Self::PrototypeKey | Self::DuplicateKey | Self::OperatorKey)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
