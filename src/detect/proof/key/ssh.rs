//! Keys of SSH: the container of OpenSSH (PROTOCOL.key), that of ssh.com, PuTTY's, and fingerprints of public halves.

use data_encoding::BASE64_NOPAD;
use sha2::{Digest, Sha256};

use super::der::bits;
use super::{Bad, Key, Read, text};

pub(super) const MAGIC: &[u8] = b"openssh-key-v1\0";

/// Strings with their lengths before them, in four bytes (RFC 4251 section 5).
struct Wire<'b>(&'b [u8]);

impl<'b> Wire<'b> {
    fn number(&mut self) -> Read<usize> {
        let (digits, rest) = self.0.split_first_chunk::<4>().ok_or(Bad::Short)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*digits) as usize)
    }

    fn string(&mut self) -> Read<&'b [u8]> {
        let len = self.number()?;
        let (string, rest) = self.0.split_at_checked(len).ok_or(Bad::Short)?;
        self.0 = rest;
        Ok(string)
    }
}

/// What follows the magic.
pub(super) fn container(bytes: &[u8]) -> Read<Key> {
    const BEGUN: Bad = Bad::Cut { there: 0, stated: 1 };
    let mut wire = Wire(bytes);
    let mut begin = || -> Read<_> {
        let (cipher, _kdf, _options) = (wire.string()?, wire.string()?, wire.string()?);
        if wire.number()? != 1 {
            return Err(Bad::Wrong("it holds no or several keys, which OpenSSH does not write"));
        }
        Ok((cipher, wire.string()?, wire.number()?))
    };
    let (cipher, public, len) = begin().map_err(|bad| if bad == Bad::Short { BEGUN } else { bad })?;
    let private = wire.0;
    if private.len() < len {
        let stated = MAGIC.len() + bytes.len() - private.len() + len;
        return Err(Bad::Cut { there: MAGIC.len() + bytes.len(), stated });
    }
    // Ciphers with a tag write it behind what they promised: 16 bytes.
    if !matches!(private.len() - len, 0 | 16) {
        return Err(Bad::Wrong("something follows the key"));
    }
    let (kind, name) = kind(public).ok_or(Bad::Wrong("its public half is none"))?;
    let encrypted = cipher != b"none";
    if !encrypted {
        let mut wire = Wire(private);
        if wire.number()? != wire.number()? || wire.string()? != name {
            return Err(Bad::Wrong("its private half does not decode"));
        }
    }
    let public = Some(digest(public));
    Ok(Key { format: "an OpenSSH key", kind, encrypted: Some(encrypted), public })
}

/// What follows the magic of an ssh.com key: length of all, the type in words, the cipher.
pub(super) fn commercial(bytes: &[u8]) -> Read<Key> {
    let mut wire = Wire(bytes);
    let stated = wire.number()?;
    let (_kind, cipher) = (wire.string()?, wire.string()?);
    if bytes.len() + 4 < stated {
        return Err(Bad::Cut { there: bytes.len() + 4, stated });
    }
    Ok(Key { format: "an ssh.com key", kind: String::new(), encrypted: Some(cipher != b"none"), public: None })
}

/// The lines of a PPK file, version 1 to 3 (PuTTY's manual, appendix C), escapes already undone.
pub(super) fn putty(text: &[u8]) -> Read<Key> {
    const NONE: Bad = Bad::Wrong("its lines are not those of a PuTTY key");
    let lines: Vec<&[u8]> = text
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .map(|line| line.trim_ascii_start().strip_prefix(b"# ").unwrap_or(line).trim_ascii())
        .filter(|line| !line.is_empty())
        .collect();
    let at = |name: &[u8]| lines.iter().position(|line| line.starts_with(name)).ok_or(NONE);
    let value = |name: &[u8]| Ok(lines[at(name)?][name.len()..].trim_ascii());
    let block = |name: &[u8]| {
        let count: usize = std::str::from_utf8(value(name)?).ok().and_then(|text| text.parse().ok()).ok_or(NONE)?;
        let from = at(name)? + 1;
        let block = from.checked_add(count).and_then(|to| lines.get(from..to)).ok_or(NONE)?;
        Ok(text::body(&block.join(&b'\n'))?.decode())
    };
    let (public, private) = (block(b"Public-Lines:")?, block(b"Private-Lines:")?);
    let (kind, _) = kind(&public).ok_or(Bad::Wrong("its public half is none"))?;
    let encrypted = value(b"Encryption:")? != b"none";
    // A length and something; or whole blocks of AES.
    if private.len() < 8 || (encrypted && !private.len().is_multiple_of(16)) {
        return Err(Bad::Wrong("its private half is none"));
    }
    Ok(Key { format: "a PuTTY key", kind, encrypted: Some(encrypted), public: Some(digest(&public)) })
}

/// What people call the type of a public half, and its name in SSH; `None` for what is no public half.
fn kind(public: &[u8]) -> Option<(String, &[u8])> {
    let mut wire = Wire(public);
    let name = wire.string().ok().filter(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic))?;
    let first = wire.string().ok()?;
    let number = |number: &[u8]| bits(number.strip_prefix(&[0]).unwrap_or(number));
    let kind = match name {
        b"ssh-rsa" => format!("RSA {}", number(wire.string().ok()?)),
        b"ssh-dss" => format!("DSA {}", number(first)),
        b"ssh-ed25519" => "Ed25519".to_owned(),
        b"ssh-ed448" => "Ed448".to_owned(),
        b"ecdsa-sha2-nistp256" => "EC P-256".to_owned(),
        b"ecdsa-sha2-nistp384" => "EC P-384".to_owned(),
        b"ecdsa-sha2-nistp521" => "EC P-521".to_owned(),
        b"sk-ssh-ed25519@openssh.com" => "Ed25519 on a security key".to_owned(),
        b"sk-ecdsa-sha2-nistp256@openssh.com" => "EC P-256 on a security key".to_owned(),
        // Nobody's secret can stand here: whoever writes a key names its type.
        _ => "of a type that is not known".to_owned(),
    };
    Some((kind, name))
}

/// As `ssh-keygen -l` shows the public key of these fields.
pub(super) fn fingerprint(fields: &[&[u8]]) -> String {
    digest(&wire(fields))
}

/// Fields with their lengths before them.
pub(super) fn wire(fields: &[&[u8]]) -> Vec<u8> {
    fields
        .iter()
        .flat_map(|field| (field.len() as u32).to_be_bytes().into_iter().chain(field.iter().copied()))
        .collect()
}

/// The same for a name and numbers without leading zeros: one stands before a number whose first bit is set.
pub(super) fn fingerprint_of_numbers(name: &[u8], numbers: &[&[u8]]) -> String {
    let signed = |number: &&[u8]| match number.first() {
        Some(0x80..) => [&[0], *number].concat(),
        _ => number.to_vec(),
    };
    let numbers: Vec<Vec<u8>> = numbers.iter().map(signed).collect();
    let fields: Vec<&[u8]> = [name].into_iter().chain(numbers.iter().map(Vec::as_slice)).collect();
    fingerprint(&fields)
}

fn digest(public: &[u8]) -> String {
    format!("SHA256:{}", BASE64_NOPAD.encode(&Sha256::digest(public)))
}
