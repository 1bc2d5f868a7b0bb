//! JOSE formats without I/O: thumbprints, later JWK, JWKS and JWS.
