//! The accept loop: connections in, graceful drain out.
