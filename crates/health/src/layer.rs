//! The layer and its verbs.

use std::{fmt, sync::Arc};

use buttress_core::Secret;
use http::HeaderMap;
use tower_layer::Layer;

use crate::{
    access::Access,
    endpoint::{DEFAULT, Endpoint},
    error::{ConfigError, ConfigErrorKind as Kind},
    registry::Health,
    service::{HealthService, NotFound},
};

/// The status page's stylesheet is beside it.
const STYLE: &str = ".css";

/// Answers the probes in front of any service.
///
/// It goes outermost: a probe is answered whatever the rest is doing. A path of the table of
/// [`Endpoint`] is answered here, and everything else goes on.
///
/// ```
/// use axum::{Router, routing::get};
/// use buttress_health::{HealthLayer, Registry};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), buttress_health::ConfigError> {
/// let (health, runner) = Registry::new().split();
/// tokio::spawn(runner.run());
/// let layer = HealthLayer::new(&health).status_token("a-token-of-32-random-characters.".into())?;
/// // Last, so that it is outermost.
/// let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(layer);
/// # let _ = app;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct HealthLayer {
    shared: Arc<Shared>,
}

#[derive(Clone, Debug)]
pub(crate) struct Shared {
    health: Health,
    prefix: String,
    /// Without the prefix.
    paths: Vec<(String, Endpoint)>,
    access: Access,
    renderer: Option<Renderer>,
}

/// Makes the page of metrics: its content type, and its text.
#[derive(Clone)]
pub(crate) struct Renderer(Arc<Render>);

type Render = dyn Fn(&HeaderMap) -> (&'static str, String) + Send + Sync;

impl Renderer {
    pub(crate) fn render(&self, headers: &HeaderMap) -> (&'static str, String) {
        (self.0)(headers)
    }
}

impl fmt::Debug for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<fn>")
    }
}

/// Whom a path means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    /// With its path, without the prefix.
    Endpoint(Endpoint, &'a str),
    /// The status page's stylesheet.
    Style,
}

impl HealthLayer {
    /// All probes, at their usual paths; no details.
    pub fn new(health: &Health) -> Self {
        let paths = DEFAULT.map(|(path, endpoint)| (path.to_owned(), endpoint)).to_vec();
        let (health, prefix) = (health.clone(), String::new());
        let (access, renderer) = (Access::Nobody, None);
        Self { shared: Arc::new(Shared { health, prefix, paths, access, renderer }) }
    }

    /// Shows details at `/status` to whom brings this token: as `Authorization: Bearer`, or as the
    /// password, under any name, for which a browser asks. How long the comparison takes says
    /// nothing of the token but its length.
    ///
    /// # Errors
    /// If it has less than 16 characters, or one that is no visible ASCII.
    pub fn status_token(self, token: Secret<String>) -> Result<Self, ConfigError> {
        let access = Access::token(token)?;
        Ok(self.with(|shared| shared.access = access))
    }

    /// Shows details at `/status` to everyone: on a port of its own that only operators reach.
    pub fn status_for_anyone(self) -> Self {
        self.with(|shared| shared.access = Access::Anyone)
    }

    /// Answers at `/metrics` with what `render` makes of the request's headers: a content type and
    /// a text. A scrape calls it, so it must not block.
    ///
    /// Names of checks are among the numbers, so it is for those who may see details: without
    /// [`status_token`](Self::status_token) or [`status_for_anyone`](Self::status_for_anyone) there
    /// is none.
    ///
    /// ```
    /// use buttress_health::{HealthLayer, Registry};
    ///
    /// let (health, runner) = Registry::new().split();
    /// let layer = HealthLayer::new(&health)
    ///     .status_for_anyone()
    ///     .metrics(|_headers| ("text/plain; version=0.0.4", String::from("up 1\n")));
    /// # let _ = (layer, runner);
    /// ```
    pub fn metrics(
        self,
        render: impl Fn(&HeaderMap) -> (&'static str, String) + Send + Sync + 'static,
    ) -> Self {
        self.with(|shared| shared.renderer = Some(Renderer(Arc::new(render))))
    }

    /// Puts all paths below this one: `/api/v1` makes `/api/v1/health`.
    ///
    /// # Errors
    /// If it does not begin with `/`, ends with it, or is no path.
    pub fn prefix(self, prefix: &str) -> Result<Self, ConfigError> {
        check_path(prefix)?;
        Ok(self.with(|shared| shared.prefix = prefix.to_owned()))
    }

    /// Answers for an endpoint at one more path.
    ///
    /// # Errors
    /// If it does not begin with `/`, ends with it, is no path, or is taken.
    pub fn path(self, endpoint: Endpoint, path: &str) -> Result<Self, ConfigError> {
        check_path(path)?;
        let is_style = |path: &str, of: &str, endpoint| {
            endpoint == Endpoint::Status && path.strip_suffix(STYLE) == Some(of)
        };
        let is_taken = self.shared.paths.iter().any(|(other, taken)| {
            other == path || is_style(path, other, *taken) || is_style(other, path, endpoint)
        });
        if is_taken {
            return Err(ConfigError::new(Kind::Path, format!("{path}: the path is taken")));
        }
        Ok(self.with(|shared| shared.paths.push((path.to_owned(), endpoint))))
    }

    /// Leaves an endpoint's paths so far to the inner service.
    pub fn without(self, endpoint: Endpoint) -> Self {
        self.with(|shared| shared.paths.retain(|(_, other)| *other != endpoint))
    }

    /// The probes alone, for a port of their own; every other path is a 404.
    pub fn into_service(self) -> HealthService<NotFound> {
        HealthService::new(NotFound, self.shared)
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }
}

impl Shared {
    pub(crate) fn target(&self, path: &str) -> Option<Target<'_>> {
        let rest = path.strip_prefix(self.prefix.as_str())?;
        for (own, endpoint) in &self.paths {
            match rest.strip_prefix(own.as_str()) {
                Some("") if self.has(*endpoint) => return Some(Target::Endpoint(*endpoint, own)),
                Some(STYLE) if *endpoint == Endpoint::Status && self.has(*endpoint) => {
                    return Some(Target::Style);
                }
                _ => {}
            }
        }
        None
    }

    const fn has(&self, endpoint: Endpoint) -> bool {
        let somebody = !matches!(self.access, Access::Nobody);
        match endpoint {
            Endpoint::Status => somebody,
            Endpoint::Metrics => somebody && self.renderer.is_some(),
            _ => true,
        }
    }

    pub(crate) const fn renderer(&self) -> Option<&Renderer> {
        self.renderer.as_ref()
    }

    pub(crate) const fn health(&self) -> &Health {
        &self.health
    }

    pub(crate) const fn access(&self) -> &Access {
        &self.access
    }
}

fn check_path(path: &str) -> Result<(), ConfigError> {
    let is_path = path.starts_with('/')
        && !path.ends_with('/')
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
    if !is_path {
        let message = format!("{path:?} is no path: it begins with `/` and does not end with it");
        return Err(ConfigError::new(Kind::Path, message));
    }
    Ok(())
}

impl<S> Layer<S> for HealthLayer {
    type Service = HealthService<S>;

    fn layer(&self, inner: S) -> HealthService<S> {
        HealthService::new(inner, Arc::clone(&self.shared))
    }
}

impl fmt::Debug for HealthLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthLayer")
            .field("health", &self.shared.health)
            .field("prefix", &self.shared.prefix)
            .field("paths", &self.shared.paths)
            .field("access", &self.shared.access)
            .field("renderer", &self.shared.renderer)
            .finish()
    }
}
