//! Frames between daemon and token host.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io::Cursor;

use super::carried::Carried;
use super::frames::{Arriving, FRAME_LIMIT, FrameError, append};
use super::protocol::{Call, Failure, FailureClass, Generation, Input, Outcome, Reply, Signing, TokenTime};
use crate::key::{Hash, KeyAlgorithm, KeyUse, SignatureAlgorithm};
use crate::secret::Secret;

fn signing(message: Vec<u8>) -> Call {
    Call::Sign(Signing {
        id: vec![1; 16],
        key: KeyAlgorithm::P521,
        spki: vec![2; 158],
        algorithm: SignatureAlgorithm::Ecdsa(Hash::Sha384),
        input: Input::Message(message),
    })
}

#[test]
fn frames_come_back_as_they_were_sent_and_in_order() {
    let mut stream = Vec::new();
    append(&mut stream, 7, &signing(vec![3; 70_000])).unwrap();
    append(&mut stream, 8, &Call::Inventory).unwrap();
    let mut stream = Cursor::new(stream);
    let (number, call) = read::<Call>(&mut stream).unwrap().unwrap();
    let Call::Sign(request) = call else { panic!("not the call that was sent") };
    assert_eq!((number, request.id.len(), request.key), (7, 16, KeyAlgorithm::P521));
    assert_eq!(request.algorithm, SignatureAlgorithm::Ecdsa(Hash::Sha384));
    assert!(matches!(request.input, Input::Message(message) if message == vec![3; 70_000]));
    assert!(matches!(read::<Call>(&mut stream).unwrap(), Some((8, Call::Inventory))));
    assert!(read::<Call>(&mut stream).unwrap().is_none());
}

#[test]
fn replies_carry_their_class() {
    let mut stream = Vec::new();
    append(&mut stream, 1, &Reply::Failed(Failure::new(FailureClass::KeyMissing, "gone"))).unwrap();
    append(&mut stream, u32::MAX, &Reply::Done(Outcome::Signed(vec![9; 64]))).unwrap();
    let mut stream = Cursor::new(stream);
    let (_, reply) = read::<Reply>(&mut stream).unwrap().unwrap();
    assert!(matches!(reply, Reply::Failed(failure) if failure.class == FailureClass::KeyMissing));
    let (number, reply) = read::<Reply>(&mut stream).unwrap().unwrap();
    assert!(number == u32::MAX && matches!(reply, Reply::Done(Outcome::Signed(raw)) if raw.len() == 64));
}

#[test]
fn a_frame_over_the_limit_is_neither_written_nor_read() {
    let mut stream = vec![1, 2, 3];
    let refused = append(&mut stream, 1, &signing(vec![0; FRAME_LIMIT]));
    assert!(matches!(refused, Err(FrameError::TooLong(_))));
    assert_eq!(stream, [1, 2, 3], "nothing was appended");
    assert_eq!(body_length([0x04, 0, 0, 0]).unwrap(), FRAME_LIMIT);
    assert!(matches!(body_length([0x04, 0, 0, 1]), Err(FrameError::TooLong(_))));
}

#[test]
fn a_frame_that_is_cut_short_or_garbled_is_an_error() {
    let mut stream = Vec::new();
    append(&mut stream, 1, &signing(b"message".to_vec())).unwrap();
    let cut = stream[..stream.len() - 1].to_vec();
    assert!(matches!(read::<Call>(&mut Cursor::new(cut)), Err(FrameError::Io(_))));
    let garbled = [0, 0, 0, 2, 1, 0xff];
    assert!(matches!(read::<Call>(&mut Cursor::new(garbled)), Err(FrameError::Malformed(_))));
}

#[test]
fn secrets_arrive_whole_and_are_never_printed() {
    let key =
        Generation { id: vec![1; 16], label: "sr:x".to_owned(), algorithm: KeyAlgorithm::P256, key_use: KeyUse::Sign };
    let call = Call::Import { key, pkcs8: Secret::new(b"private".to_vec()).into() };
    let outcome = Outcome::Unsealed(Carried::new(b"private".to_vec()));
    for printed in [format!("{call:?}"), format!("{outcome:?}")] {
        assert!(printed.contains("redacted") && !printed.contains("112, 114"), "{printed}");
    }
    let mut stream = Vec::new();
    append(&mut stream, 1, &call).unwrap();
    let (_, call) = read::<Call>(&mut Cursor::new(&stream)).unwrap().unwrap();
    let Call::Import { pkcs8, .. } = call else { panic!("not the call that was sent") };
    assert_eq!(Secret::from(pkcs8).expose(), b"private");
    stream.clear();
    append(&mut stream, 2, &Reply::Done(outcome)).unwrap();
    let (_, reply) = read::<Reply>(&mut Cursor::new(&stream)).unwrap().unwrap();
    assert!(matches!(reply, Reply::Done(Outcome::Unsealed(secret)) if secret.expose() == b"private"));
}
