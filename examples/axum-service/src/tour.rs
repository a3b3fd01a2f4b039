//! The tour: the same service on a free port, asked over HTTP by this process, and told about.
//!
//! Whatever it says is checked. It ends with what was not as told, if anything was not.

use std::{
    error::Error,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use buttress::{Stack, problem::install_panic_hook};
use tokio::net::TcpListener;

use self::{caller::Caller, captured::Captured, story::Story};
use crate::{app, numbers::Numbers, serve, stack};

mod caller;
mod captured;
mod chapters;
mod observed;
mod story;
#[cfg(test)]
mod tests;

type Told = Result<(), Box<dyn Error>>;

/// Who tells, who asks, and what the service logs meanwhile.
struct Tour<W> {
    story: Story<W>,
    caller: Caller,
    log: Captured,
}

pub(crate) async fn run() -> Result<ExitCode, Box<dyn Error>> {
    let log = Captured::new();
    let lines = log.setup()?.init()?;
    install_panic_hook();

    let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let numbers = Numbers::new().of_the_log(lines.writer());
    let stack = stack(&numbers)?;
    let story = tell(Story::new(io::stdout(), colour), log, stack, &numbers).await?;
    Ok(if story.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells the story of a service with this stack, which logs into `log`.
async fn tell<W: Write>(
    mut story: Story<W>,
    log: Captured,
    stack: Stack,
    numbers: &Numbers,
) -> Result<Story<W>, Box<dyn Error>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let described = stack.describe();
    let service = tokio::spawn(serve(listener, app(address, stack, numbers)?));

    story.title(&format!("A tour of example-axum, which now serves on http://{address}"))?;
    let mut tour = Tour { story, caller: Caller::of(address), log };
    let told = tour.chapters(&described).await;
    service.abort();
    told?;
    tour.story.end()?;
    Ok(tour.story)
}
