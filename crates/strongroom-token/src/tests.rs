//! Frames between daemon and token host.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::frames::{FRAME_LIMIT, FrameError, FrameReader, append};
use crate::key::SignInput;
use crate::protocol::{Call, CallFailure, CallOutcome, FailureClass, GenerateCall, Reply, SignCall, TokenTime};
use crate::wire_secret::WireSecret;
use strongroom_domain::key::{KeyAlgorithm, KeyUse, SignatureAlgorithm};
use strongroom_domain::secret::Secret;

fn signing(message: Vec<u8>) -> Call {
    Call::Sign(SignCall {
        id: vec![1; 16],
        key: KeyAlgorithm::P521,
        spki: vec![2; 158],
        algorithm: SignatureAlgorithm::ECDSA_SHA384,
        input: SignInput::Message(message),
    })
}

/// What is taken from frames that arrive in pieces of at most `most` bytes.
fn arrived<T: DeserializeOwned>(mut stream: &[u8], most: usize) -> Result<Vec<(u64, T)>, FrameError> {
    let (mut arriving, mut taken) = (FrameReader::default(), Vec::new());
    while !stream.is_empty() {
        let room = arriving.spare()?;
        let length = room.len().min(stream.len()).min(most);
        room[..length].copy_from_slice(&stream[..length]);
        stream = &stream[length..];
        arriving.advance(length);
        while let Some(frame) = arriving.next_frame()? {
            taken.push(frame);
        }
    }
    Ok(taken)
}

#[test]
fn frames_come_back_as_they_were_sent_and_in_order_however_they_are_cut() {
    let mut stream = Vec::new();
    append(&mut stream, 6, &Call::Inventory).unwrap();
    append(&mut stream, 7, &signing(vec![3; 70_000])).unwrap();
    for number in 8..1000 {
        append(&mut stream, number, &signing(vec![4; 100])).unwrap();
    }
    for most in [usize::MAX, 4096, 7, 1] {
        let calls = arrived::<Call>(&stream, most).unwrap();
        assert!(calls.iter().map(|(number, _)| *number).eq(6..1000), "pieces of {most}");
        let (Call::Inventory, Call::Sign(request)) = (&calls[0].1, &calls[1].1) else { panic!("not what was sent") };
        assert_eq!((request.id.len(), request.key), (16, KeyAlgorithm::P521));
        assert_eq!(request.algorithm, SignatureAlgorithm::ECDSA_SHA384);
        assert!(matches!(&request.input, SignInput::Message(message) if *message == vec![3; 70_000]));
    }
}

#[test]
fn replies_carry_their_class_and_the_time_that_they_took() {
    let mut stream = Vec::new();
    append(&mut stream, 1, &Reply::Failed(CallFailure::new(FailureClass::KeyMissing, "gone"))).unwrap();
    let time = TokenTime::of(Duration::from_micros(1500));
    append(&mut stream, u64::MAX, &Reply::Done(CallOutcome::Signed(vec![9; 64]), time)).unwrap();
    let replies = arrived::<Reply>(&stream, usize::MAX).unwrap();
    assert!(matches!(&replies[0].1, Reply::Failed(failure) if failure.class == FailureClass::KeyMissing));
    let (number, Reply::Done(CallOutcome::Signed(raw), time)) = &replies[1] else { panic!("not what was sent") };
    assert_eq!((*number, raw.len(), Duration::from(*time)), (u64::MAX, 64, Duration::from_micros(1500)));
}

#[test]
fn a_frame_over_the_limit_is_neither_written_nor_read() {
    let mut stream = vec![1, 2, 3];
    let refused = append(&mut stream, 1, &signing(vec![0; FRAME_LIMIT]));
    assert!(matches!(refused, Err(FrameError::TooLong(_))));
    assert_eq!(stream, [1, 2, 3], "nothing was appended");
    assert_eq!(arrived::<Call>(&[0x04, 0, 0, 0], 4).unwrap().len(), 0, "the rest is waited for");
    assert!(matches!(arrived::<Call>(&[0x04, 0, 0, 1], 4), Err(FrameError::TooLong(_))));
}

#[test]
fn a_frame_that_is_garbled_is_an_error_and_one_cut_short_is_waited_for() {
    let mut stream = Vec::new();
    append(&mut stream, 1, &signing(b"message".to_vec())).unwrap();
    assert_eq!(arrived::<Call>(&stream[..stream.len() - 1], usize::MAX).unwrap().len(), 0);
    assert!(matches!(arrived::<Call>(&[0, 0, 0, 2, 1, 0xff], 6), Err(FrameError::Malformed(_))));
}

#[test]
fn secrets_arrive_whole_and_are_never_printed() {
    let key = GenerateCall {
        id: vec![1; 16],
        label: "sr:x".to_owned(),
        algorithm: KeyAlgorithm::P256,
        key_use: KeyUse::Sign,
    };
    let call = Call::Import { key, pkcs8: Secret::new(b"private".to_vec()).into() };
    let outcome = CallOutcome::Unsealed(WireSecret::new(b"private".to_vec()));
    for printed in [format!("{call:?}"), format!("{outcome:?}")] {
        assert!(printed.contains("redacted") && !printed.contains("112, 114"), "{printed}");
    }
    let mut stream = Vec::new();
    append(&mut stream, 1, &call).unwrap();
    let Some((_, call)) = arrived::<Call>(&stream, 9).unwrap().pop() else { panic!("nothing arrived") };
    let Call::Import { pkcs8, .. } = call else { panic!("not the call that was sent") };
    assert_eq!(Secret::from(pkcs8).expose(), b"private");
    stream.clear();
    append(&mut stream, 2, &Reply::Done(outcome, TokenTime::default())).unwrap();
    let Some((_, reply)) = arrived::<Reply>(&stream, 9).unwrap().pop() else { panic!("nothing arrived") };
    assert!(matches!(reply, Reply::Done(CallOutcome::Unsealed(secret), _) if secret.expose() == b"private"));
}
