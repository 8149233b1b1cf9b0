//! GitLab's routable tokens.

use data_encoding::BASE64URL_NOPAD;

use super::{Proven, from_base36, in_base};
use crate::finding::Fact;

const BASE36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// Digits of the length field, and of the checksum after it.
const LENGTH: usize = 2;
const CHECK: usize = 7;
/// Random bytes of a payload.
const RANDOM: usize = 16;
/// The longest text before the payload that is tried as an instance prefix: 20 characters are allowed, the kind's
/// own prefix follows.
const LONGEST_PREFIX: usize = 64;

/// The parts of a routable token's text.
struct Parts<'t> {
    /// Everything that the checksum covers.
    covered: &'t [u8],
    /// Where the payload begins, by the length field.
    payload_at: usize,
    payload: &'t [u8],
    check: &'t [u8],
    versioned: bool,
}

/// `<prefix><base64url payload>.01.<length><crc>`, or the unversioned `<prefix><payload>.<length><crc>` of 2024-11 to
/// 2025-04. The CRC-32 (IEEE, lower-case base36, 7 digits) covers all before it, an instance prefix such as
/// `mycorp-glpat-` included: it decides where the token begins. The length field (base36) is that of the payload.
/// Source: gitlabhq lib/authn/token_field/generator/routable_token.rb and decoders/v1/routable_payload.rb, GitLab's
/// handbook for the unversioned form; recomputed on one public sample of each.
/// UNVERIFIED: the meaning of the routing key `t`, which is not reported.
pub(super) fn routable(token: &[u8]) -> Proven {
    let Some(parts) = split(token) else {
        return Proven::fails("not GitLab's <payload>.01.<length><checksum> form, or the length field is wrong");
    };
    let last = parts.payload_at.min(LONGEST_PREFIX);
    let start = (0..=last).find(|&start| check_of(&parts.covered[start..]) == parts.check);
    let Some(skip) = start else {
        return Proven::fails("the last seven characters are not the CRC-32 of what stands before them");
    };
    let mut facts = routing_facts(&parts);
    facts.extend(runner_type(&parts.covered[..parts.payload_at]));
    let why = "the length field and the CRC-32 at the end are right";
    Proven { skip, ..Proven::holds(why, facts) }
}

fn split(token: &[u8]) -> Option<Parts<'_>> {
    let (covered, check) = token.split_at_checked(token.len().checked_sub(CHECK)?)?;
    let (before, length) = covered.split_at_checked(covered.len().checked_sub(LENGTH)?)?;
    let before = before.strip_suffix(b".")?;
    let (head, versioned) = before.strip_suffix(b".01").map_or((before, false), |head| (head, true));
    let length = usize::try_from(from_base36(length)?).ok()?;
    let payload_at = head.len().checked_sub(length)?;
    let payload = &head[payload_at..];
    (length > 0).then_some(Parts { covered, payload_at, payload, check, versioned })
}

/// What the routing part says: lines `key:value`, values in base36, in front of (unversioned) or behind (versioned)
/// the random bytes. The payload's last byte is the length of the part that comes second.
fn routing_facts(parts: &Parts<'_>) -> Vec<Fact> {
    let Ok(raw) = BASE64URL_NOPAD.decode(parts.payload) else { return Vec::new() };
    let Some((&second, parted)) = raw.split_last() else { return Vec::new() };
    let Some(middle) = parted.len().checked_sub(second.into()) else { return Vec::new() };
    let routing = if parts.versioned { &parted[middle..] } else { &parted[..middle] };
    routing.split(|&byte| byte == b'\n').filter_map(routing_fact).collect()
}

fn routing_fact(line: &[u8]) -> Option<Fact> {
    let (key, value) = line.split_at_checked(2)?;
    fact(key.strip_suffix(b":")?, value)
}

/// The fact that a key of a routing payload, or the claim of that name in a job token, stands for.
pub(super) fn fact(key: &[u8], base36: &[u8]) -> Option<Fact> {
    let name = match key {
        b"c" => "gitlab.cell",
        b"g" => "gitlab.group",
        b"o" => "gitlab.organization",
        b"p" => "gitlab.project",
        b"u" => "gitlab.user",
        _ => return None,
    };
    Some(Fact { name, value: from_base36(base36)?.to_string() })
}

/// `glrt-t1_`, `t2_`, `t3_` name the kind of runner.
fn runner_type(prefix: &[u8]) -> Option<Fact> {
    let value = match prefix.last_chunk::<4>()? {
        b"-t1_" => "instance",
        b"-t2_" => "group",
        b"-t3_" => "project",
        _ => return None,
    };
    Some(Fact { name: "gitlab.runner_type", value: value.to_owned() })
}

fn check_of(covered: &[u8]) -> Vec<u8> {
    in_base(crc32fast::hash(covered).into(), BASE36, CHECK)
}

/// A token in either routable form: `prefix` as it is, then a payload of `random` and `routing`, sealed.
/// `None` if the payload is longer than the format can say.
pub(in crate::detect) fn make(prefix: &[u8], random: [u8; RANDOM], routing: &str, versioned: bool) -> Option<Vec<u8>> {
    let mut raw = Vec::new();
    let second = if versioned {
        raw.extend_from_slice(&random);
        raw.extend_from_slice(routing.as_bytes());
        routing.len()
    } else {
        raw.extend_from_slice(routing.as_bytes());
        raw.extend_from_slice(&random);
        RANDOM
    };
    raw.push(u8::try_from(second).ok()?);
    let payload = BASE64URL_NOPAD.encode(&raw);
    if payload.len() >= BASE36.len().pow(2) {
        return None;
    }
    let mut token = [prefix, payload.as_bytes(), if versioned { b".01." } else { b"." }].concat();
    token.extend(in_base(payload.len() as u64, BASE36, LENGTH));
    let check = check_of(&token);
    token.extend(check);
    Some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Proof;
    use proptest::prelude::*;

    fn facts(proven: &Proven) -> Vec<(&str, &str)> {
        proven.facts.iter().map(|fact| (fact.name, fact.value.as_str())).collect()
    }

    #[test]
    fn the_public_versioned_sample_holds() {
        // leaktk/fake-leaks; in pieces so that no file holds a live-looking token.
        let token = ["glpat-", "7x0v4iGtKgqAeS5I", "5xxRHG86MQp1OjEH", ".01.", "0w0nzy6lk"].concat();
        let proven = routable(token.as_bytes());
        assert!(matches!(proven.proof, Proof::Holds(_)), "{proven:?}");
        assert_eq!(facts(&proven), [("gitlab.organization", "1"), ("gitlab.user", "1")]);
    }

    #[test]
    fn the_handbooks_unversioned_sample_holds() {
        let token = ["bzoxd_Rb5_cHeWe1", "JH56wr2FCBA", ".", "0r1pum4t4"].concat();
        let proven = routable(token.as_bytes());
        assert!(matches!(proven.proof, Proof::Holds(_)), "{proven:?}");
        assert_eq!(facts(&proven), [("gitlab.organization", "1")]);
    }

    #[test]
    fn the_checksum_chooses_where_an_instance_prefix_begins() {
        let token = make(b"mycorp-glrt-t3_", *b"0123456789abcdef", "g:z\no:1\np:10", true).unwrap();
        let text = [b"token-", &token[..]].concat();
        let proven = routable(&text);
        assert_eq!(proven.skip, "token-".len());
        let expected = [
            ("gitlab.group", "35"),
            ("gitlab.organization", "1"),
            ("gitlab.project", "36"),
            ("gitlab.runner_type", "project"),
        ];
        assert_eq!(facts(&proven), expected);
    }

    proptest! {
        #[test]
        fn made_holds_and_any_other_character_fails(
            random: [u8; 16], user in 0u64..1 << 40, versioned: bool, at: prop::sample::Index, to in "[0-9a-z]",
        ) {
            let routing = format!("o:1\nu:{}", String::from_utf8(in_base(user, BASE36, 8)).unwrap());
            let mut token = make(b"glpat-", random, &routing, versioned).unwrap();
            let proven = routable(&token);
            prop_assert!(matches!(proven.proof, Proof::Holds(_)));
            prop_assert_eq!(&proven.facts[1].value, &user.to_string());
            let at = at.index(token.len());
            prop_assume!(token[at] != to.as_bytes()[0]);
            token[at] = to.as_bytes()[0];
            prop_assert!(matches!(routable(&token).proof, Proof::Fails(_)));
        }
    }
}
