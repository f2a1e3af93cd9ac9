//! What a connection shows, and what becomes of one that is left half-way.
