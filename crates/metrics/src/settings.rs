//! What a meter is set to.

use std::{fmt, sync::Arc, time::Duration};

use http::{Extensions, Method};

use crate::{
    error::{ConfigError, ConfigErrorKind},
    labels::{MAX_METHODS, Methods, OTHER, Scheme},
    otel::Export,
};

/// Which side of the exchange is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Server,
    Client,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) kind: Kind,
    pub(crate) scheme: Option<Scheme>,
    pub(crate) methods: Methods,
    pub(crate) route_from: Option<RouteFrom>,
    pub(crate) window: Duration,
    pub(crate) exemplars: bool,
    pub(crate) export: Export,
}

pub(crate) type RouteFrom =
    Arc<dyn for<'a> Fn(&'a Extensions) -> Option<&'a str> + Send + Sync + 'static>;

impl Settings {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            scheme: None,
            methods: Methods::conventional(),
            route_from: None,
            window: Duration::from_secs(60),
            exemplars: true,
            export: Export::default(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("kind", &self.kind)
            .field("scheme", &self.scheme)
            .field("methods", &self.methods)
            .field("route_from", &self.route_from.as_ref().map(|_| format_args!("<fn>")))
            .field("window", &self.window)
            .field("exemplars", &self.exemplars)
            .field("export", &self.export)
            .finish()
    }
}

/// Reads a list as `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` holds it; `None` of an empty one,
/// which says no more than one that is not set.
pub(crate) fn parse_methods(list: &str) -> Result<Option<Methods>, ConfigError> {
    let mut methods = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let Ok(method) = Method::from_bytes(name.as_bytes()) else {
            let message = format!("{name:?} is no method: letters, digits and !#$%&'*+-.^_`|~");
            return Err(ConfigError::new(ConfigErrorKind::InvalidMethod, message));
        };
        // What stands for all others stands for itself, too.
        if method.as_str() != OTHER && !methods.contains(&method) {
            methods.push(method);
        }
    }
    if methods.len() > MAX_METHODS {
        let message = format!("{} methods; {MAX_METHODS} at most", methods.len());
        return Err(ConfigError::new(ConfigErrorKind::TooManyMethods, message));
    }
    Ok((!methods.is_empty()).then(|| Methods::new(methods)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_methods_is_a_full_override() {
        for (list, known, other) in [
            ("GET,POST", "GET", "PUT"),
            (" PURGE , GET", "PURGE", "POST"),
            ("GET,get", "get", "Get"),
            ("GET,,GET,", "GET", "PATCH"),
            ("GET,_OTHER", "GET", "_OTHER"),
        ] {
            let methods = parse_methods(list).unwrap().unwrap();
            let name =
                |method: &str| methods.name(methods.index(&method.parse().unwrap())).to_owned();
            assert_eq!(
                (name(known), name(other)),
                (known.to_owned(), "_OTHER".to_owned()),
                "{list}"
            );
        }
        assert!(parse_methods(" , ").unwrap().is_none());
        assert_eq!(parse_methods("GET,_OTHER").unwrap().unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_method_is_refused() {
        let error = parse_methods("GET,BAD METHOD").unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::InvalidMethod);
        let many: Vec<_> = (0..300).map(|number| format!("M{number}")).collect();
        let error = parse_methods(&many.join(",")).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::TooManyMethods);
        assert_eq!(error.to_string(), "300 methods; 255 at most");
    }
}
