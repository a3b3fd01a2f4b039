//! `HealthCheckRequest` and `HealthCheckResponse`, in protobuf's wire format.

use bytes::{Buf, BufMut};
use tonic::{
    Status,
    codec::{self, DecodeBuf, EncodeBuf},
};

/// `HealthCheckRequest { string service = 1; }`
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked(pub(crate) String);

/// `HealthCheckResponse { ServingStatus status = 1; }`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Answer {
    /// `SERVING`
    Up = 1,
    /// `NOT_SERVING`
    Down = 2,
    /// `SERVICE_UNKNOWN`
    Unknown = 3,
}

#[derive(Debug)]
pub(crate) struct Codec;

impl codec::Codec for Codec {
    type Encode = Answer;
    type Decode = Asked;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl codec::Encoder for Codec {
    type Item = Answer;
    type Error = Status;

    fn encode(&mut self, item: Answer, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        /// Field 1, a varint.
        const STATUS: u8 = 1 << 3;
        to.put_slice(&[STATUS, item as u8]);
        Ok(())
    }
}

impl codec::Decoder for Codec {
    type Item = Asked;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Asked>, Status> {
        let message = from.copy_to_bytes(from.remaining());
        match asked(&message) {
            Some(asked) => Ok(Some(asked)),
            None => Err(Status::invalid_argument("not a HealthCheckRequest")),
        }
    }
}

/// Of one field sent twice the last counts, and unknown ones are skipped, as protobuf has it.
fn asked(mut message: &[u8]) -> Option<Asked> {
    let mut service = "";
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match (tag >> 3, tag & 7) {
            (0, _) => return None,
            (1, 2) => service = std::str::from_utf8(prefixed(&mut message)?).ok()?,
            (_, 0) => drop(varint(&mut message)?),
            (_, 1) => message = message.get(8..)?,
            (_, 2) => drop(prefixed(&mut message)?),
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(Asked(service.to_owned()))
}

fn prefixed<'a>(message: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint(message)?).ok()?;
    let (field, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some(field)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_protobuf_has_it() {
        let cases: [(&[u8], Option<&str>); 11] = [
            (b"", Some("")),
            (b"\x0a\x00", Some("")),
            (b"\x0a\x01a", Some("a")),
            (b"\x0a\x01a\x0a\x01b", Some("b")),
            (b"\x10\x96\x01\x0a\x01a", Some("a")),
            (b"\x11........\x1d....\x22\x02..\x0a\x01a", Some("a")),
            (b"\x0a\x02a", None),
            (b"\x0a\x01\xff", None),
            (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", None),
            (b"\x02\x00", None),
            (b"\x0b", None),
        ];
        for (message, expected) in cases {
            assert_eq!(asked(message), expected.map(|name| Asked(name.into())), "{message:?}");
        }
    }
}
