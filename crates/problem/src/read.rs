//! The body of an error, read to its end.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::Body;

use crate::{BoxError, judge::MAX_TEXT};

/// How it went.
pub(crate) enum Text {
    Whole,
    /// It was longer than it had said.
    TooLong,
    Broken(BoxError),
}

/// Appends what comes to `said`.
pub(crate) fn read<B>(mut body: Pin<&mut B>, said: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Text>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    while !body.is_end_stream() {
        match ready!(body.as_mut().poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if (said.len() + data.len()) as u64 > MAX_TEXT => {
                    return Poll::Ready(Text::TooLong);
                }
                Ok(data) => said.extend_from_slice(&data),
                // Trailers are the end.
                Err(_) => break,
            },
            Some(Err(error)) => return Poll::Ready(Text::Broken(error.into())),
            None => break,
        }
    }
    Poll::Ready(Text::Whole)
}
