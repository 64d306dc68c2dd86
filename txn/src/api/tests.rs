//! Bytes from other nodes are read or refused, whatever they are.

use super::{RangeRequest, Reply, Request};
use crate::oracle::{Allocation, Ask};
use crate::router::{DirectoryReply, DirectoryRequest};
use bincode::{Decode, Encode};
use proptest::prelude::*;
use quorate_net::codec::{decode, encode};

/// More than any of the messages below takes.
const LIMIT: usize = 1 << 20;

fn read_or_refuse<T: Encode + Decode<()>>(bytes: &[u8]) {
    if let Ok(value) = decode::<T>(bytes, LIMIT) {
        assert_eq!(encode(&value), bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// The first byte often says which kind of message follows.
    #[test]
    fn any_bytes_are_read_or_refused(kind in 0u8..32, bytes in prop::collection::vec(prop_oneof![Just(0u8), 0u8..4, any::<u8>()], 0..120)) {
        let mut message = vec![kind];
        message.extend(bytes);
        read_or_refuse::<RangeRequest>(&message);
        read_or_refuse::<Request>(&message);
        read_or_refuse::<Reply>(&message);
        read_or_refuse::<DirectoryRequest>(&message);
        read_or_refuse::<DirectoryReply>(&message);
        read_or_refuse::<Ask>(&message);
        read_or_refuse::<Allocation>(&message);
    }
}
