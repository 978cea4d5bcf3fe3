//! Hexadecimal digits, and the half SHA-256 from which ids are derived.

use sha2::{Digest, Sha256};

/// Bytes of half a SHA-256: collisions are out of reach at 2⁶⁴ ids.
pub const HALF_SHA256_BYTES: usize = 16;

/// Two lower-case digits per byte.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(nibble)]));
        }
    }
    text
}

/// The first 16 bytes of the SHA-256. Stored ids are made of it, so it must not change.
pub fn half_sha256(bytes: &[u8]) -> [u8; HALF_SHA256_BYTES] {
    let mut half = [0; HALF_SHA256_BYTES];
    half.copy_from_slice(&Sha256::digest(bytes)[..HALF_SHA256_BYTES]);
    half
}

/// The first 32 digits of the SHA-256.
pub fn half_sha256_hex(bytes: &[u8]) -> String {
    hex(&half_sha256(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_are_those_of_sha256sum() {
        // printf 'kim\0buy-1' | sha256sum | cut -c1-32
        assert_eq!(half_sha256_hex(b"kim\0buy-1"), "a4a5af7f13403cbfe7f047e4a5dc975a");
        assert_eq!(hex(&[0x0f, 0xf0]), "0ff0");
    }
}
