//! The construction of <https://c2sp.org/chunked-encryption> over AES-256-GCM and SHA-512
//! (Cobblestone-256): the only place that touches the cipher.

#[cfg(test)]
mod tests;

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey},
    hkdf,
};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{SealError, SealErrorKind};

/// Bytes of plain text in every chunk but the last, which is shorter.
pub(crate) const CHUNK: usize = 16 * 1024;
pub(crate) const TAG: usize = 16;
pub(crate) const SEALED_CHUNK: usize = CHUNK + TAG;
pub(crate) const KEY: usize = 32;
pub(crate) const SALT: usize = 24;
pub(crate) const COMMITMENT: usize = 32;
/// What stands before the first chunk.
pub(crate) const HEADER: usize = SALT + COMMITMENT;
/// The specification's bound: 4 PiB, below the wear-out of one key's counter mode.
pub(crate) const MAX_CHUNKS: u64 = 1 << 38;

const NONCE: usize = 12;
const LABEL: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// What HKDF-Expand is to expand to.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-SHA-512 of RFC 5869, §2.3. `false` where `out` is longer than 255 blocks.
#[must_use]
pub(crate) fn expand(prk: &hkdf::Prk, info: &[&[u8]], out: &mut [u8]) -> bool {
    prk.expand(info, Length(out.len())).and_then(|okm| okm.fill(out)).is_ok()
}

/// The key and the base nonce of one message. ring keeps the key's schedule and does not
/// overwrite it.
pub(crate) struct Cipher {
    key: LessSafeKey,
    base_nonce: [u8; NONCE],
}

/// What stands in a header, besides the salt.
pub(crate) struct Commitment([u8; COMMITMENT]);

impl Commitment {
    pub(crate) const fn as_bytes(&self) -> &[u8; COMMITMENT] {
        &self.0
    }

    /// In a time that does not depend on where they differ.
    pub(crate) fn matches(&self, other: &[u8]) -> bool {
        self.0.as_slice().ct_eq(other).into()
    }
}

impl Cipher {
    /// The key, base nonce and commitment of one message. The context comes in pieces.
    pub(crate) fn derive(
        prk: &hkdf::Prk,
        salt: &[u8],
        context: [&[u8]; 8],
    ) -> Result<(Self, Commitment), SealError> {
        let [a, b, c, d, e, f, g, h] = context;
        let mut okm = Zeroizing::new([0; KEY + NONCE + COMMITMENT]);
        if !expand(prk, &[LABEL, salt, a, b, c, d, e, f, g, h], okm.as_mut_slice()) {
            return Err(SealErrorKind::Authentication.into());
        }
        let mut base_nonce = [0; NONCE];
        let mut commitment = [0; COMMITMENT];
        let (key, rest) = okm.split_at(KEY);
        let (nonce, committed) = rest.split_at(NONCE);
        base_nonce.copy_from_slice(nonce);
        commitment.copy_from_slice(committed);
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| SealErrorKind::Authentication)?;
        Ok((Self { key: LessSafeKey::new(key), base_nonce }, Commitment(commitment)))
    }

    fn nonce(&self, chunk: u64) -> Nonce {
        let mut nonce = self.base_nonce;
        let low = nonce.iter_mut().skip(NONCE - size_of::<u64>());
        low.zip(chunk.to_be_bytes()).for_each(|(byte, count)| *byte ^= count);
        Nonce::assume_unique_for_key(nonce)
    }

    /// Encrypts a chunk where it stands. A chunk's number must never come twice.
    pub(crate) fn seal(&self, chunk: u64, in_out: &mut [u8]) -> Result<Tag, SealError> {
        if chunk >= MAX_CHUNKS {
            return Err(SealErrorKind::TooLarge.into());
        }
        self.key
            .seal_in_place_separate_tag(self.nonce(chunk), Aad::empty(), in_out)
            .map_err(|_| SealErrorKind::TooLarge.into())
    }

    /// Decrypts a chunk, and the tag behind it, which begin at `from`. The plain text goes to the
    /// front; answers how much it is.
    pub(crate) fn open(
        &self,
        chunk: u64,
        in_out: &mut [u8],
        from: usize,
    ) -> Result<usize, SealError> {
        if chunk >= MAX_CHUNKS {
            return Err(SealErrorKind::TooLarge.into());
        }
        if in_out.len().saturating_sub(from) < TAG {
            return Err(SealErrorKind::Truncated.into());
        }
        match self.key.open_within(self.nonce(chunk), Aad::empty(), in_out, from..) {
            Ok(plain) => Ok(plain.len()),
            Err(_) => {
                in_out.zeroize();
                Err(SealErrorKind::Authentication.into())
            }
        }
    }

    /// Appends all chunks of a message.
    pub(crate) fn seal_message(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let mut rest = plain;
        for number in 0.. {
            let (chunk, behind) = rest.split_at(rest.len().min(CHUNK));
            let start = out.len();
            out.extend_from_slice(chunk);
            let tag = self.seal(number, out.get_mut(start..).unwrap_or_default())?;
            out.extend_from_slice(tag.as_ref());
            // Only the last chunk is short; so a message of whole chunks ends with an empty one.
            if chunk.len() < CHUNK {
                break;
            }
            rest = behind;
        }
        Ok(())
    }

    /// Decrypts the chunks from `start` on. The plain text takes the place of the whole.
    pub(crate) fn open_message(
        &self,
        message: &mut Zeroizing<Vec<u8>>,
        start: usize,
    ) -> Result<(), SealError> {
        let (mut read, mut written) = (start, 0);
        for number in 0.. {
            let end = message.len().min(read + SEALED_CHUNK);
            let chunk = message.get_mut(written..end).unwrap_or_default();
            written += self.open(number, chunk, read - written)?;
            let is_last = end - read < SEALED_CHUNK;
            read = end;
            if is_last {
                break;
            }
        }
        message.truncate(written);
        Ok(())
    }
}

/// The length of a message, header included.
pub(crate) const fn message_len(plain: usize) -> usize {
    HEADER + plain + (plain / CHUNK + 1) * TAG
}

/// The same of a length that somebody claims; `None` where no message is so long.
#[cfg(feature = "http-body")]
pub(crate) fn claimed_len(plain: u64) -> Option<u64> {
    let tags = (plain / CHUNK as u64 + 1).checked_mul(TAG as u64)?;
    plain.checked_add(tags)?.checked_add(HEADER as u64)
}
