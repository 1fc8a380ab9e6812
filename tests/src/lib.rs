//! Tests live in the modules below.
