//! A span while it is open, of whichever kind.

use http::Version;

use crate::{semconv::Ending, span};

/// An open span.
#[derive(Debug)]
pub(crate) enum Live {
    /// Of the `tracing` crate.
    Span(tracing::Span),
    /// Of OpenTelemetry, with what was current when it began.
    #[cfg(feature = "otel")]
    Otel(opentelemetry::Context),
}

impl Live {
    /// Runs something inside the span.
    pub(crate) fn around<R>(&self, run: impl FnOnce() -> R) -> R {
        match self {
            Self::Span(span) => span.in_scope(run),
            #[cfg(feature = "otel")]
            Self::Otel(context) => {
                let _entered = context.clone().attach();
                run()
            }
        }
    }

    /// The head of a call's answer is there.
    pub(crate) fn answered(&self, version: Version) {
        match self {
            Self::Span(open) => span::answered(open, version),
            #[cfg(feature = "otel")]
            Self::Otel(context) => crate::otel::answered(context, version),
        }
    }

    pub(crate) fn end(self, ending: &Ending<'_>) {
        match self {
            Self::Span(open) => span::end(&open, ending),
            #[cfg(feature = "otel")]
            Self::Otel(context) => crate::otel::end(&context, ending),
        }
    }
}
