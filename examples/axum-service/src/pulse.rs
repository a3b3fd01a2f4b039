//! A task in the background that beats once a second, and `/events`, where it is heard.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, Sse},
};
use buttress::{health::Heartbeat, shutdown::Shutdown};
use futures_util::stream::{self, Stream, StreamExt};
use serde::Serialize;
use tokio::{
    sync::watch,
    time::{Instant, interval},
};

use crate::routes::Service;

const BEAT: Duration = Duration::from_secs(1);

/// A beat.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Pulse {
    uptime_s: u64,
    listeners: usize,
}

/// Begins to beat. Supervised: a panic would end the service, with exit code 101.
pub(crate) fn start(shutdown: &Shutdown, alive: Heartbeat) -> watch::Sender<Pulse> {
    let pulse = watch::Sender::default();
    let beats = pulse.clone();
    shutdown.spawn("pulse", |stop| async move {
        let (start, mut seconds) = (Instant::now(), interval(BEAT));
        let beating = async {
            loop {
                seconds.tick().await;
                alive.beat();
                let (uptime_s, listeners) = (start.elapsed().as_secs(), beats.receiver_count());
                beats.send_replace(Pulse { uptime_s, listeners });
            }
        };
        stop.run_until_cancelled(beating).await;
    });
    pulse
}

/// Beats without an end, but for that of the service. Then the stream ends as it should, and a
/// browser connects again, elsewhere.
pub(crate) async fn events(
    State(Service { pulse, shutdown, .. }): State<Service>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut pulse = pulse.subscribe();
    // The last one at once.
    pulse.mark_changed();
    let beats = stream::unfold(pulse, |mut pulse| async {
        pulse.changed().await.ok()?;
        let beat = *pulse.borrow_and_update();
        let event = Event::default().event("pulse").json_data(beat).ok()?;
        Some((Ok(event), pulse))
    });
    Sse::new(beats.take_until(shutdown.not_accepting()))
}
