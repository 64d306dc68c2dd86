//! How descriptors are stored: bincode of the structs, with a version byte; a [`Type`] is its OID and modifier.

use super::descriptor::{Database, Role, Schema, Sequence, Table};
use crate::error::{Error, Result, SqlState};
use crate::sql::types::Type;
use bincode::config::{self, Configuration, Limit, LittleEndian, Varint};
use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};

/// Version of the encoding, the first byte of every stored descriptor.
const VERSION: u8 = 1;

/// A descriptor is at most this long; decoding allocates no more.
const MAX_BYTES: usize = 16 << 20;

impl Encode for Type {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.oid(), self.typmod()).encode(encoder)
    }
}

impl<C> Decode<C> for Type {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Type, DecodeError> {
        let (oid, typmod) = <(u32, i32)>::decode(decoder)?;
        Type::from_oid(oid, typmod).ok_or(DecodeError::Other("unknown type"))
    }
}

impl<'de, C> BorrowDecode<'de, C> for Type {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Type, DecodeError> {
        Type::decode(decoder)
    }
}

/// Any descriptor, as stored in a row of the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Descriptor {
    /// A database.
    Database(Database),
    /// A schema.
    Schema(Schema),
    /// A table with its indexes and constraints.
    Table(Table),
    /// A sequence.
    Sequence(Sequence),
    /// A role.
    Role(Role),
}

fn configuration() -> Configuration<LittleEndian, Varint, Limit<MAX_BYTES>> {
    config::standard().with_limit::<MAX_BYTES>()
}

impl Descriptor {
    /// The stored bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![VERSION];
        let encoded = bincode::encode_to_vec(self, configuration())
            .map_err(|error| Error::internal("a catalog descriptor is too large").with_source(error))?;
        bytes.extend_from_slice(&encoded);
        Ok(bytes)
    }

    /// Reads stored bytes; XX001 if they are none of ours.
    pub fn from_bytes(bytes: &[u8]) -> Result<Descriptor> {
        let damaged = || Error::new(SqlState::DATA_CORRUPTED, "a catalog descriptor is damaged");
        let (version, rest) = bytes.split_first().ok_or_else(damaged)?;
        if *version != VERSION {
            return Err(Error::new(
                SqlState::DATA_CORRUPTED,
                format!("a catalog descriptor has format {version}, this release reads {VERSION}"),
            ));
        }
        let (descriptor, read) =
            bincode::decode_from_slice(rest, configuration()).map_err(|error| damaged().with_source(error))?;
        if read == rest.len() { Ok(descriptor) } else { Err(damaged()) }
    }

    /// The object's id.
    pub fn id(&self) -> u32 {
        match self {
            Descriptor::Database(database) => database.id.0,
            Descriptor::Schema(schema) => schema.id.0,
            Descriptor::Table(table) => table.id.0,
            Descriptor::Sequence(sequence) => sequence.id.0,
            Descriptor::Role(role) => role.id.0,
        }
    }
}
