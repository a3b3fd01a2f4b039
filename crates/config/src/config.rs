//! A type that is read from variables.

use crate::vars::Vars;

/// A type that is read from variables. [`config!`](crate::config) writes it.
pub trait Config: Sized {
    /// Reads each variable and makes the whole of them.
    ///
    /// It is also called to describe the variables, and then nothing is read: all must be asked
    /// for before the first `?`. [`Vars`] has an example.
    fn declare(vars: &mut Vars<'_>) -> Option<Self>;
}

/// Declares a configuration: a struct of which each field is a variable, and the variable's
/// documentation the field's.
///
/// ```
/// use std::{net::SocketAddr, time::Duration};
/// use buttress_config::{Environment, Flag, Profile, Secret, Url, config, require};
/// use buttress_config::rule::{not_local, range, scheme, strong};
///
/// static CHAT: Flag = Flag::new("SHOP_ENABLE_CHAT", true, "Customers may talk to us.");
///
/// config! {
///     /// What the shop is started with.
///     #[derive(Clone, Debug)]
///     pub struct Settings {
///         /// Where it listens. Port 0 picks a free port.
///         pub bind: SocketAddr = var("SHOP_BIND").default("127.0.0.1:3000"),
///         /// Signs the sessions.
///         pub session_secret: Secret<String> = var("SHOP_SESSION_SECRET")
///             .default_in(Profile::Development, "a secret that is good enough at home")
///             .rule(strong(32).in_production()),
///         /// Where orders are kept; in memory where it is not set.
///         pub database_url: Option<Secret<Url>> = var("SHOP_DATABASE_URL")
///             .example("postgres://shop@localhost/shop")
///             .rule(scheme(&["postgres", "postgresql"])),
///         /// Whose pages may call.
///         pub cors_origins: Vec<Url> = var("SHOP_CORS_ORIGINS").default("")
///             .rule(not_local().in_production()),
///         /// How long an answer may take.
///         pub timeout: Duration = var("SHOP_TIMEOUT").alias("SHOP_TIMEOUT_MS").default("30s"),
///         /// Of the database.
///         pub pool: Pool = group().prefixed("SHOP_POOL_"),
///     }
///     flags { CHAT }
/// }
///
/// config! {
///     /// Connections.
///     #[derive(Clone, Debug)]
///     pub struct Pool {
///         /// At least so many are kept open.
///         pub min: u16 = var("MIN").default(2),
///         /// And so many at most.
///         pub max: u16 = var("MAX").default(20).rule(range(1..=500)),
///     }
///     rules {
///         (min, max) => require(min <= max, "as many at least as at most, or fewer"),
///     }
/// }
///
/// let environment = Environment::of([
///     ("APP_ENV", "development"),
///     ("SHOP_TIMEOUT_MS", "900"),
///     ("SHOP_POOL_MAX", "8"),
/// ]);
/// let settings = environment.prefix("SHOP_").load::<Settings>()?;
/// assert_eq!(settings.timeout, Duration::from_millis(900));
/// assert_eq!((settings.pool.min, settings.pool.max), (2, 8));
/// # Ok::<(), buttress_config::Report>(())
/// ```
///
/// Each field has a doc comment, and `=` behind its type one of
///
/// - `var("NAME")`, for a type that is a [`Value`](crate::Value), or an `Option` of one;
/// - `parsed("NAME", function)`, for any type, by [`Vars::parsed`];
/// - `group()`, for a configuration in it, by [`Vars::group`];
///
/// with the verbs of [`Var`](crate::Var) or [`Group`](crate::Group) behind it. A field without a
/// default that is no `Option` must be set.
///
/// After the struct there may be `flags { NAME, … }`, which are [`Flag`](crate::Flag)s, and
/// `rules { (field, …) => require(…), … }`: such a rule sees its fields by reference, under their
/// names, and is asked when all of them could be read, whatever is wrong with others.
#[macro_export]
macro_rules! config {
    (@var $field:ident, $vars:ident, $type:ty, $name:expr) => {
        $crate::Vars::var::<$type>($vars, $name)
    };
    (@parsed $field:ident, $vars:ident, $type:ty, $name:expr, $parse:expr) => {
        $crate::Vars::parsed::<$type, _>($vars, $name, $parse)
    };
    (@group $field:ident, $vars:ident, $type:ty,) => { $crate::Vars::group::<$type>($vars) };
    (@$begin:ident $field:ident, $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($field), "` is to be `var(\"NAME\")`, ",
            "`parsed(\"NAME\", function)` or `group()`, and not `",
            ::core::stringify!($begin), "` with these arguments",
        ))
    };
    (@@about $field:ident) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($field),
            "` needs a doc comment (`///`): it is what is told of its variable",
        ))
    };
    (@@about $field:ident $($doc:literal)+) => { ::core::concat!($($doc, "\n"),+) };
    (@@flags $vars:ident $($flag:path),* $(,)?) => { $( $vars.flag(&$flag); )* };
    (@@rules $vars:ident $( ($($of:ident),+ $(,)?) => $rule:expr ),* $(,)?) => {$(
        let names = [$($of.names()),+].concat();
        if let ($(::core::option::Option::Some($of),)+) = ($($of.value(),)+) {
            // A `return` or `?` in a rule ends the rule, and not the reading.
            let rule = || -> $crate::Requirement { $rule };
            $vars.require(names, rule());
        }
    )*};
    (@@$section:ident $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($section), "` cannot be read: ",
            "behind the struct come `flags { NAME, … }` and `rules { (field, …) => require(…), … }`",
        ))
    };
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $field_visibility:vis $field:ident : $type:ty =
                    $begin:ident ( $($argument:expr),* $(,)? )
                    $( . $verb:ident ( $($verb_argument:expr),* $(,)? ) )*
            ),+ $(,)?
        }
        $( $section:ident { $($item:tt)* } )*
    ) => {
        $(#[$attribute])*
        $visibility struct $name {
            $( $(#[doc = $doc])* $field_visibility $field: $type, )+
        }

        impl $crate::Config for $name {
            fn declare(vars: &mut $crate::Vars<'_>) -> ::core::option::Option<Self> {
                $(
                    let $field = $crate::config!(@$begin $field, vars, $type, $($argument),*)
                        .about($crate::config!(@@about $field $($doc)*))
                        $( .$verb($($verb_argument),*) )*
                        .read();
                )+
                $( $crate::config!(@@$section vars $($item)*); )*
                ::core::option::Option::Some(Self { $( $field: $field.into_value()?, )+ })
            }
        }
    };
}
