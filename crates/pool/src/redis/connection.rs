//! A connection that is out.

use std::{fmt, sync::Arc, time::Instant};

use redis::{
    Arg, Cmd, Pipeline, RedisError, RedisFuture, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};

use super::driver::RedisDriver;
use crate::{
    counts::Closed,
    kept::{Spoilable, Spoilt},
    leased::Leased,
    work::{Account, Outcome},
};

/// The longest name that a command of Redis' own has is shorter.
const LONGEST_NAME: usize = 32;

/// A connection of a [`RedisPool`](super::RedisPool), which goes back when this is dropped.
///
/// It is used as any connection of the crate redis is, with `AsyncCommands` or `query_async`. It is
/// thrown away where a command runs over its time, fails on the way, is dropped before its end, or
/// changes the connection itself (`SELECT`, `SUBSCRIBE`, `AUTH`, …); a `WATCH` is ended before the
/// next one has it.
pub struct RedisConnection(Leased<Arc<RedisDriver>>);

/// What the pool keeps.
pub(crate) struct Wire {
    connection: MultiplexedConnection,
    account: Account,
    spoilt: Spoilt,
}

impl RedisConnection {
    pub(super) const fn new(leased: Leased<Arc<RedisDriver>>) -> Self {
        Self(leased)
    }
}

impl ConnectionLike for RedisConnection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let Wire { connection, account, spoilt } = &mut *self.0;
            if changes(command) {
                spoilt.set(Closed::Changed);
            }
            let running = Running::new(account, spoilt, || name(command));
            let answer = connection.req_packed_command(command).await;
            running.over(answer)
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let Wire { connection, account, spoilt } = &mut *self.0;
            if pipeline.cmd_iter().any(changes) {
                spoilt.set(Closed::Changed);
            }
            let running = Running::new(account, spoilt, || {
                let names: Vec<_> = pipeline.cmd_iter().take(8).map(name).collect();
                format!("pipeline of {}: {}", pipeline.len(), names.join(" "))
            });
            let answers = connection.req_packed_commands(pipeline, offset, count).await;
            running.over(answers)
        })
    }

    fn get_db(&self) -> i64 {
        self.0.connection.get_db()
    }
}

/// What the next one to have the connection does not expect.
fn changes(command: &Cmd) -> bool {
    const CHANGES: [&str; 11] = [
        "SELECT",
        "SUBSCRIBE",
        "PSUBSCRIBE",
        "SSUBSCRIBE",
        "MONITOR",
        "AUTH",
        "HELLO",
        "CLIENT",
        "RESET",
        "READONLY",
        "READWRITE",
    ];

    let Some(Arg::Simple(name)) = command.args_iter().next() else { return false };
    CHANGES.iter().any(|change| name.eq_ignore_ascii_case(change.as_bytes()))
}

/// Of the command alone, with that of its module before a dot: what comes after it is data.
fn name(command: &Cmd) -> String {
    let is_of_name = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'.';
    match command.args_iter().next() {
        Some(Arg::Simple(name)) if name.len() <= LONGEST_NAME && name.iter().all(is_of_name) => {
            String::from_utf8_lossy(name).to_ascii_uppercase()
        }
        _ => String::from("?"),
    }
}

impl Wire {
    pub(super) fn new(connection: MultiplexedConnection, account: Account) -> Self {
        Self { connection, account, spoilt: Spoilt::default() }
    }

    pub(super) const fn connection_mut(&mut self) -> &mut MultiplexedConnection {
        &mut self.connection
    }
}

impl Spoilable for Wire {
    fn spoilt(&self) -> Option<Closed> {
        self.spoilt.get()
    }
}

/// A command that is on its way. Dropped before its end, it may wait on the server still, and
/// nobody uses the connection any more.
struct Running<'a, F: Fn() -> String> {
    account: &'a Account,
    spoilt: &'a Spoilt,
    what: F,
    began: Instant,
    is_over: bool,
}

impl<'a, F: Fn() -> String> Running<'a, F> {
    fn new(account: &'a Account, spoilt: &'a Spoilt, what: F) -> Self {
        Self { account, spoilt, what, began: Instant::now(), is_over: false }
    }

    fn over<T>(mut self, answer: Result<T, RedisError>) -> Result<T, RedisError> {
        self.is_over = true;
        let outcome = match &answer {
            Ok(_) => Outcome::Done,
            Err(error) if error.is_timeout() => {
                self.spoilt.set(Closed::Unconfirmed);
                Outcome::TimedOut
            }
            Err(error) => {
                if error.is_io_error() || error.is_unrecoverable_error() {
                    self.spoilt.set(Closed::Lost);
                }
                Outcome::Failed
            }
        };
        self.account.ended(&self.what, self.began.elapsed(), None, outcome);
        answer
    }
}

impl<F: Fn() -> String> Drop for Running<'_, F> {
    fn drop(&mut self) {
        if !self.is_over {
            self.spoilt.set(Closed::Abandoned);
            self.account.ended(&self.what, self.began.elapsed(), None, Outcome::Abandoned);
        }
    }
}

impl fmt::Debug for RedisConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConnection").finish_non_exhaustive()
    }
}
