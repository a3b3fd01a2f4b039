//! Where a route comes from, and one copy of its text for all requests that match it.

use std::{cell::RefCell, fmt, sync::Arc};

use http::{Extensions, Uri};

/// Looks for the route that was matched.
#[derive(Clone)]
pub(super) struct RouteFrom(Arc<Find>);

type Find = dyn for<'a> Fn(&'a Uri, &'a Extensions) -> Option<&'a str> + Send + Sync;

impl RouteFrom {
    pub(super) fn new<F>(find: F) -> Self
    where
        F: for<'a> Fn(&'a Uri, &'a Extensions) -> Option<&'a str> + Send + Sync + 'static,
    {
        Self(Arc::new(find))
    }

    pub(super) fn find<'a>(&self, uri: &'a Uri, extensions: &'a Extensions) -> Option<&'a str> {
        (self.0)(uri, extensions)
    }
}

impl fmt::Debug for RouteFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<fn>")
    }
}

/// A power of two. With two routes each there is room for the routes of most services, at 4 KiB a
/// thread.
const SETS: usize = 128;
/// In bytes. What is longer was not written by hand, and is not worth keeping.
const MAX_KEPT: usize = 256;

thread_local! {
    /// Where a route may be is told by its text; the newer of a set comes first, and a third one
    /// takes the older's place. So it never grows, whatever is looked up in it.
    static KEPT: RefCell<Vec<[Option<Arc<str>>; 2]>> = const { RefCell::new(Vec::new()) };
}

/// The route as the context keeps it: this thread's copy, if it has one.
pub(super) fn shared(route: &str) -> Arc<str> {
    if route.len() > MAX_KEPT {
        return Arc::from(route);
    }
    let kept = KEPT.try_with(|kept| {
        let mut sets = kept.try_borrow_mut().ok()?;
        if sets.is_empty() {
            sets.resize_with(SETS, Default::default);
        }
        let set = sets.get_mut(set_of(route))?;
        if let Some(known) = set.iter().flatten().find(|known| &***known == route) {
            return Some(Arc::clone(known));
        }
        let new: Arc<str> = Arc::from(route);
        let [newer, older] = set;
        *older = newer.replace(Arc::clone(&new));
        Some(new)
    });
    // A thread that is being torn down keeps nothing.
    kept.ok().flatten().unwrap_or_else(|| Arc::from(route))
}

/// Spreads a service's routes. Nobody is kept from finding some that fall together: it would cost
/// an allocation for each request, as without all this.
fn set_of(route: &str) -> usize {
    /// The golden ratio's fraction, odd, as Knuth multiplies with.
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let (words, rest) = route.as_bytes().as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let all = words.chain(rest.iter().map(|byte| u64::from(*byte)));
    let hash = all.fold(0, |hash: u64, word| (hash.rotate_left(5) ^ word).wrapping_mul(FACTOR));
    // The product's upper bits depend on all of the text.
    usize::try_from(hash >> 48).unwrap_or(0) % SETS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_was_seen_is_not_copied_again() {
        let first = shared("/users/{id}");
        let other = shared("/users/{id}/posts");
        assert!(Arc::ptr_eq(&first, &shared(&String::from("/users/{id}"))));
        assert_eq!((&*first, &*other), ("/users/{id}", "/users/{id}/posts"));
    }

    #[test]
    fn whatever_is_looked_up_the_memory_is_bounded_and_the_answer_right() {
        for number in 0..10_000 {
            let route = format!("/made/up/{number}");
            assert_eq!(&*shared(&route), route);
        }
        KEPT.with_borrow(|sets| assert_eq!(sets.len(), SETS));

        let long = "/x".repeat(MAX_KEPT);
        assert_eq!(&*shared(&long), long);
        assert!(!Arc::ptr_eq(&shared(&long), &shared(&long)));
    }

    #[test]
    fn a_services_routes_spread() {
        let mut sets = std::collections::HashSet::new();
        for thing in ["users", "orders", "carts", "invoices", "shelves", "books", "authors"] {
            for end in ["", "/{id}", "/{id}/items", "/{id}/items/{item}", "/search"] {
                sets.insert(set_of(&format!("/api/v1/{thing}{end}")));
            }
        }
        assert!(sets.len() > 26, "{} of 35", sets.len());
    }
}
