//! The command `seal`: makes a key, seals and opens values. Standard input to standard output; the
//! key comes from the environment, and nothing secret from the command line, which others can see.

use std::{
    env,
    error::Error,
    ffi::OsString,
    fmt,
    io::{self, BufReader, BufWriter, Read, Write},
    process::ExitCode,
};

use buttress_seal::{
    Context, Key, KeyError, KeyRing, MAX_VALUE, SealReader, SealWriter, Sealed, Secret,
};
use zeroize::Zeroizing;

const USAGE: &str = "\
usage: seal keygen [--id ID]              a new key
       seal seal   [--stream] CONTEXT…    seals standard input
       seal open   [--stream] CONTEXT…    opens it
       seal reseal CONTEXT…               opens it and seals it with the present key

CONTEXT is what the service gives to context!(…), a word for each part: api_keys.secret 7
SEAL_KEY holds the key, SEAL_KEY_OLD the old ones, blanks between.

  --id ID     1 to 32 of A-Z a-z 0-9 _ -; by default derived from the key
  --stream    the binary form, for files of any size
  --trim      seal: without the last line's end
";

/// More than the text of any value, blanks around it included: what goes on is none.
const MAX_TEXT: u64 = 2 * MAX_VALUE as u64;
/// What `--trim` takes away at most.
const LINE_END: usize = 2;

fn main() -> ExitCode {
    let Err(error) = run() else { return ExitCode::SUCCESS };
    let _ = writeln!(io::stderr(), "seal: {error}");
    // As a shell says it: 2 is a wrong call.
    ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
}

fn run() -> Result<(), Box<dyn Error>> {
    let call = Call::parse(env::args_os().skip(1).map(OsString::into_string))?;
    match call.verb {
        Verb::Help => Ok(io::stdout().write_all(USAGE.as_bytes())?),
        Verb::Keygen => keygen(call.id.as_deref()),
        Verb::Seal if call.is_stream => seal_stream(&call.context),
        Verb::Open if call.is_stream => open_stream(&call.context),
        Verb::Seal => seal(&call.context, call.is_trimmed),
        Verb::Open => open(&call.context),
        Verb::Reseal => reseal(&call.context),
    }
}

fn keygen(id: Option<&str>) -> Result<(), Box<dyn Error>> {
    let key = Key::generate()?;
    let key = match id {
        Some(id) => key.with_id(id)?,
        None => key,
    };
    line(key.to_text().expose())
}

fn seal(context: &Context, is_trimmed: bool) -> Result<(), Box<dyn Error>> {
    let ring = ring()?;
    let mut plain = input()?;
    if is_trimmed && plain.last() == Some(&b'\n') {
        plain.pop();
        if plain.last() == Some(&b'\r') {
            plain.pop();
        }
    }
    line(ring.seal(plain.as_slice(), context)?.as_str())
}

fn open(context: &Context) -> Result<(), Box<dyn Error>> {
    let plain: Secret<Vec<u8>> = ring()?.open(&sealed()?, context)?;
    let mut out = io::stdout().lock();
    out.write_all(plain.expose())?;
    Ok(out.flush()?)
}

fn reseal(context: &Context) -> Result<(), Box<dyn Error>> {
    line(ring()?.reseal(&sealed::<Vec<u8>>()?, context)?.as_str())
}

fn seal_stream(context: &Context) -> Result<(), Box<dyn Error>> {
    let mut writer = SealWriter::new(&ring()?, context, BufWriter::new(io::stdout().lock()))?;
    io::copy(&mut io::stdin().lock(), &mut writer)?;
    writer.finish()?;
    Ok(())
}

/// What comes out before an error is the beginning of what was sealed: the exit code says whether
/// it is all.
fn open_stream(context: &Context) -> Result<(), Box<dyn Error>> {
    let mut reader = SealReader::new(&ring()?, context, BufReader::new(io::stdin().lock()));
    let mut out = BufWriter::new(io::stdout().lock());
    io::copy(&mut reader, &mut out)?;
    Ok(out.flush()?)
}

fn ring() -> Result<KeyRing, KeyError> {
    KeyRing::from_env("SEAL_KEY")
}

/// All of standard input, or as much of it as is known to be too large even when it is trimmed;
/// overwritten when it is dropped. A vector that grows would leave copies.
fn input() -> io::Result<Zeroizing<Vec<u8>>> {
    let mut all = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let mut piece = Zeroizing::new([0; 16 * 1024]);
    loop {
        let length = match io::stdin().lock().read(piece.as_mut_slice()) {
            Ok(length) if length == 0 || all.len() > MAX_VALUE + LINE_END => return Ok(all),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if all.len() + length > all.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * (all.len() + length)));
            larger.extend_from_slice(&all);
            all = larger;
        }
        all.extend_from_slice(piece.get(..length).unwrap_or_default());
    }
}

fn sealed<T>() -> Result<Sealed<T>, Box<dyn Error>> {
    let mut text = Vec::new();
    io::stdin().lock().take(MAX_TEXT).read_to_end(&mut text)?;
    let text = str::from_utf8(text.trim_ascii()).map_err(|_| NotText)?;
    Ok(Sealed::parse(text)?)
}

fn line(text: &str) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

struct Call {
    verb: Verb,
    id: Option<String>,
    is_stream: bool,
    is_trimmed: bool,
    context: Context,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Help,
    Keygen,
    Seal,
    Open,
    Reseal,
}

impl Call {
    fn parse(mut words: impl Iterator<Item = Result<String, OsString>>) -> Result<Self, Usage> {
        let mut next = || words.next().transpose().map_err(|_| Usage("an argument is no UTF-8"));
        let verb = match next()?.as_deref() {
            Some("keygen") => Verb::Keygen,
            Some("seal") => Verb::Seal,
            Some("open") => Verb::Open,
            Some("reseal") => Verb::Reseal,
            Some("help" | "--help" | "-h") => Verb::Help,
            Some(_) => return Err(Usage("there is no such command")),
            None => return Err(Usage("what shall it do?")),
        };
        let (mut id, mut is_stream, mut is_trimmed) = (None, false, false);
        let mut context: Option<Context> = None;
        let mut is_context = false;
        while let Some(word) = next()? {
            match (word.as_str(), verb) {
                _ if is_context => context = Some(part(context, &word)),
                ("--", _) => is_context = true,
                ("--help" | "-h", _) => return Ok(Self::help()),
                ("--id", Verb::Keygen) => id = Some(next()?.ok_or(Usage("--id wants an id"))?),
                ("--stream", Verb::Seal | Verb::Open) => is_stream = true,
                ("--trim", Verb::Seal) => is_trimmed = true,
                (option, _) if option.starts_with("--") => {
                    return Err(Usage("there is no such option"));
                }
                _ => context = Some(part(context, &word)),
            }
        }
        if is_trimmed && is_stream {
            return Err(Usage("a stream is not trimmed"));
        }
        let context = match (verb, context) {
            (Verb::Help, _) => return Ok(Self::help()),
            (Verb::Keygen, Some(_)) => return Err(Usage("a key has no context")),
            (Verb::Keygen, None) => Context::raw([]),
            (_, Some(context)) => context,
            (_, None) => return Err(Usage("a value has a context: where it stands")),
        };
        Ok(Self { verb, id, is_stream, is_trimmed, context })
    }

    fn help() -> Self {
        let context = Context::raw([]);
        Self { verb: Verb::Help, id: None, is_stream: false, is_trimmed: false, context }
    }
}

fn part(context: Option<Context>, word: &str) -> Context {
    match context {
        Some(context) => context.part(word),
        None => Context::new(word),
    }
}

/// Bytes, where the text of a sealed value was expected.
#[derive(Debug)]
struct NotText;

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is not a sealed value: a stream is opened with --stream")
    }
}

impl Error for NotText {}

/// A call that makes no sense. What was written is not repeated: it might be a secret.
#[derive(Debug)]
struct Usage(&'static str);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{USAGE}", self.0)
    }
}

impl Error for Usage {}
