//! PyPI's tokens, which are macaroons.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::Value;

use super::{Proven, fact, from_base64};
use crate::finding::Fact;

const PREFIX: &[u8] = b"pypi-";
const VERSION: u8 = 2;
const END: u8 = 0;
const LOCATION: u8 = 1;
const IDENTIFIER: u8 = 2;
const SIGNATURE: u8 = 6;
/// Bytes of the signature, an HMAC of SHA-256.
const SIGNED: usize = 32;
/// Random bytes that [`make`] takes.
const RANDOM: usize = 48;

/// Behind `pypi-` stands base64url of a macaroon in the binary format, version 2
/// (<https://github.com/rescrv/libmacaroons/blob/master/doc/format.txt>): location and identifier, caveats, each ended
/// by 0, and a signature. PyPI reads its tokens with pymacaroons and takes nothing else (pypi/warehouse,
/// warehouse/macaroons/services.py). Recomputed on the vector of ewjoachim/pypitoken, tests/test_token.py, and on its
/// vector of a token that is too short. The signature is not checked: its key is PyPI's.
pub(super) fn pypi(token: &[u8]) -> Proven {
    let macaroon = token.strip_prefix(PREFIX).and_then(from_base64).and_then(|raw| Macaroon::read(&raw));
    let Some(macaroon) = macaroon else { return Proven::fails("does not decode to a macaroon") };
    if !macaroon.location.ends_with(b"pypi.org") {
        return Proven::absent(Vec::new());
    }
    Proven::holds("decodes to a macaroon of PyPI's", macaroon.caveats.iter().filter_map(|text| told(text)).collect())
}

struct Macaroon {
    location: Vec<u8>,
    caveats: Vec<Vec<u8>>,
}

impl Macaroon {
    fn read(raw: &[u8]) -> Option<Macaroon> {
        let mut rest = raw.strip_prefix(&[VERSION])?;
        let head = section(&mut rest)?;
        let field = |fields: &[(u8, Vec<u8>)], wanted| {
            fields.iter().find(|(kind, _)| *kind == wanted).map(|(_, bytes)| bytes.clone())
        };
        let location = field(&head, LOCATION)?;
        field(&head, IDENTIFIER)?;
        let mut caveats = Vec::new();
        loop {
            let caveat = section(&mut rest)?;
            if caveat.is_empty() {
                break;
            }
            caveats.push(field(&caveat, IDENTIFIER)?);
        }
        let (kind, signature) = packet(&mut rest)?;
        (kind == SIGNATURE && signature.len() == SIGNED && rest.is_empty()).then_some(Macaroon { location, caveats })
    }
}

/// The fields up to the next 0.
fn section(rest: &mut &[u8]) -> Option<Vec<(u8, Vec<u8>)>> {
    let mut fields = Vec::new();
    while *rest.first()? != END {
        fields.push(packet(rest)?);
    }
    *rest = &rest[1..];
    Some(fields)
}

/// Kind, length, bytes. Lengths beyond 127 have seven bits a byte, least significant first.
fn packet(rest: &mut &[u8]) -> Option<(u8, Vec<u8>)> {
    let (&kind, mut behind) = rest.split_first()?;
    let length = usize::try_from(super::vault::varint(&mut behind)?).ok()?;
    let (bytes, behind) = behind.split_at_checked(length)?;
    *rest = behind;
    Some((kind, bytes.to_vec()))
}

/// `[1, [projects]]`, `[2, [ids of projects]]`, `[3, user]`; before 2022 `{"version": 1, "permissions": "user"}` or
/// `{"projects": […]}` in it: pypi/warehouse, warehouse/macaroons/caveats.
fn told(caveat: &[u8]) -> Option<Fact> {
    let value: Value = serde_json::from_slice(caveat).ok()?;
    let listed = |value: &Value| {
        let names = value.as_array()?.iter().filter_map(Value::as_str);
        Some(names.collect::<Vec<_>>().join(", "))
    };
    match value.get(0).and_then(Value::as_u64) {
        Some(1) => fact("pypi.projects", &listed(value.get(1)?)?),
        Some(2) => fact("pypi.project_ids", &listed(value.get(1)?)?),
        Some(3) => fact("pypi.user_id", value.get(1)?.as_str()?),
        _ => fact("pypi.projects", &listed(value.pointer("/permissions/projects")?)?),
    }
}

/// A token for that host, with a caveat that names a user.
pub(in crate::detect) fn make(host: &str, random: [u8; RANDOM]) -> Vec<u8> {
    let (signature, id) = random.split_at(SIGNED);
    let id = HEXLOWER.encode(id);
    let id = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-");
    let field = |kind: u8, text: &str| [&[kind, text.len() as u8], text.as_bytes()].concat();
    let raw = [
        &[VERSION][..],
        &field(LOCATION, host),
        &field(IDENTIFIER, &id),
        &[END],
        &field(IDENTIFIER, &format!("[3, \"{id}\"]")),
        &[END, END, SIGNATURE, SIGNED as u8],
        signature,
    ];
    [PREFIX, BASE64URL_NOPAD.encode(&raw.concat()).as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Proof;
    use proptest::prelude::*;

    #[test]
    fn the_librarys_vectors_are_read() {
        // ewjoachim/pypitoken tests/test_token.py: a macaroon of example.com, and one that is too short.
        let good = "AgELZXhhbXBsZS5jb20CBjEyM2ZvbwAABiCK4TytWvy17_Up7TvhdVDhFx8cjU_ne_6wtOqxPUZmxw";
        let macaroon = Macaroon::read(&BASE64URL_NOPAD.decode(good.as_bytes()).unwrap()).unwrap();
        assert!(macaroon.location == b"example.com" && macaroon.caveats.is_empty());
        assert_eq!(pypi(format!("pypi-{good}").as_bytes()).proof, Proof::Absent, "a macaroon, and not PyPI's");
        let short = "pypi-AgEIcHlwaS5vcmcCAWEAAAYgNh9pJUqVF-EtMCwGaZYcStFR07Rb";
        assert!(matches!(pypi(short.as_bytes()).proof, Proof::Fails(_)));
    }

    #[test]
    fn caveats_are_told() {
        for (caveat, name, value) in [
            (r#"[1, ["one", "two"]]"#, "pypi.projects", "one, two"),
            (r#"{"version": 1, "permissions": {"projects": ["one"]}}"#, "pypi.projects", "one"),
            (r#"[3, "0-1"]"#, "pypi.user_id", "0-1"),
        ] {
            assert_eq!(told(caveat.as_bytes()), Some(Fact { name, value: value.to_owned() }));
        }
        assert_eq!(told(br#"{"version": 1, "permissions": "user"}"#), None);
    }

    proptest! {
        #[test]
        fn made_holds_and_a_cut_one_fails(random in prop::array::uniform32(any::<u8>()), at in 10usize..100) {
            let mut all = [0; RANDOM];
            all[..32].copy_from_slice(&random);
            let token = make("pypi.org", all);
            prop_assert!(pypi(&token).proof.holds());
            prop_assert!(matches!(pypi(&token[..at]).proof, Proof::Fails(_)));
        }
    }
}
