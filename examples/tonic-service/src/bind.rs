//! Where the service listens.

use std::{env, io, net::SocketAddr};

use tokio::net::TcpListener;

const DEFAULT: &str = "127.0.0.1:3000";

/// Listens on the address in `BIND`.
pub(crate) async fn listener() -> Result<TcpListener, String> {
    let bind = match env::var_os("BIND") {
        None => DEFAULT.to_owned(),
        Some(bind) => bind.to_string_lossy().into_owned(),
    };
    let address: SocketAddr = bind.parse().map_err(|_| {
        format!(
            "BIND is {bind:?}, which is no address: give an IP address and a port, such as \
             {DEFAULT} or [::1]:3000; port 0 picks a free one"
        )
    })?;
    TcpListener::bind(address).await.map_err(|error| refused(address, &error))
}

fn refused(address: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "set BIND to another port, or to port 0 for a free one",
        io::ErrorKind::PermissionDenied => "ports below 1024 are the system's: set BIND to another",
        _ => "set BIND to an address of this machine",
    };
    format!("cannot listen on {address} ({error}): {advice}")
}
