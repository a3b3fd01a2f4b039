//! `/ws`: a WebSocket that says what it is told.

use std::{future::Future, pin::pin};

use axum::{
    body::Body,
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    },
    http::{HeaderMap, Response, header::ORIGIN},
};
use buttress::problem::Failure;

use crate::{FRONT_END, error::Error, routes::Service};

/// What the other side may have us hold.
const MOST_BYTES: usize = 64 * 1024;

pub(crate) async fn open(
    State(service): State<Service>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response<Body>, Failure> {
    // A handshake is a GET, so CSRF lets it pass, and CORS does not hold for it: any page can open
    // a socket with its visitor's cookies, unless the server looks who asks (RFC 6455 §10.2).
    if !service.is_own_page(&headers) {
        return Err(Error::OtherOrigin.into());
    }
    // Before it is waited for.
    let going_away = service.shutdown.not_accepting();
    let upgrade = upgrade.max_message_size(MOST_BYTES).max_frame_size(MOST_BYTES);
    Ok(upgrade.on_upgrade(|socket| echo(socket, going_away)))
}

impl Service {
    /// What is no page sends no origin, and has nobody's cookies.
    fn is_own_page(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        let own = [FRONT_END.to_owned(), format!("http://{}", self.address)];
        origins.next().is_none() && own.iter().any(|own| origin == own)
    }
}

async fn echo(mut socket: WebSocket, going_away: impl Future<Output = ()>) {
    let mut going_away = pin!(going_away);
    loop {
        let message = tokio::select! {
            biased;
            () = &mut going_away => return leave(socket).await,
            message = socket.recv() => message,
        };
        match message {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            // It answers pings, and a close, of itself.
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
    }
}

/// Says why, and stays until the other side has said that it heard.
async fn leave(mut socket: WebSocket) {
    let close = CloseFrame { code: close_code::AWAY, reason: "shutting down".into() };
    if socket.send(Message::Close(Some(close))).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}
