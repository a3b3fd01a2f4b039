//! The chapter on input.

use std::io::Write;

use serde_json::Value;

use super::{
    Told, Tour,
    caller::{Answer, Ask},
    captured::Line,
};

/// What is uploaded: so many MiB of zeros, and their digest.
const UPLOAD: usize = 16;
const DIGEST: &str = "080acf35a507ac9849cfcba47dc2ad83e01b75663a516279c8b9d243b719643e";

/// Each with what it shows.
const HIDDEN: &str = r#"{"role":"user","\u0072ole":"tk_boss"}"#;
const PROTOTYPE: &str = r#"{"user":{"__proto__":{"admin":true}}}"#;
const PASSWORD: &str = r#"{"password":"a<b&c"}"#;
const COMMENT: &str = r#"{"author":"a<b&c","stars":5,"text":"<b onclick=x()>hi</b>"}"#;
const INVALID: &str = r#"{"author":"","stars":6,"text":"<script>x()</script>"}"#;

impl<W: Write> Tour<W> {
    pub(super) async fn judged_as_it_comes(&mut self) -> Told {
        self.story.chapter("Input: judged as it comes, and refused with the rule and the place")?;
        let answer = self.ask(Ask::get("/echo").json(HIDDEN), &["content-type"]).await?;
        self.story.shown(&answer.text)?;
        let refused = answer.is_problem(400) && answer.breaks("duplicate_key", "/role");
        self.story.claim("a key twice, hidden by an escape: 400", refused, &answer.text)?;
        let line = self.access_line("/echo", answer.id()).await?;
        let said = line.text_of("rejected_by") == "sanitize"
            && line.text_of("violation") == "body /role: the key is there twice";
        self.story.claim("the access line has the rule and the place", said, &line)?;
        let leaked: Vec<_> = self.log.all().into_iter().filter(Line::has("tk_boss")).collect();
        let hidden = leaked.is_empty() && !answer.text.contains("tk_boss");
        self.story.claim("and nothing has the value", hidden, (leaked, &answer.text))?;
        let answer = self.ask(Ask::get("/echo").json(PROTOTYPE), &[]).await?;
        let refused = answer.is_problem(400) && answer.breaks("prototype_key", "/user/__proto__");
        self.story.claim("a key that would change every object: 400", refused, &answer.text)?;
        let packed = Ask::get("/echo").json("{}").header("content-encoding", "gzip");
        let answer = self.ask(packed, &["accept-encoding"]).await?;
        let refused = answer.is_problem(415) && answer.header("accept-encoding") == "identity";
        self.story.claim("what nobody here unpacks: 415", refused, &answer.text)?;

        let answer = self.ask(Ask::get("/echo").json(PASSWORD), &[]).await?;
        let same = answer.text == PASSWORD;
        self.story.claim("a text that looks like HTML is left as it is", same, &answer.text)?;
        let answer = self.ask(Ask::get("/comments").json(COMMENT), &[]).await?;
        let cleaned = answer.text == r#"{"author":"a<b&c","stars":5,"text":"<b>hi</b>"}"#;
        let claim = "but for the one field that is declared to hold HTML: that is cleaned";
        self.story.claim(claim, cleaned, &answer.text)?;
        let answer = self.ask(Ask::get("/comments").json(INVALID), &[]).await?;
        self.story.shown(&answer.text)?;
        let all = ["/author", "/stars", "/text"].iter().all(|place| answer.errs_at(place));
        let refused = answer.is_problem(422) && all;
        self.story.claim("what is not valid is 422, with every place", refused, &answer.text)?;

        let answer = self.ask(Ask::get("/search?q=engine&page=01"), &[]).await?;
        let refused = answer.is_problem(422) && answer.errs_at("/page");
        self.story.claim("a page is a number in one way: 01 is none", refused, &answer.text)?;
        let answer = self.ask(Ask::get("/search?q=engine&q=law"), &[]).await?;
        let refused = answer.is_problem(400) && answer.errs_at("/q");
        self.story.claim("a parameter twice: nobody guesses which", refused, &answer.text)?;

        let answer = self.ask(Ask::upload("/upload", UPLOAD), &[]).await?;
        let json = answer.json();
        let whole = json.get("bytes") == Some(&Value::from(UPLOAD << 20))
            && json.get("sha256") == Some(&Value::from(DIGEST));
        self.story.claim("an upload past their limit has a stack of its own", whole, &json)?;
        Ok(())
    }
}

impl Answer {
    /// Whether this rule is broken at this place.
    fn breaks(&self, rule: &str, pointer: &str) -> bool {
        self.errors().iter().any(|error| says(error, "rule", rule) && at(error, pointer))
    }

    /// Whether something is wrong at this place.
    pub(super) fn errs_at(&self, pointer: &str) -> bool {
        self.errors().iter().any(|error| at(error, pointer))
    }

    fn errors(&self) -> Vec<Value> {
        self.json().get("errors").and_then(Value::as_array).cloned().unwrap_or_default()
    }
}

fn at(error: &Value, pointer: &str) -> bool {
    says(error, "pointer", pointer)
}

fn says(error: &Value, member: &str, text: &str) -> bool {
    error.get(member).and_then(Value::as_str) == Some(text)
}
