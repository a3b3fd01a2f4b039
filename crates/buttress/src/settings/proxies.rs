//! `TRUSTED_PROXIES`.

use crate::{client_ip::ClientIp, config::config};

config! {
    /// Who the client is: `TRUSTED_PROXIES`.
    #[derive(Clone, Debug)]
    pub struct Proxies {
        /// The proxies before the service, whose `X-Forwarded-For` tells the client.
        pub client_ip: ClientIp = parsed("TRUSTED_PROXIES", |list| ClientIp::behind(list.split(',')))
            .expects("addresses or networks with commas between, such as 10.0.0.0/8,192.0.2.1")
            .unset(ClientIp::peer(), "the client is who connects, and no header is believed"),
    }
}
