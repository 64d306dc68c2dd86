//! What a commit writes: new versions in place, replaced ones to History, and a guard on each replaced one.

use super::version;
use crate::TxnId;
use bytes::Bytes;
use quorate_storage::{Error, Expect, Guard, Keyspace, Op};

/// Guards and writes of one Raft entry under construction.
#[derive(Debug, Default)]
pub struct Batch {
    /// Conditions at apply.
    pub guards: Vec<Guard>,
    /// Writes.
    pub ops: Vec<Op>,
}

impl Batch {
    /// An empty batch with room for the versions of `keys` keys.
    pub fn with_capacity(keys: usize) -> Batch {
        Batch { guards: Vec::with_capacity(keys + 1), ops: Vec::with_capacity(2 * keys + 1) }
    }

    /// Adds a condition.
    pub fn guard(&mut self, keyspace: Keyspace, key: Vec<u8>, expect: Expect) {
        self.guards.push(Guard { keyspace, key, expect });
    }

    /// Adds a write.
    pub fn put(&mut self, keyspace: Keyspace, key: Vec<u8>, value: Vec<u8>) {
        self.ops.push(Op::Put { keyspace, key, value });
    }

    /// Adds a removal.
    pub fn delete(&mut self, keyspace: Keyspace, key: Vec<u8>) {
        self.ops.push(Op::Delete { keyspace, key });
    }

    /// Makes `value` the newest version of `key` at `id`; `stored` is the Data value that it replaces, as read under
    /// the latch. Deleting a key that never existed writes nothing.
    pub fn version(
        &mut self,
        key: Vec<u8>,
        id: TxnId,
        value: Option<&[u8]>,
        stored: Option<&Bytes>,
    ) -> Result<(), Error> {
        let expect = match stored {
            None => Expect::Absent,
            Some(stored) => Expect::StartsWith(version::newest_id(stored)?.0.to_be_bytes().to_vec()),
        };
        self.guard(Keyspace::Data, key.clone(), expect);
        if let Some(stored) = stored {
            let old = version::newest_id(stored)?;
            if old >= id {
                return Err(Error::Damaged(format!("commit at {id} below a version at {old}")));
            }
            self.put(Keyspace::History, version::history_key(&key, old), version::history_value(stored)?);
        } else if value.is_none() {
            return Ok(());
        }
        self.put(Keyspace::Data, key, version::encode_newest(id, value));
        Ok(())
    }
}
