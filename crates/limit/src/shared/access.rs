//! Who passes uncounted, and who does not pass at all.

use std::sync::Arc;

use buttress_core::client_ip::{Cidr, ClientIp};
use http::Request;

use super::Ask;
use crate::key::RequestHead;

/// Who is on a list.
#[derive(Clone)]
pub(crate) enum Access {
    Networks(ClientIp, Arc<[Cidr]>),
    If(Ask<bool>),
}

impl Access {
    pub(super) fn has<B>(&self, request: &Request<B>) -> bool {
        match self {
            Self::Networks(rule, networks) => rule
                .of(request)
                .is_some_and(|client| networks.iter().any(|network| network.contains(client))),
            Self::If(ask) => ask(&RequestHead::of(request)),
        }
    }
}
