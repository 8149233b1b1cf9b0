//! Makes example tokens of the right shape and checksum, so that none need be stored.

use crate::rule::Rule;

/// A token that `rule` finds and whose proof holds. The same seed makes the same token.
pub fn mint(rule: &Rule, seed: u64) -> Option<String> {
    let _ = (rule, seed);
    None
}
