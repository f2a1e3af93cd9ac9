//! A checksum of a set of rows that does not depend on their order.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// Sum of the SHA-256 of every row's line, modulo 2^256. Equal rows have equal sums, in any order.
///
/// It detects rows that were lost, added or changed by accident. It does not protect against deliberately forged rows; the
/// SHA-256 of the archive's files does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest([u64; 4]);

impl Digest {
    /// Returns the checksum of the lines, each with its line feed.
    ///
    /// ```
    /// use workspace_db::transfer::Digest;
    ///
    /// let (one, other) = (b"{}\n".as_slice(), b"{\"a\":1}\n".as_slice());
    /// assert_eq!(Digest::of([one, other]), Digest::of([other, one]));
    /// assert_ne!(Digest::of([one, one]), Digest::of([one]));
    /// ```
    pub fn of<'l>(lines: impl IntoIterator<Item = &'l [u8]>) -> Self {
        let mut digest = Self::default();
        lines.into_iter().for_each(|line| digest.add(line));
        digest
    }

    pub(super) fn add(&mut self, line: &[u8]) {
        let hash = Sha256::digest(line);
        let (words, _) = hash.as_chunks::<8>();
        let mut carry = false;
        for (sum, word) in self.0.iter_mut().zip(words) {
            let (one, first) = sum.overflowing_add(u64::from_le_bytes(*word));
            let (two, second) = one.overflowing_add(carry.into());
            (*sum, carry) = (two, first || second);
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|word| write!(f, "{word:016x}"))
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid(format!("{text:?} is not a checksum of 64 hexadecimal digits"));
        let mut words = [0; 4];
        if text.len() != 64 {
            return Err(wrong());
        }
        for (place, at) in words.iter_mut().rev().zip((0..64).step_by(16)) {
            let digits = text.get(at..at + 16).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
            *place = u64::from_str_radix(digits.ok_or_else(wrong)?, 16).map_err(|error| wrong().caused_by(error))?;
        }
        Ok(Self(words))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
