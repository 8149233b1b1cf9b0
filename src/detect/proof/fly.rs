//! Fly.io's tokens: macaroons in MessagePack.

use data_encoding::BASE64;

use super::{Proven, fact, from_base64, jwt};
use crate::finding::Fact;
use crate::rule::Confidence;

/// What stands before the base64 of a token: of today's, of those before it, and of their discharges.
const PREFIXES: [&[u8]; 3] = [b"fm2_", b"fm1r_", b"fm1a_"];
/// Where tokens lead that allow something; other places are those of discharges.
const HOME: &[u8] = b"https://api.fly.io/v1";
/// Bytes of the random part of a nonce, and of the signature, an HMAC of SHA-256.
const DRAWN: usize = 16;
const SIGNED: usize = 32;
/// Kinds of caveats whose facts are read.
const ORGANIZATION: u64 = 0;
const VALIDITY: u64 = 4;
/// Arrays inside each other; a caveat with conditions has six.
const DEPTH: u8 = 16;
/// Bytes of a key's id, and random bytes that [`make`] takes.
const KEY: usize = 8;
const RANDOM: usize = KEY + DRAWN + SIGNED;

/// Tokens with commas between them, each a prefix and standard base64 of an array of four in MessagePack: the nonce (id of the
/// key, 16 random bytes, and in newer ones a mark), a location, caveats (kind and body in turns), and a signature of 32 bytes:
/// superfly/macaroon, `macaroon.go`, `nonce.go`, `caveat_set.go`, `format.go`, `flyio/flyio.go`. There are no published
/// vectors. The signature is not checked: its key is Fly.io's.
pub(super) fn macaroons(token: &[u8], now: i64) -> Proven {
    let read = |one: &[u8]| {
        let text = PREFIXES.iter().find_map(|prefix| one.strip_prefix(*prefix))?;
        Macaroon::read(&from_base64(text)?)
    };
    let all: Option<Vec<Macaroon>> = token.split(|&byte| byte == b',').map(read).collect();
    let Some(all) = all else { return Proven::fails("does not decode to macaroons") };
    let Some(main) = all.iter().find(|macaroon| macaroon.location == HOME) else { return Proven::absent(Vec::new()) };
    let organization = main.organization.and_then(|id| fact("fly.organization", &id.to_string()));
    let expiry = main.expires.map_or_else(Vec::new, |at| jwt::expiry(at as f64, now));
    let expired = main.expires.is_some_and(|at| at <= now as u64);
    let facts: Vec<Fact> = organization.into_iter().chain(expiry).collect();
    let most = if expired { Confidence::Medium } else { Confidence::High };
    Proven { most, ..Proven::holds("decodes to a macaroon of Fly.io's", facts) }
}

#[derive(Debug)]
struct Macaroon {
    location: Vec<u8>,
    organization: Option<u64>,
    /// Seconds since 1970: the earliest end of all.
    expires: Option<u64>,
}

impl Macaroon {
    fn read(raw: &[u8]) -> Option<Macaroon> {
        let mut rest = raw;
        let whole = value(&mut rest, DEPTH)?;
        let [Value::Array(nonce), Value::Text(location), Value::Array(caveats), Value::Text(signature)] =
            &whole.array()?[..]
        else {
            return None;
        };
        let nonce = match &nonce[..] {
            [Value::Text(_), Value::Text(drawn)] | [Value::Text(_), Value::Text(drawn), Value::Other] => drawn,
            _ => return None,
        };
        if nonce.len() != DRAWN || signature.len() != SIGNED || !caveats.len().is_multiple_of(2) || !rest.is_empty() {
            return None;
        }
        let mut macaroon = Macaroon { location: location.to_vec(), organization: None, expires: None };
        for caveat in caveats.chunks_exact(2) {
            let [Value::Number(kind), body] = caveat else { return None };
            let field = |at: usize| match body {
                Value::Array(fields) => fields.get(at).and_then(Value::number),
                _ => None,
            };
            match *kind {
                ORGANIZATION => macaroon.organization = field(0),
                VALIDITY => macaroon.expires = [macaroon.expires, field(1)].into_iter().flatten().min(),
                _ => {}
            }
        }
        Some(macaroon)
    }
}

/// A value of MessagePack (<https://github.com/msgpack/msgpack/blob/master/spec.md>), as far as it matters here.
enum Value<'r> {
    /// Not negative.
    Number(u64),
    /// Text or bytes.
    Text(&'r [u8]),
    Array(Vec<Value<'r>>),
    /// A truth value, nothing, a negative or broken number, a map, an extension.
    Other,
}

impl<'r> Value<'r> {
    fn array(self) -> Option<Vec<Value<'r>>> {
        if let Value::Array(values) = self { Some(values) } else { None }
    }

    fn number(&self) -> Option<u64> {
        if let Value::Number(number) = self { Some(*number) } else { None }
    }
}

/// The next value, which is taken from `rest`. `None` if it is cut off, no MessagePack, or nested deeper than `depth`.
fn value<'r>(rest: &mut &'r [u8], depth: u8) -> Option<Value<'r>> {
    let depth = depth.checked_sub(1)?;
    let (&kind, behind) = rest.split_first()?;
    *rest = behind;
    let skipped = |rest: &mut &'r [u8], len: usize| taken(rest, len).map(|_| Value::Other);
    Some(match kind {
        0x00..=0x7f => Value::Number(kind.into()),
        0x80..=0x8f => map(rest, (kind & 0x0f).into(), depth)?,
        0x90..=0x9f => array(rest, (kind & 0x0f).into(), depth)?,
        0xa0..=0xbf => Value::Text(taken(rest, (kind & 0x1f).into())?),
        0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => Value::Other,
        0xc1 => return None,
        // Lengths of 1, 2, 4 bytes.
        0xc4..=0xc6 => text(rest, 1 << (kind - 0xc4))?,
        0xd9..=0xdb => text(rest, 1 << (kind - 0xd9))?,
        0xc7..=0xc9 => {
            let len = usize::try_from(number(rest, 1 << (kind - 0xc7))?).ok()?;
            skipped(rest, len.checked_add(1)?)?
        }
        0xca => skipped(rest, 4)?,
        0xcb => skipped(rest, 8)?,
        0xcc..=0xcf => Value::Number(number(rest, 1 << (kind - 0xcc))?),
        // Negative ones begin with a set bit.
        0xd0..=0xd3 => {
            let len = 1usize << (kind - 0xd0);
            let is_negative = rest.first()? & 0x80 != 0;
            let number = number(rest, len)?;
            if is_negative { Value::Other } else { Value::Number(number) }
        }
        0xd4..=0xd8 => skipped(rest, 1 + (1 << (kind - 0xd4)))?,
        0xdc | 0xdd => {
            let len = number(rest, if kind == 0xdc { 2 } else { 4 })?;
            array(rest, len, depth)?
        }
        0xde | 0xdf => {
            let len = number(rest, if kind == 0xde { 2 } else { 4 })?;
            map(rest, len, depth)?
        }
    })
}

/// So many values. Nothing is reserved for them: each has a byte at least.
fn array<'r>(rest: &mut &'r [u8], len: u64, depth: u8) -> Option<Value<'r>> {
    let mut values = Vec::new();
    for _ in 0..len {
        values.push(value(rest, depth)?);
    }
    Some(Value::Array(values))
}

fn map<'r>(rest: &mut &'r [u8], len: u64, depth: u8) -> Option<Value<'r>> {
    array(rest, len.checked_mul(2)?, depth).map(|_| Value::Other)
}

fn text<'r>(rest: &mut &'r [u8], digits: usize) -> Option<Value<'r>> {
    let len = usize::try_from(number(rest, digits)?).ok()?;
    taken(rest, len).map(Value::Text)
}

fn number(rest: &mut &[u8], digits: usize) -> Option<u64> {
    Some(taken(rest, digits)?.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

fn taken<'r>(rest: &mut &'r [u8], len: usize) -> Option<&'r [u8]> {
    let (bytes, behind) = rest.split_at_checked(len)?;
    *rest = behind;
    Some(bytes)
}

/// A token of an organization, for as long as anybody likes.
pub(in crate::detect) fn make(prefix: &[u8], random: [u8; RANDOM]) -> Vec<u8> {
    let (key, rest) = random.split_at(KEY);
    let (drawn, signature) = rest.split_at(DRAWN);
    let bytes = |bytes: &[u8]| [&[0xc4, bytes.len() as u8], bytes].concat();
    let location = [&[0xa0 | HOME.len() as u8], HOME].concat();
    // Organization 77 and one application of it, to read and to write.
    let caveats = [0x94, 0, 0x92, 77, 0x1f, 3, 0x91, 0x81, 0xce, 0, 1, 2, 3, 0x1f];
    let raw = [&[0x94, 0x93][..], &bytes(key), &bytes(drawn), &[0xc2], &location, &caveats, &bytes(signature)].concat();
    [prefix, BASE64.encode(&raw).as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::finding::Proof;

    fn raw(token: &[u8]) -> Vec<u8> {
        from_base64(&token[4..]).unwrap()
    }

    fn told(proven: &Proven, name: &str) -> Option<String> {
        proven.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.clone())
    }

    #[test]
    fn what_a_token_says_is_told() {
        let token = make(b"fm2_", [7; RANDOM]);
        assert!(token.starts_with(b"fm2_lJPE"));
        let proven = macaroons(&token, 0);
        assert!(proven.proof.holds());
        assert_eq!(told(&proven, "fly.organization").as_deref(), Some("77"));
        // The caveats are the first array behind the location: a time until 1,000,000,000 in place of the organization.
        let mut bytes = raw(&token);
        let at = bytes.windows(5).position(|five| five == [0x94, 0, 0x92, 77, 0x1f]).unwrap();
        bytes.splice(at..at + 5, [0x94, 4, 0x92, 0, 0xce, 0x3b, 0x9a, 0xca, 0]);
        let until = [&b"fm2_"[..], BASE64.encode(&bytes).as_bytes()].concat();
        for (now, most) in [(999_999_999, Confidence::High), (1_000_000_000, Confidence::Medium)] {
            let proven = macaroons(&until, now);
            assert_eq!((told(&proven, "expires").as_deref(), proven.most), (Some("2001-09-09T01:46:40Z"), most));
        }
        let bundle = [&token[..], b",", &make(b"fm1a_", [8; RANDOM])].concat();
        assert!(macaroons(&bundle, 0).proof.holds());
        assert!(matches!(macaroons(&[&bundle[..], b",fm2_AAAA"].concat(), 0).proof, Proof::Fails(_)));
        let mut other = raw(&token);
        let at = other.windows(3).position(|three| three == b"fly").unwrap();
        other[at] = b'x';
        let other = [&b"fm2_"[..], BASE64.encode(&other).as_bytes()].concat();
        assert_eq!(macaroons(&other, 0).proof, Proof::Absent, "a macaroon of somebody else's");
    }

    #[test]
    fn nests_and_lengths_that_lie_end_soon() {
        for bytes in
            [vec![0x91; 100_000], vec![0xdd, 0xff, 0xff, 0xff, 0xff], vec![0xdf; 9], vec![0xc6, 0xff, 0xff, 0xff, 0xff]]
        {
            assert!(Macaroon::read(&bytes).is_none());
        }
    }

    proptest! {
        #[test]
        fn made_holds_and_a_cut_one_fails(random in prop::collection::vec(any::<u8>(), RANDOM), at in 4usize..126) {
            let token = make(b"fm2_", random.try_into().unwrap());
            prop_assert!(macaroons(&token, 0).proof.holds());
            prop_assert!(matches!(macaroons(&token[..at], 0).proof, Proof::Fails(_)));
        }

        #[test]
        fn any_bytes_come_to_an_end(bytes: Vec<u8>, at: prop::sample::Index, byte: u8) {
            Macaroon::read(&bytes);
            let mut near = raw(&make(b"fm2_", [7; RANDOM]));
            let at = at.index(near.len());
            near[at] = byte;
            Macaroon::read(&near);
        }
    }
}
