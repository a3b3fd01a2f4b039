//! How much there may be of everything. Exact: this many pass, one more does not.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) body: u64,
    pub(crate) depth: u8,
    pub(crate) keys: u32,
    pub(crate) object_keys: u32,
    pub(crate) array_items: u32,
    pub(crate) string: u32,
    pub(crate) key: u16,
    pub(crate) number: u16,
    pub(crate) query: u32,
    pub(crate) parameters: u32,
    pub(crate) parameter_depth: u8,
    pub(crate) path: u32,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self {
        body: 1024 * 1024,
        depth: 32,
        keys: 10_000,
        object_keys: 1_000,
        array_items: 10_000,
        string: 256 * 1024,
        key: 256,
        number: 64,
        query: 8 * 1024,
        parameters: 1_000,
        parameter_depth: 5,
        path: 4 * 1024,
    };

    #[cfg(feature = "serde")]
    pub(crate) const NONE: Self = Self {
        body: u64::MAX,
        depth: u8::MAX,
        keys: u32::MAX,
        object_keys: u32::MAX,
        array_items: u32::MAX,
        string: u32::MAX,
        key: u16::MAX,
        number: u16::MAX,
        query: u32::MAX,
        parameters: u32::MAX,
        parameter_depth: u8::MAX,
        path: u32::MAX,
    };
}
