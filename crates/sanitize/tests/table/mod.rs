//! JSON texts, the verdict, and the rule that refuses.
//!
//! `OK` is a JSON text under `strict_json`; everything else names the rule. The section of RFC 8259
//! that decides stands over each group.

use buttress_sanitize::Rule;

const OK: Option<Rule> = None;
const SYNTAX: Option<Rule> = Some(Rule::Syntax);
const ENCODING: Option<Rule> = Some(Rule::Encoding);
const MARK: Option<Rule> = Some(Rule::ByteOrderMark);
const LONE: Option<Rule> = Some(Rule::LoneSurrogate);
const PROTO: Option<Rule> = Some(Rule::PrototypeKey);
const TWICE: Option<Rule> = Some(Rule::DuplicateKey);
const NUL: Option<Rule> = Some(Rule::Nul);
const DEPTH: Option<Rule> = Some(Rule::Depth);
const NUMBER: Option<Rule> = Some(Rule::NumberLength);

#[rustfmt::skip] // A document a line.
pub(crate) const TABLE: &[(&[u8], Option<Rule>)] = &[
    // §2: a text is one value with blanks around it; any kind of value.
    (b"null", OK), (b"true", OK), (b"false", OK), (b"0", OK), (b"\"\"", OK), (b"[]", OK), (b"{}", OK),
    (b" null", OK), (b"null ", OK), (b"\tnull\n", OK), (b"\r\n0\r\n", OK), (b"\n\n\n[]\n\n\n", OK),
    (b"", SYNTAX), (b" ", SYNTAX), (b"\n", SYNTAX), (b"\t\r\n ", SYNTAX),
    (b"null null", SYNTAX), (b"nullnull", SYNTAX), (b"1 2", SYNTAX), (b"[][]", SYNTAX), (b"[] []", SYNTAX),
    (b"{}{}", SYNTAX), (b"{} x", SYNTAX), (b"[],", SYNTAX), (b"[]]", SYNTAX), (b"{}}", SYNTAX),
    (b"\"a\" \"b\"", SYNTAX), (b"\"a\"b", SYNTAX), (b"[]#", SYNTAX), (b"[]\0", SYNTAX), (b"0\0", SYNTAX),
    (b"\0", SYNTAX), (b"\0null", SYNTAX), (b"null;", SYNTAX), (b"null,", SYNTAX), (b"1,", SYNTAX),
    // §2: only four characters are blanks.
    (b"\x0b0", SYNTAX), (b"\x0c0", SYNTAX), (b"\x080", SYNTAX), (b"\xa00", SYNTAX), (b"\xc2\xa00", SYNTAX),
    (b"\xe2\x80\xa80", SYNTAX), (b"\xe3\x80\x800", SYNTAX), (b"[\x0c]", SYNTAX), (b"[1\x0b]", SYNTAX),
    (b"{\x0c}", SYNTAX), (b"{\"a\"\x0b:1}", SYNTAX), (b"[\x1f]", SYNTAX), (b"[\x85]", SYNTAX),
    (b"[\x7f]", SYNTAX), (b"0 \xe2\x81\xa0", SYNTAX),
    // §2: the six structural characters, with blanks around each.
    (b" [ ] ", OK), (b" { } ", OK), (b"[ 1 , 2 ]", OK), (b"{ \"a\" : 1 , \"b\" : 2 }", OK),
    (b"[\n1\n,\n2\n]", OK), (b"{\r\"a\"\r:\r1\r}", OK), (b"[\t[\t]\t]", OK), (b"[\r\n]", OK),
    // §3: the three names, in lower case and whole.
    (b"True", SYNTAX), (b"TRUE", SYNTAX), (b"False", SYNTAX), (b"NULL", SYNTAX), (b"Null", SYNTAX),
    (b"nul", SYNTAX), (b"n", SYNTAX), (b"tru", SYNTAX), (b"fals", SYNTAX), (b"truth", SYNTAX), (b"nulls", SYNTAX),
    (b"nil", SYNTAX), (b"none", SYNTAX), (b"undefined", SYNTAX), (b"yes", SYNTAX), (b"[nul]", SYNTAX),
    (b"[tru,1]", SYNTAX), (b"[true false]", SYNTAX), (b"[truefalse]", SYNTAX), (b"trUe", SYNTAX),
    (b"NaN", SYNTAX), (b"nan", SYNTAX), (b"Infinity", SYNTAX), (b"-Infinity", SYNTAX), (b"inf", SYNTAX),
    (b"-inf", SYNTAX), (b"[NaN]", SYNTAX), (b"+Infinity", SYNTAX), (b"tr\0ue", SYNTAX), (b"t rue", SYNTAX),
    // §4: objects.
    (b"{\"a\":1}", OK), (b"{\"a\":{}}", OK), (b"{\"a\":[]}", OK), (b"{\"a\":null,\"b\":true}", OK), (b"{\"\":0}", OK),
    (b"{\"a\":{\"b\":{\"c\":{}}}}", OK), (b"{\"a b\":1}", OK), (b"{\"a\":\"a\"}", OK), (b"{\"1\":1}", OK),
    (b"{", SYNTAX), (b"}", SYNTAX), (b"{,}", SYNTAX), (b"{\"a\"}", SYNTAX), (b"{\"a\":}", SYNTAX), (b"{\"a\":1,}", SYNTAX),
    (b"{,\"a\":1}", SYNTAX), (b"{\"a\":1,,\"b\":2}", SYNTAX), (b"{\"a\" 1}", SYNTAX), (b"{\"a\"::1}", SYNTAX),
    (b"{\"a\":1:2}", SYNTAX), (b"{\"a\":1 \"b\":2}", SYNTAX), (b"{\"a\":1;\"b\":2}", SYNTAX), (b"{a:1}", SYNTAX),
    (b"{'a':1}", SYNTAX), (b"{1:1}", SYNTAX), (b"{null:1}", SYNTAX), (b"{[]:1}", SYNTAX), (b"{{}:1}", SYNTAX),
    (b"{\"a\"=1}", SYNTAX), (b"{\"a\"=>1}", SYNTAX), (b"{\"a\",\"b\"}", SYNTAX), (b"{:1}", SYNTAX), (b"{\"a\":1", SYNTAX),
    (b"{\"a\":1,", SYNTAX), (b"{\"a\":", SYNTAX), (b"{\"a\"", SYNTAX), (b"{\"a", SYNTAX), (b"{\"", SYNTAX),
    (b"{\"a\":1]", SYNTAX), (b"{\"a\":[1}", SYNTAX), (b"{\"a\":1}}", SYNTAX), (b"{\"a\":1}]", SYNTAX),
    (b"{\"a\":1,]", SYNTAX), (b"{]", SYNTAX), (b"{\"a\":1 2}", SYNTAX), (b"{...}", SYNTAX), (b"{\"a\":\"b\"c}", SYNTAX),
    // §5: arrays.
    (b"[1]", OK), (b"[1,2,3]", OK), (b"[[],[]]", OK), (b"[{},{}]", OK), (b"[null,true,false,0,\"\",[],{}]", OK),
    (b"[[[[[]]]]]", OK), (b"[{\"a\":[{\"b\":[]}]}]", OK), (b"[\"a\",\"a\"]", OK), (b"[1,1]", OK),
    (b"[", SYNTAX), (b"]", SYNTAX), (b"[,]", SYNTAX), (b"[1,]", SYNTAX), (b"[,1]", SYNTAX), (b"[1,,2]", SYNTAX),
    (b"[1 2]", SYNTAX), (b"[1;2]", SYNTAX), (b"[1:2]", SYNTAX), (b"[1", SYNTAX), (b"[1,", SYNTAX), (b"[1}", SYNTAX),
    (b"[[]", SYNTAX), (b"[[1,2]", SYNTAX), (b"[}", SYNTAX), (b"[\"a\":1]", SYNTAX), (b"[\"a\" \"b\"]", SYNTAX),
    (b"[,,]", SYNTAX), (b"[1,]]", SYNTAX), (b"(1)", SYNTAX), (b"<1>", SYNTAX), (b"[*]", SYNTAX), (b"[...]", SYNTAX),
    (b"[a]", SYNTAX), (b"['a']", SYNTAX), (b"[`a`]", SYNTAX), (b"[\"a\",\n4\n,1,", SYNTAX),
    // §5, §2: no comments.
    (b"// a\n1", SYNTAX), (b"/* a */1", SYNTAX), (b"1// a", SYNTAX), (b"1/* a */", SYNTAX), (b"# a\n1", SYNTAX),
    (b"[1,/**/2]", SYNTAX), (b"{/**/}", SYNTAX), (b"<!-- a -->1", SYNTAX), (b"-- a\n1", SYNTAX),
    // §6: numbers.
    (b"-0", OK), (b"-1", OK), (b"10", OK), (b"1234567890", OK), (b"0.0", OK), (b"-0.0", OK), (b"0.10", OK), (b"1.5", OK),
    (b"0e0", OK), (b"0E0", OK), (b"1e1", OK), (b"1E1", OK), (b"1e+1", OK), (b"1e-1", OK), (b"1E+01", OK), (b"1e00", OK),
    (b"-1.5e-10", OK), (b"0.1e1", OK), (b"1e400", OK), (b"-1e-400", OK), (b"18446744073709551616", OK),
    (b"0.000000000000000000000000000001", OK), (b"100000000000000000000000000000000000000", OK), (b"[0]", OK), (b"[-0]", OK),
    (b"00", SYNTAX), (b"01", SYNTAX), (b"-00", SYNTAX), (b"-01", SYNTAX), (b"+1", SYNTAX), (b"+0", SYNTAX), (b"-", SYNTAX),
    (b"--1", SYNTAX), (b"-+1", SYNTAX), (b"- 1", SYNTAX), (b".5", SYNTAX), (b"-.5", SYNTAX), (b"1.", SYNTAX), (b"1.e1", SYNTAX),
    (b"1..2", SYNTAX), (b"1.2.3", SYNTAX), (b"1e", SYNTAX), (b"1E", SYNTAX), (b"1e+", SYNTAX), (b"1e-", SYNTAX), (b"1e+-1", SYNTAX),
    (b"1e1.5", SYNTAX), (b"1e1e1", SYNTAX), (b"e1", SYNTAX), (b"0x1", SYNTAX), (b"0b1", SYNTAX), (b"0o7", SYNTAX), (b"1_000", SYNTAX),
    (b"1,000", SYNTAX), (b"1 000", SYNTAX), (b"1f", SYNTAX), (b"1n", SYNTAX), (b"1L", SYNTAX), (b"1.0f", SYNTAX), (b"1a", SYNTAX),
    (b"1+1", SYNTAX), (b"1-1", SYNTAX), (b"[1.]", SYNTAX), (b"[-]", SYNTAX), (b"[1e]", SYNTAX), (b"[+1]", SYNTAX), (b"[012]", SYNTAX),
    (b"{\"a\":-}", SYNTAX), (b"{\"a\":1e+}", SYNTAX), (b"\xd9\xa1", SYNTAX), (b"\xef\xbc\x91", SYNTAX), (b"1\xef\xbc\x91", SYNTAX),
    (b"\xe2\x88\x921", SYNTAX), (b"$1", SYNTAX), (b"1%", SYNTAX), (b"1\0", SYNTAX), (b"\xc2\xbd", SYNTAX),
    // §7: texts.
    (b"\"a\"", OK), (b"\" \"", OK), (b"\"'\"", OK), (b"\"/\"", OK), (b"\"a<b&c\"", OK), (b"\"// no comment\"", OK),
    (b"\"[1,\"", OK), (b"\"null\"", OK), (b"\"`~!@#$%^&*()\"", OK), (b"\"\x7f\"", OK), (b"\"\xc3\xa9\"", OK),
    (b"\"\xe2\x82\xac\"", OK), (b"\"\xf0\x9f\x98\x80\"", OK), (b"\"\xf4\x8f\xbf\xbf\"", OK), (b"\"\xef\xbf\xbf\"", OK),
    (b"\"\xee\x80\x80\"", OK), (b"\"\xed\x9f\xbf\"", OK), (b"\"\xc2\x80\"", OK), (b"\"\xe0\xa0\x80\"", OK), (b"\"\xf0\x90\x80\x80\"", OK),
    (b"\"\xe2\x80\xa8\"", OK), (b"\"\xe2\x80\xa9\"", OK), (b"\"\xef\xbb\xbf\"", OK),
    (b"\"", SYNTAX), (b"\"a", SYNTAX), (b"a\"", SYNTAX), (b"'a'", SYNTAX), (b"\"a\"\"", SYNTAX), (b"\"\"\"", SYNTAX), (b"\"\"a\"\"", SYNTAX),
    (b"[\"]", SYNTAX), (b"[\"a]", SYNTAX), (b"\"a'", SYNTAX), (b"`a`", SYNTAX), (b"\xe2\x80\x9ca\xe2\x80\x9d", SYNTAX),
    // §7: control characters must be escaped.
    (b"\"\0\"", SYNTAX), (b"\"\x01\"", SYNTAX), (b"\"\t\"", SYNTAX), (b"\"\n\"", SYNTAX), (b"\"\r\"", SYNTAX), (b"\"\x08\"", SYNTAX),
    (b"\"\x1b[31m\"", SYNTAX), (b"\"\x1f\"", SYNTAX), (b"\"a\nb\"", SYNTAX), (b"{\"a\tb\":1}", SYNTAX), (b"\"aaaaaaaaaaaaaaa\n\"", SYNTAX),
    (b"\"a\\\nb\"", SYNTAX),
    // §7: escapes.
    (br#""\"""#, OK), (br#""\\""#, OK), (br#""\/""#, OK), (br#""\b""#, OK), (br#""\f""#, OK), (br#""\n""#, OK), (br#""\r""#, OK),
    (br#""\t""#, OK), (br#""\u0041""#, OK), (br#""\u00e9""#, OK), (br#""\u00E9""#, OK), (br#""\uABCD""#, OK), (br#""\uabcd""#, OK),
    (br#""\u005C\u0022""#, OK), (br#""\\u0041""#, OK), (br#""\\\"""#, OK), (br#""\uFFFF""#, OK), (br#""\u0001""#, OK), (br#""\u2028""#, OK),
    (br#"{"\u0061":1}"#, OK), (br#"{"\"":1,"\\":2,"\/":3}"#, OK), (br#"["\u0060","\u0012","\u0024"]"#, OK),
    (br#""\""#, SYNTAX), (br#""\a""#, SYNTAX), (br#""\v""#, SYNTAX), (br#""\0""#, SYNTAX), (br#""\'""#, SYNTAX), (br#""\x41""#, SYNTAX),
    (br#""\N""#, SYNTAX), (br#""\ ""#, SYNTAX), (br#""\U0041""#, SYNTAX), (br#""\u""#, SYNTAX), (br#""\u0""#, SYNTAX), (br#""\u00""#, SYNTAX),
    (br#""\u004""#, SYNTAX), (br#""\u004G""#, SYNTAX), (br#""\u 041""#, SYNTAX), (br#""\u+041""#, SYNTAX), (br#""\u{41}""#, SYNTAX),
    (br#""\u-041""#, SYNTAX), (br#"\u0022a""#, SYNTAX), (br#"["\"]"#, SYNTAX), (br#""\\\""#, SYNTAX), (br#"\n"#, SYNTAX), (br#"[\n]"#, SYNTAX),
    (b"\"\\\0\"", SYNTAX), (b"\"\\\xc3\xa9\"", SYNTAX), (b"\"\\\xf0\x9f\x98\x80\"", SYNTAX), (b"\"\\u\xef\xbc\x910041\"", SYNTAX),
    (br#""\101""#, SYNTAX), (br#""\e""#, SYNTAX), (br#""\u00e""#, SYNTAX), (br#"{"\":1}"#, SYNTAX),
    // §7, §8.2: pairs of surrogates.
    (br#""\ud83d\ude00""#, OK), (br#""\uD83D\uDE00""#, OK), (br#""\ud800\udc00""#, OK), (br#""\udbff\udfff""#, OK),
    (br#""\ud83d\ude00\ud83d\ude00""#, OK), (br#""\ud7ff\ue000""#, OK), (br#"{"\ud83d\ude00":1}"#, OK), (br#""a\ud834\udd1eb""#, OK),
    (br#""\ud83d""#, LONE), (br#""\ude00""#, LONE), (br#""\ud83da""#, LONE), (br#""\ud83d\n""#, LONE), (br#""\ud83d\ud83d""#, LONE),
    (br#""\ude00\ud83d""#, LONE), (br#""\ud83d\u0041""#, LONE), (br#""\ud83d ude00""#, LONE), (br#""\uD800\uD800\n""#, LONE),
    (br#"{"\ud83d":1}"#, LONE), (br#"{"\udfaa":1}"#, LONE), (br#""\ud83d\\ude00""#, LONE), (br#""\udfff""#, LONE), (br#""\ud800\ue000""#, LONE),
    (b"\"\\ud83d\xf0\x9f\x98\x80\"", LONE), (br#""\ud83d\u""#, SYNTAX), (br#""\ud83d\ude0""#, SYNTAX), (br#""\ud83d\uzzzz""#, SYNTAX),
    // §8.1: UTF-8, to the letter of RFC 3629 §4.
    (b"\"\x80\"", ENCODING), (b"\"\xbf\"", ENCODING), (b"\"\xc0\x80\"", ENCODING), (b"\"\xc0\xaf\"", ENCODING), (b"\"\xc1\xbf\"", ENCODING),
    (b"\"\xc2\"", ENCODING), (b"\"\xc2\xc2\"", ENCODING), (b"\"\xc3(\"", ENCODING), (b"\"\xe0\x80\x80\"", ENCODING), (b"\"\xe0\x9f\xbf\"", ENCODING),
    (b"\"\xe2\x82\"", ENCODING), (b"\"\xe2\x28\xa1\"", ENCODING), (b"\"\xe2\x82\x28\"", ENCODING), (b"\"\xed\xa0\x80\"", ENCODING),
    (b"\"\xed\xbf\xbf\"", ENCODING), (b"\"\xed\xa0\xbd\xed\xb8\x80\"", ENCODING), (b"\"\xf0\x80\x80\x80\"", ENCODING), (b"\"\xf0\x8f\xbf\xbf\"", ENCODING),
    (b"\"\xf0\x9f\x98\"", ENCODING), (b"\"\xf0\x9f\x98\x28\"", ENCODING), (b"\"\xf4\x90\x80\x80\"", ENCODING), (b"\"\xf5\x80\x80\x80\"", ENCODING),
    (b"\"\xf8\x88\x80\x80\x80\"", ENCODING), (b"\"\xfc\x84\x80\x80\x80\x80\"", ENCODING), (b"\"\xfe\"", ENCODING), (b"\"\xff\"", ENCODING),
    (b"\"\xe9\"", ENCODING), (b"\"caf\xe9\"", ENCODING), (b"{\"\xff\":1}", ENCODING), (b"\"a\xc3\\u0041\"", ENCODING), (b"\"\xc3\n\"", ENCODING),
    (b"\xff", SYNTAX), (b"[\xff]", SYNTAX), (b"[1,\xc3\xa9]", SYNTAX), (b"\xc3\xa9", SYNTAX),
    // §8.1: another encoding, and the byte order mark.
    (b"\xef\xbb\xbf", MARK), (b"\xef\xbb\xbf{}", MARK), (b"\xef\xbb\xbf 1", MARK), (b"\xef\xbb{}", SYNTAX), (b"\xef\xbb", SYNTAX), (b"\xef", SYNTAX),
    (b" \xef\xbb\xbf{}", SYNTAX), (b"{}\xef\xbb\xbf", SYNTAX), (b"\xfe\xff\0[\0]", SYNTAX), (b"\xff\xfe[\0]\0", SYNTAX), (b"[\0]\0", SYNTAX),
    (b"\0[\0]", SYNTAX), (b"\0\0\0[\0\0\0]", SYNTAX), (b"\xff\xfe\0\0", SYNTAX), (b"+AFs-+AF0-", SYNTAX),
    // §4: the names of an object should be unique; here they must be, whatever the notation.
    (br#"{"a":1,"a":1}"#, TWICE), (br#"{"a":1,"b":2,"a":3}"#, TWICE), (br#"{"a":1,"\u0061":2}"#, TWICE), (br#"{"\u0061":1,"a":2}"#, TWICE),
    (br#"{"":1,"":2}"#, TWICE), (br#"{"/":1,"\/":2}"#, TWICE), (br#"[{"a":{"b":1,"b":2}}]"#, TWICE), (br#"{"\n":1,"\u000a":2}"#, TWICE),
    (b"{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}", TWICE), (b"{\"\xc3\xa9\":1,\"\\u00E9\":2}", TWICE), (br#"{"a":{"a":1},"a":2}"#, TWICE),
    (br#"{"a":1,"A":2}"#, OK), (br#"{"a":{"a":{"a":1}}}"#, OK), (br#"[{"a":1},{"a":1}]"#, OK), (br#"{"a":{"b":1},"b":{"a":1}}"#, OK),
    (b"{\"\xc3\xa9\":1,\"e\xcc\x81\":2}", OK), (br#"{"a":1,"a ":2}"#, OK), (br#"{"1":1,"01":2}"#, OK),
    // The prototype of an object, at any depth and in any notation.
    (br#"{"__proto__":1}"#, PROTO), (br#"{"a":{"__proto__":{}}}"#, PROTO), (br#"[[{"__proto__":null}]]"#, PROTO), (br#"{"\u005f_proto__":1}"#, PROTO),
    (br#"{"\u005f\u005fproto\u005f\u005f":1}"#, PROTO), (br#"{"\u005F_prot\u006f__":1}"#, PROTO), (br#"{"constructor":{"prototype":{}}}"#, PROTO),
    (br#"{"constructor":{"a":1,"prototype":1}}"#, PROTO), (br#"{"c\u006fnstructor":{"pr\u006ftotype":1}}"#, PROTO), (br#"{"a":1,"__proto__":1}"#, PROTO),
    (br#"{"constructor":1}"#, OK), (br#"{"prototype":1}"#, OK), (br#"{"prototype":{"constructor":1}}"#, OK), (br#"{"constructor":{"a":{"prototype":1}}}"#, OK),
    (br#"{"constructor":1,"a":{"prototype":1}}"#, OK), (br#"{"constructor":[{"prototype":1}]}"#, OK), (br#"{"__proto":1,"_proto_":2,"proto":3}"#, OK),
    (br#"["__proto__"]"#, OK), (br#"{"a":"__proto__"}"#, OK), (br#"{"__PROTO__":1}"#, OK), (br#"{"__proto__ ":1}"#, OK),
    // U+0000, which is well-formed when it is escaped.
    (br#""\u0000""#, NUL), (br#""a\u0000""#, NUL), (br#"{"a\u0000":1}"#, NUL), (br#"["a",["\u0000"]]"#, NUL), (br#""\\u0000""#, OK),
    // §9: a parser may limit depth and the length of numbers.
    (b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", OK),
    (b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", DEPTH),
    (b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{", DEPTH),
    (b"1234567890123456789012345678901234567890123456789012345678901234", OK),
    (b"12345678901234567890123456789012345678901234567890123456789012345", NUMBER),
    (b"-123456789012345678901234567890123456789012345678901234567890e12", OK),
    (b"-123456789012345678901234567890123456789012345678901234567890e123", NUMBER),
];
