//! The code of the book's pages, as doctests. The other checks are in `tests`.

macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../", $path))]
            mod $name {}
        )*
    };
}

pages! {
    input: "guide/input.md",
    lifecycle: "guide/lifecycle.md",
    limits: "guide/limits.md",
    observability: "guide/observability.md",
    outbound: "guide/outbound.md",
    secrets: "guide/secrets.md",
    flaky_upstream: "recipes/flaky-upstream.md",
    from_println: "recipes/from-println.md",
    one_limit: "recipes/one-limit.md",
    prometheus: "recipes/prometheus.md",
    rolling_restart: "recipes/rolling-restart.md",
    rotate_a_key: "recipes/rotate-a-key.md",
    sign_in: "recipes/sign-in.md",
    tracing_opentelemetry: "recipes/tracing-opentelemetry.md",
}
