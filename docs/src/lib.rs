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
    observability: "guide/observability.md",
    from_println: "recipes/from-println.md",
    prometheus: "recipes/prometheus.md",
    tracing_opentelemetry: "recipes/tracing-opentelemetry.md",
}
