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
    configuration: "guide/configuration.md",
    databases: "guide/databases.md",
    flaky_upstream: "recipes/flaky-upstream.md",
    from_env_var: "recipes/from-env-var.md",
    from_println: "recipes/from-println.md",
    json_from_strangers: "recipes/json-from-strangers.md",
    one_limit: "recipes/one-limit.md",
    postgres_that_comes_and_goes: "recipes/postgres-that-comes-and-goes.md",
    prometheus: "recipes/prometheus.md",
    rolling_restart: "recipes/rolling-restart.md",
    rotate_a_key: "recipes/rotate-a-key.md",
    sign_in: "recipes/sign-in.md",
    tracing_opentelemetry: "recipes/tracing-opentelemetry.md",
}
