//! Sizes as people write them.

/// Bytes from `500`, `64k`, `10MB`, `1.5GiB`. `k`, `M`, `G`, `T` are powers of 1024, with or without `B` or `iB`.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is no size; write 500, 64k, 10MB or 1GiB"))?;
    let power = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return Err(format!("{unit:?} is no unit of size; use k, M, G or T")),
    };
    Ok((number * 1024f64.powi(power)) as u64)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes() {
        assert_eq!(parse("500"), Ok(500));
        assert_eq!(parse("64k"), Ok(65_536));
        assert_eq!(parse("1.5GiB"), Ok(1_610_612_736));
        assert_eq!(parse("10 MB"), Ok(10 << 20));
        for wrong in ["", "-1", "ten", "10 parsecs", "1e9"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
