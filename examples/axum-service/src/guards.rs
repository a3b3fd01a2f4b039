//! What is let in of paths, queries and bodies.

use std::time::Duration;

use buttress::sanitize::{Kind, Policy, SanitizeHandle, SanitizeLayer};

/// The most bytes of an upload.
pub(crate) const UPLOAD: u64 = 256 << 20;

/// How long a body may keep its reader waiting in all.
const PATIENCE: Duration = Duration::from_secs(10);
const UPLOAD_PATIENCE: Duration = Duration::from_secs(60);

/// The guards. A clone shares the counts.
#[derive(Clone, Debug)]
pub(crate) struct Guards {
    /// Of all routes but those for uploads: JSON and forms, of at most 1 MiB.
    pub(crate) every: SanitizeLayer,
    /// Of what is neither, and goes by in constant memory.
    pub(crate) uploads: SanitizeLayer,
}

impl Guards {
    pub(crate) fn new() -> Self {
        let policy = Policy::strict_json();
        Self {
            every: SanitizeLayer::new(policy.clone())
                .body_timeout(PATIENCE)
                // The extractors of typed input judge by the same.
                .share_policy(),
            uploads: SanitizeLayer::new(policy.max_body(UPLOAD))
                .name("uploads")
                .accept([Kind::Other])
                .body_timeout(UPLOAD_PATIENCE),
        }
    }

    /// For a page of metrics.
    pub(crate) fn sources(&self) -> impl Iterator<Item = SanitizeHandle> {
        [&self.every, &self.uploads].map(SanitizeLayer::handle).into_iter()
    }
}
