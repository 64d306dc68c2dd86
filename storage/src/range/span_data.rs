//! Deleting what a range holds, in batches of bounded size.

use crate::{Engine, Error, Keyspace, Op, Span};

/// Keys deleted by one engine batch.
const BATCH: usize = 4096;

/// Deletes every key of `span` in all keyspaces that belong to ranges by key. Not atomic: the caller marks the span as
/// unfinished before.
pub(crate) fn delete_data(engine: &dyn Engine, span: &Span) -> Result<(), Error> {
    for keyspace in Keyspace::BY_KEY {
        let mut rest = span.in_keyspace(keyspace);
        loop {
            let keys = first_keys(engine, keyspace, &rest)?;
            let Some(last) = keys.last() else { break };
            rest.start = Span::point(last).end;
            engine.write(keys.into_iter().map(|key| Op::Delete { keyspace, key }).collect())?;
        }
    }
    Ok(())
}

fn first_keys(engine: &dyn Engine, keyspace: Keyspace, span: &Span) -> Result<Vec<Vec<u8>>, Error> {
    engine.scan(keyspace, span).take(BATCH).map(|pair| Ok(pair?.0.to_vec())).collect()
}
