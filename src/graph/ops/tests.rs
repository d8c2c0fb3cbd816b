//! Every operator against a naive computation.
