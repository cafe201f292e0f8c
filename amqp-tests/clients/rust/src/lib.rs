//! Nothing to link: the package exists for its integration tests.
