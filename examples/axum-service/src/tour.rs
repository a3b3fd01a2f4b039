//! The tour: the same service on a free port, asked over HTTP by this process, and told about.
//!
//! Whatever it says is checked. It ends with what was not as told, if anything was not.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use buttress::{
    Stack,
    client_ip::ClientIp,
    limit::{Quota, requests, seconds},
    log::{PrettyLayer, Sink, Writer},
    problem::install_panic_hook,
    settings::Quotas,
    shutdown::{Plan, Report, Shutdown},
};
use tokio::{net::TcpListener, task::JoinHandle};

use self::{caller::Caller, captured::Captured, story::Story};
use crate::{
    CLOSING, app,
    books::Shelf,
    health::{Checks, Watched},
    limits::Limits,
    numbers::Numbers,
    pulse,
    routes::Service,
    secrets::{Keys, Secrets},
    serve, stack,
    upstream::Upstream,
};

mod caller;
mod captured;
mod chapters;
mod judged;
mod leaving;
mod limited;
mod mended;
mod observed;
mod sealed;
mod socket;
mod started;
mod stocked;
mod story;
#[cfg(test)]
mod tests;

type Told = Result<(), Box<dyn Error>>;

/// More than the tour asks.
const AMPLE: Quotas =
    Quotas { general: requests(100_000).per(seconds(1)), burst: requests(100_000).per(seconds(1)) };
/// As many at once as by default. The next is admitted after a second and not after a tenth, which
/// a busy machine may take to send them.
const TEN_AT_ONCE: Quota = requests(10).per(seconds(10));
/// How long a breaker stays open: shorter than by default, and long enough to be seen.
const OPEN: Duration = Duration::from_secs(2);

/// Long enough to be asked three questions in, on a machine that has much else to do.
const PRE_STOP: Duration = Duration::from_secs(3);
/// As it is sent.
const STATUS_TOKEN: &str = "Bearer tour-of-the-details";

/// Who tells, who asks, and what the service logs meanwhile.
struct Tour<W> {
    story: Story<W>,
    caller: Caller,
    log: Captured,
}

/// A service of this process, on a port of its own; it ends when this is dropped.
struct Instance {
    caller: Caller,
    described: String,
    shutdown: Shutdown,
    served: JoinHandle<io::Result<Report>>,
}

pub(crate) async fn run() -> Result<ExitCode, Box<dyn Error>> {
    let log = Captured::new();
    let lines = log.setup()?.init()?;
    install_panic_hook();

    let story = Story::new(io::stdout(), PrettyLayer::wants_colours(&Sink::stdout()));
    let story = tell(story, log, &lines.writer(), |stack| stack).await?;
    Ok(if story.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells the story of services with what `change` makes of their stack, which log into `log`.
async fn tell<W: Write>(
    story: Story<W>,
    log: Captured,
    lines: &Writer,
    change: impl Fn(Stack) -> Stack,
) -> Result<Story<W>, Box<dyn Error>> {
    let ample = Instance::start(AMPLE, lines, &change).await?;
    let limited =
        Instance::start(Quotas { burst: TEN_AT_ONCE, ..Quotas::default() }, lines, &change).await?;

    let mut tour = Tour { story, caller: ample.caller.clone(), log };
    tour.story.title(&format!("A tour of example-axum, which now serves on {}", tour.caller))?;
    tour.chapters(&ample.described).await?;
    tour.caller = limited.caller.clone();
    tour.many_at_once().await?;
    let leaving = Instance::start(AMPLE, lines, &change).await?;
    tour.caller = leaving.caller.clone();
    tour.alive_and_ready().await?;
    tour.gone_cleanly(&leaving.shutdown).await?;
    tour.story.end()?;
    Ok(tour.story)
}

impl Instance {
    async fn start(
        quotas: Quotas,
        lines: &Writer,
        change: impl FnOnce(Stack) -> Stack,
    ) -> Result<Self, Box<dyn Error>> {
        // Without signals, and not the only one of its process: else as of `Settings`.
        let shutdown = Shutdown::embedded(Plan::kubernetes().pre_stop(PRE_STOP))?;
        let limits = Limits::new(quotas, None)?;
        let secrets = Secrets::open(Keys::ephemeral()?, None)?;
        secrets.announce().await;
        let numbers = Numbers::new(None).of_the_log(lines.clone()).of_the_limits(&limits);
        let boot = async {
            let upstream = Upstream::start(&numbers.called, OPEN).await?;
            shutdown.phase("upstream", CLOSING, upstream.closed())?;
            let books = Shelf::Sqlite(None).open(&shutdown).await?;
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            Ok::<_, Box<dyn Error>>((upstream, books, listener))
        };
        let (upstream, books, listener) =
            shutdown.boot(boot).await.ok_or("nobody ends it yet")??;
        let address = listener.local_addr()?;
        let token = STATUS_TOKEN.trim_start_matches("Bearer ").into();
        let checks = Checks { status_token: Some(token), ..Checks::default() };
        let Watched { health, layer, pulse } =
            checks.watch(&shutdown, &upstream, &secrets, &books)?;
        let numbers = numbers.of_upstream(&upstream).of_the_health(&health);
        let stack = stack(ClientIp::peer(), &limits, &numbers)?;
        let stack = change(stack.health(layer).drain(shutdown.layer()));
        let described = stack.describe();
        let pulse = pulse::start(&shutdown, pulse);
        let service = Service::new(address, &numbers, upstream, secrets, books, &shutdown, pulse);
        let app = app(service, stack, &limits, &numbers)?;
        let ending = shutdown.clone();
        let served = tokio::spawn(async move { serve(&ending, listener, app).await });
        Ok(Self { caller: Caller::of(address), described, shutdown, served })
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.served.abort();
    }
}
