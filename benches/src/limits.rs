//! One quota for ours and for the peers, and the peers' layers.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use axum::extract::ConnectInfo;
use axum_governor::PeerIp;
use buttress::client_ip::ClientIp;
use buttress::limit::{ConfigError, Key, Rule, requests};
use governor::middleware::{NoOpMiddleware, StateInformationMiddleware};
use http::Extensions;
use tower_governor::{
    GovernorLayer, governor::GovernorConfigBuilder, key_extractor::PeerIpKeyExtractor,
};

use crate::Failure;

/// How much a client may.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Quota {
    /// More at once than are ever measured, and a hundred a second come back: the client owes
    /// something at all times, and is never refused.
    Plenty,
    /// The same, ten times as fast.
    PlentyAtOnce,
    /// One in a year, and it was had long ago.
    UsedUp,
}

impl Quota {
    const fn burst(self) -> u32 {
        match self {
            Self::Plenty | Self::PlentyAtOnce => 1_000_000_000,
            Self::UsedUp => 1,
        }
    }

    /// Until one unit more is there.
    const fn interval(self) -> Duration {
        match self {
            Self::Plenty => Duration::from_millis(10),
            Self::PlentyAtOnce => Duration::from_millis(1),
            Self::UsedUp => Duration::from_secs(365 * 86_400),
        }
    }

    pub(crate) fn rule(self, name: &'static str) -> Result<Rule, ConfigError> {
        Rule::new(name, requests(1).per(self.interval()).burst(self.burst().into()))
    }

    pub(crate) fn of_governor(self) -> Result<governor::Quota, Failure> {
        let quota = governor::Quota::with_period(self.interval()).ok_or("no interval")?;
        Ok(quota.allow_burst(NonZeroU32::new(self.burst()).ok_or("no burst")?))
    }
}

/// The peer's address, where axum leaves it.
pub(crate) fn by_peer() -> Key {
    Key::client_ip(ClientIp::peer().peer_from(peer))
}

pub(crate) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<std::net::SocketAddr>>().map(|peer| peer.0.ip())
}

pub(crate) fn tower_governor<B>(
    quota: Quota,
) -> Result<GovernorLayer<PeerIpKeyExtractor, NoOpMiddleware, B>, Failure> {
    let mut config = GovernorConfigBuilder::default();
    config.period(quota.interval()).burst_size(quota.burst());
    Ok(GovernorLayer::new(config.finish().ok_or("tower_governor takes no such quota")?))
}

pub(crate) fn tower_governor_with_headers<B>(
    quota: Quota,
) -> Result<GovernorLayer<PeerIpKeyExtractor, StateInformationMiddleware, B>, Failure> {
    let mut config = GovernorConfigBuilder::default().use_headers();
    config.period(quota.interval()).burst_size(quota.burst());
    Ok(GovernorLayer::new(config.finish().ok_or("tower_governor takes no such quota")?))
}

/// For as much as `general` and `burst` of ours, one around the other.
pub(crate) type TowerGovernors<B> = (
    GovernorLayer<PeerIpKeyExtractor, StateInformationMiddleware, B>,
    GovernorLayer<PeerIpKeyExtractor, StateInformationMiddleware, B>,
);

pub(crate) fn tower_governors<B>() -> Result<TowerGovernors<B>, Failure> {
    Ok((
        tower_governor_with_headers(Quota::Plenty)?,
        tower_governor_with_headers(Quota::PlentyAtOnce)?,
    ))
}

/// `general` and `burst`, of a size that nobody uses up.
pub(crate) fn rules() -> Result<[Rule; 2], ConfigError> {
    Ok([Quota::Plenty.rule("general")?, Quota::PlentyAtOnce.rule("burst")?])
}

/// The first as its default, the others as its stack.
pub(crate) fn axum_governor(
    quotas: &[Quota],
) -> Result<axum_governor::GovernorLayer<IpAddr>, Failure> {
    let (first, others) = quotas.split_first().ok_or("no quota")?;
    let mut config = axum_governor::GovernorConfigBuilder::default()
        .with_extractor(PeerIp::default())
        .expect_connect_info()
        .quota_default(first.of_governor()?.into());
    for quota in others {
        config = config.stack("burst", PeerIp::default(), quota.of_governor()?.into());
    }
    Ok(axum_governor::GovernorLayer::new(config.finish()?))
}
