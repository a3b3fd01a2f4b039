//! What a stack says of itself.

use std::{any::type_name, fmt};

use buttress_headers::SecurityHeadersLayer;
use tower_layer::Identity;

use super::Stack;

impl<M, O> Stack<M, O> {
    /// What is in force, outermost first, a line for each slot.
    ///
    /// ```
    /// use buttress::Stack;
    /// use std::time::Duration;
    ///
    /// let stack = Stack::new().body_limit(4096).timeout(Duration::from_secs(10));
    /// assert!(stack.describe().contains("body limit   4096 bytes"));
    /// ```
    #[must_use]
    pub fn describe(&self) -> String {
        self.slots()
            .map(|(name, filling)| format!("{name:<12} {}", filling.as_deref().unwrap_or("-")))
            .join("\n")
    }

    fn slots(&self) -> [(&'static str, Option<String>); 19] {
        [
            ("health", self.health.as_ref().map(|_| "on".to_owned())),
            ("drain", self.drain.as_ref().map(|_| "on".to_owned())),
            ("client ip", self.client_ip.as_ref().map(ToString::to_string)),
            ("route", self.route.as_ref().map(ToString::to_string)),
            ("request id", Some(self.request_id.to_string()).filter(|id| id != "off")),
            ("trace", self.trace.as_ref().map(ToString::to_string)),
            ("log", self.log.as_ref().map(ToString::to_string)),
            ("metrics", self.metrics.as_ref().map(ToString::to_string)),
            ("observe", self.own.as_ref().map(|_| type_name::<O>().to_owned())),
            ("headers", self.headers.as_ref().map(names).filter(|names| !names.is_empty())),
            ("cors", self.cors.as_ref().map(|(cors, _)| cors.to_string())),
            (
                "compression",
                self.compression.as_ref().map(|(compression, _)| compression.to_string()),
            ),
            (
                "joint",
                Some(type_name::<M>().to_owned()).filter(|name| name != type_name::<Identity>()),
            ),
            ("problem", Some(self.problem.to_string()).filter(|problem| problem != "off")),
            ("csrf", self.csrf.as_ref().map(|(csrf, _)| format!("{csrf}{}", self.also_trusted()))),
            ("limit", self.limit.as_ref().map(ToString::to_string)),
            ("timeout", self.timeout.map(|limit| format!("{limit:?}"))),
            ("body limit", self.body_limit.map(|bytes| format!("{bytes} bytes"))),
            ("sanitize", self.sanitize.as_ref().map(ToString::to_string)),
        ]
    }

    fn also_trusted(&self) -> &'static str {
        match &self.cors {
            Some((cors, _)) if cors.origins().is_empty() => "",
            Some((cors, _)) if cors.has_credentials() => ", those of cors",
            Some(_) => ", those of cors without cookies",
            None => "",
        }
    }
}

fn names(layer: &SecurityHeadersLayer) -> String {
    layer.headers().keys().map(http::HeaderName::as_str).collect::<Vec<_>>().join(", ")
}

/// As [`describe`](Stack::describe), on one line for each slot.
impl<M, O> fmt::Debug for Stack<M, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Stack");
        for (name, filling) in self.slots() {
            if let Some(filling) = filling {
                shown.field(name, &format_args!("{filling}"));
            }
        }
        shown.finish()
    }
}
