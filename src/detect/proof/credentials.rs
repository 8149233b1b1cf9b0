//! Users and passwords in base64.

use super::{Proven, fact, from_base64};

/// Passwords that stand for none: the user is the token.
const NO_PASSWORDS: &[&[u8]] = &[b"", b"x-oauth-basic", b"x-token-auth", b"x", b"X"];
/// A user of so many characters may be a token.
const LONG: usize = 20;

/// Base64 of `user:password` without control characters (RFC 7617 section 2; Docker's `auth` and npm's `_auth` are the
/// same). What is something else is no credential. What is one may still be an example, so nothing is proven: the
/// evidence judges the password. The user is told, unless it may be the secret, or hold it.
pub(super) fn pair(token: &[u8]) -> Proven {
    let Some(raw) = from_base64(token) else { return Proven::fails("not base64") };
    let Some((user, password)) = split(&raw) else { return Proven::fails("does not decode to user:password") };
    let short = user.len() < LONG || user.contains(&b'@');
    let hidden = NO_PASSWORDS.contains(&password) || holds(user, password) || holds(password, user);
    let name = std::str::from_utf8(user).ok().filter(|_| short && !hidden);
    Proven::absent(name.and_then(|name| fact("user", name)).into_iter().collect())
}

/// The part of the credentials that is secret, and what is not.
pub(in crate::detect) struct Parts {
    /// The password, or a token in the user's place.
    pub secret: Vec<u8>,
    /// The user; empty where the token stands there.
    pub user: Vec<u8>,
}

/// What base64 encodes, taken apart. `None` if it is no credentials.
pub(in crate::detect) fn parts(token: &[u8]) -> Option<Parts> {
    let raw = from_base64(token)?;
    let (user, password) = split(&raw)?;
    if NO_PASSWORDS.contains(&password) {
        return Some(Parts { secret: user.to_vec(), user: Vec::new() });
    }
    Some(Parts { secret: password.to_vec(), user: user.to_vec() })
}

fn split(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    // Docker pads passwords with zeros; `echo user:password | base64` ends the line.
    let end = raw.iter().rposition(|byte| !b"\0\r\n".contains(byte))? + 1;
    let text = std::str::from_utf8(&raw[..end]).ok()?;
    let colon = text.find(':')?;
    let plain = end > 1 && !text.chars().any(char::is_control);
    plain.then(|| (&raw[..colon], &raw[colon + 1..end]))
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && memchr::memmem::find(text, part).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Proof;
    use data_encoding::BASE64;
    use proptest::prelude::*;

    fn proven(text: &str) -> Proven {
        pair(BASE64.encode(text.as_bytes()).as_bytes())
    }

    #[test]
    fn the_user_is_told_unless_it_may_be_the_secret() {
        assert_eq!(proven("deploy:hunter2").facts[0].value, "deploy");
        assert_eq!(proven("deploy:hunter2\0\0").facts[0].value, "deploy");
        assert_eq!(proven("deploy:hunter2\r\n").facts[0].value, "deploy");
        for text in
            ["0123456789abcdefghij:x-oauth-basic", "sk:", "same:same", "xsecretx:secret", "0123456789abcdefghij:pw"]
        {
            let proven = proven(text);
            assert!(proven.proof == Proof::Absent && proven.facts.is_empty(), "{text}: {proven:?}");
        }
    }

    #[test]
    fn what_is_no_pair_fails() {
        for text in ["nothing", ":", "a\u{7}:b", ""] {
            assert!(matches!(proven(text).proof, Proof::Fails(_)), "{text:?}");
        }
        assert!(matches!(pair(b"base64encoded").proof, Proof::Fails(_)));
    }

    proptest! {
        #[test]
        fn no_fact_holds_the_password(user in "[ -9;-~]{0,30}", password in "[ -~]{1,30}") {
            let token = BASE64.encode(format!("{user}:{password}").as_bytes());
            for fact in pair(token.as_bytes()).facts {
                prop_assert!(!fact.value.contains(&password));
            }
        }
    }
}
