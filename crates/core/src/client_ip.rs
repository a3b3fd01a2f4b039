//! Who called.
