//! Certificates and requests: prepare, sign once, check what came back.
