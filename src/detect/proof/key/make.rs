//! Keys for examples: random numbers in the structure of a key. No such key has ever fitted a lock.

use data_encoding::BASE64;

use super::{age, der, pgp, ssh, web};

/// A key in the form in which `drawn` begins; `byte` gives random ones.
pub(in crate::detect) fn make(drawn: &[u8], byte: &mut dyn FnMut() -> u8) -> Vec<u8> {
    let begins = |with: &str| drawn.starts_with(with.as_bytes());
    let holds = |text: &str| memchr::memmem::find(&drawn[..drawn.len().min(16)], text.as_bytes()).is_some();
    match () {
        () if begins("BEGIN ") && memchr::memmem::find(drawn, b"END ").is_none() => begun(byte).into_bytes(),
        () if begins("BEGIN ") => armoured(byte).into_bytes(),
        () if begins("PuTTY-") => putty(byte).into_bytes(),
        () if begins("AGE-SECRET-KEY-PQ-") => age::make("AGE-SECRET-KEY-PQ-", byte),
        () if begins("AGE-SECRET-KEY-") => age::make("AGE-SECRET-KEY-", byte),
        () if begins("{") => web::make_jwk(byte),
        () if begins("<") => web::make_xml(byte),
        () if begins("LS0tLS1CRUdJTi") => base64(format!("-----{}-----\n", armoured(byte)).as_bytes()).into_bytes(),
        () if begins("b3BlbnNzaC1rZXktdjEA") => base64(&openssh(byte)).into_bytes(),
        () if ["IBAzCC", "AgEDMII", "CAQMwgg"].into_iter().any(holds) => {
            base64(&der::write_pkcs12(&der::write_pkcs8(&rsa(byte)))).into_bytes()
        }
        () if holds("IBAAKC") => base64(&rsa(byte)).into_bytes(),
        () => base64(&der::write_pkcs8(&rsa(byte))).into_bytes(),
    }
}

fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// A PEM block without its outermost dashes.
fn armoured(byte: &mut dyn FnMut() -> u8) -> String {
    let (label, body, sum) = match byte() % 5 {
        0 => ("RSA PRIVATE KEY", rsa(byte), String::new()),
        1 => ("PRIVATE KEY", der::write_pkcs8(&rsa(byte)), String::new()),
        2 => ("EC PRIVATE KEY", der::write_sec1(&some(32, byte), &point(byte)), String::new()),
        3 => ("OPENSSH PRIVATE KEY", openssh(byte), String::new()),
        _ => {
            let body = openpgp(byte);
            let sum = format!("={}\n", base64(&pgp::crc24(&body)));
            ("PGP PRIVATE KEY BLOCK", body, sum)
        }
    };
    let blank = if label.starts_with("PGP") { "\n" } else { "" };
    let text = base64(&body);
    let lines: String = text.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    format!("BEGIN {label}-----\n{blank}{lines}{sum}-----END {label}")
}

/// The full lines of an OpenPGP block without its end; a part of the next packet stands in them, too.
fn begun(byte: &mut dyn FnMut() -> u8) -> String {
    let mut body = openpgp(byte);
    body.resize_with(body.len().next_multiple_of(48), byte);
    let text = base64(&body);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("BEGIN PGP PRIVATE KEY BLOCK-----\n\n{}", lines.join("\n"))
}

fn some(len: usize, byte: &mut dyn FnMut() -> u8) -> Vec<u8> {
    (0..len).map(|_| byte()).collect()
}

/// A number of `len` bytes, the first bit of which is set, with the zero before it that DER wants.
fn number(len: usize, byte: &mut dyn FnMut() -> u8) -> Vec<u8> {
    let mut number = some(len + 1, byte);
    (number[0], number[1]) = (0, number[1] | 0x80);
    number
}

/// An RSA key of 2048 bits by its structure, in PKCS#1.
fn rsa(byte: &mut dyn FnMut() -> u8) -> Vec<u8> {
    let mut numbers = vec![number(256, byte), vec![1, 0, 1], number(256, byte)];
    numbers.extend((0..5).map(|_| number(128, byte)));
    der::write_rsa(&numbers)
}

/// Not compressed; a bit string says before it that no bits are left over.
fn point(byte: &mut dyn FnMut() -> u8) -> Vec<u8> {
    [vec![0, 4], some(64, byte)].concat()
}

/// An Ed25519 key in the container of OpenSSH.
fn openssh(byte: &mut dyn FnMut() -> u8) -> Vec<u8> {
    let (check, public, seed) = (some(4, byte), some(32, byte), some(32, byte));
    let fields = ssh::wire(&[b"ssh-ed25519", &public]);
    let secret = ssh::wire(&[&[&seed[..], &public].concat(), b"you@host"]);
    let mut private = [&check[..], &check, &fields, &secret].concat();
    private.extend((1..).take(private.len().next_multiple_of(8) - private.len()));
    let head = [&ssh::wire(&[b"none", b"none", b""])[..], &1u32.to_be_bytes()].concat();
    [ssh::MAGIC, &head, &ssh::wire(&[&fields, &private])].concat()
}

/// A PPK file of version 2, without its last line end.
fn putty(byte: &mut dyn FnMut() -> u8) -> String {
    let public = base64(&ssh::wire(&[b"ssh-ed25519", &some(32, byte)]));
    let (first, second) = public.split_at(64);
    let private = base64(&ssh::wire(&[&some(32, byte)]));
    let mac = data_encoding::HEXLOWER.encode(&some(20, byte));
    format!(
        "PuTTY-User-Key-File-2: ssh-ed25519\nEncryption: none\nComment: me\nPublic-Lines: 2\n{first}\n{second}\n\
         Private-Lines: 1\n{private}\nPrivate-MAC: {mac}"
    )
}

/// A secret key packet of version 4 with an RSA key of 2048 bits that no passphrase guards.
fn openpgp(byte: &mut dyn FnMut() -> u8) -> Vec<u8> {
    let mut multi = |len: usize| {
        let number = number(len, byte);
        [&((len * 8) as u16).to_be_bytes()[..], &number[1..]].concat()
    };
    let public = [multi(256), vec![0, 17, 1, 0, 1]].concat();
    let private = [multi(256), multi(128), multi(128), multi(128)].concat();
    let body = [vec![4, 0x60, 0, 0, 0, 1], public, vec![0], private, vec![0, 0]].concat();
    [&[0x95][..], &(body.len() as u16).to_be_bytes(), &body].concat()
}
