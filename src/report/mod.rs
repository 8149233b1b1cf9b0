//! Turns X into Y.
