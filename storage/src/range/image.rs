//! A full copy of a range, streamed to a replica that the log cannot help any more.
//!
//! ```text
//!   stream   header | pairs | pairs | ... | end              one chunk is about 256 KiB
//!   chunk    crc32 of the rest (4, LE) | position (4, LE) | encoded Part
//!   header   descriptor, position of the newest applied entry, floors, who sends it to whom in which term
//!   end      number of pairs
//! ```
//! The sender reads one engine view, so that data, applied index and descriptor belong together. The receiver checks
//! every chunk (checksum, order, keyspace and span of each key, total) and gathers them; only a complete image
//! reaches the store.
//!
//! Invariant: an image holds nothing outside the span of its descriptor.

use super::local::{self, Position};
use super::{RangeDescriptor, ReplicaDescriptor};
use crate::engine::EngineView;
use crate::{Error, Keyspace, Op, RangeId, ReplicaId, Span, codec};
use bincode::{Decode, Encode};

/// Bytes of pairs after which a chunk is closed.
const CHUNK_BYTES: usize = 256 << 10;
/// Largest chunk accepted: one pair may be larger than a usual chunk.
pub const MAX_CHUNK_BYTES: usize = 32 << 20;

/// What an image is of, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ImageHeader {
    /// The range as of the image.
    pub descriptor: RangeDescriptor,
    /// Index of the newest entry that the image contains.
    pub index: u64,
    /// Its term.
    pub entry_term: u64,
    /// The leader that sends it.
    pub from: ReplicaId,
    /// The replica that it is for.
    pub to: ReplicaId,
    /// The leader's term when the image was wanted.
    pub term: u64,
    /// The range's floors, as suffix and value.
    pub floors: Vec<(Vec<u8>, Vec<u8>)>,
}

impl ImageHeader {
    /// Position of the newest entry that the image contains.
    pub fn position(&self) -> Position {
        Position { index: self.index, term: self.entry_term }
    }
}

type KeyValues = Vec<(Vec<u8>, Vec<u8>)>;

#[derive(Encode, Decode)]
enum Part {
    Header(ImageHeader),
    Pairs { keyspace: Keyspace, pairs: KeyValues },
    End { pairs: u64 },
}

/// A complete, checked image.
#[derive(Clone, Debug)]
pub struct Image {
    /// What it is of.
    pub header: ImageHeader,
    /// The data as writes, one batch per chunk.
    pub batches: Vec<Vec<Op>>,
}

/// Why an image, or a piece of it, is not accepted: drop it, the leader sends another.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Bytes are not what was sent.
    #[error("an image chunk is torn or does not decode")]
    Torn,
    /// A chunk is missing, repeated or after the end.
    #[error("image chunk {found} came where {expected} belongs")]
    Order {
        /// Position expected.
        expected: u32,
        /// Position found.
        found: u32,
    },
    /// A key lies outside the image's span.
    #[error("an image holds a key outside its range")]
    Foreign,
    /// The image is larger than the receiver takes.
    #[error("an image is larger than {0} bytes")]
    TooLarge(usize),
    /// The end says another number of pairs.
    #[error("an image ended after {found} of {expected} pairs")]
    Short {
        /// Pairs announced.
        expected: u64,
        /// Pairs received.
        found: u64,
    },
}

/// Reads a range out of an engine view, chunk by chunk.
pub struct ImageReader {
    view: Box<dyn EngineView>,
    header: Option<ImageHeader>,
    span: Span,
    /// Keyspace being read, as position in [`Keyspace::BY_KEY`], and the next key in it.
    keyspace: usize,
    next: Vec<u8>,
    chunk: u32,
    pairs: u64,
    done: bool,
}

impl ImageReader {
    /// Begins an image of `range` for the replica `to`, sent by `from` in `term`. `None` if the view does not hold
    /// the range, or not with that member.
    ///
    /// # Errors
    /// What the view's reads fail with.
    pub fn open(
        view: Box<dyn EngineView>,
        range: RangeId,
        from: ReplicaId,
        to: ReplicaId,
        term: u64,
    ) -> Result<Option<ImageReader>, Error> {
        let Some((descriptor, applied)) = local::load_view(view.as_ref(), range)? else {
            return Ok(None);
        };
        let is_member = |id| descriptor.replicas.iter().any(|member: &ReplicaDescriptor| member.replica == id);
        if !is_member(to) || !is_member(from) {
            return Ok(None);
        }
        let floors = local::floors(|span| view.scan(Keyspace::Local, span), range)?;
        let span = descriptor.span.clone();
        let (index, entry_term) = (applied.index, applied.term);
        let header = Some(ImageHeader { descriptor, index, entry_term, from, to, term, floors });
        let next = span.in_keyspace(Keyspace::BY_KEY[0]).start;
        Ok(Some(ImageReader { view, header, span, keyspace: 0, next, chunk: 0, pairs: 0, done: false }))
    }

    /// The next chunk to send; `None` after the last one.
    ///
    /// # Errors
    /// What the view's reads fail with.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if let Some(header) = self.header.take() {
            return Ok(Some(self.seal(&Part::Header(header))));
        }
        while let Some(keyspace) = Keyspace::BY_KEY.get(self.keyspace).copied() {
            let pairs = self.read(keyspace)?;
            if !pairs.is_empty() {
                self.pairs += pairs.len() as u64;
                return Ok(Some(self.seal(&Part::Pairs { keyspace, pairs })));
            }
            self.keyspace += 1;
            if let Some(keyspace) = Keyspace::BY_KEY.get(self.keyspace) {
                self.next = self.span.in_keyspace(*keyspace).start;
            }
        }
        if self.done {
            return Ok(None);
        }
        self.done = true;
        Ok(Some(self.seal(&Part::End { pairs: self.pairs })))
    }

    fn read(&mut self, keyspace: Keyspace) -> Result<KeyValues, Error> {
        let mut pairs = Vec::new();
        let mut bytes = 0;
        let rest = Span::new(std::mem::take(&mut self.next), self.span.in_keyspace(keyspace).end);
        for pair in self.view.scan(keyspace, &rest) {
            let (key, value) = pair?;
            bytes += key.len() + value.len();
            pairs.push((key.to_vec(), value.to_vec()));
            if bytes >= CHUNK_BYTES {
                break;
            }
        }
        self.next = match pairs.last() {
            Some((key, _)) => Span::point(key).end,
            None => rest.end,
        };
        Ok(pairs)
    }

    fn seal(&mut self, part: &Part) -> Vec<u8> {
        let body = codec::encode(part);
        let mut chunk = Vec::with_capacity(body.len() + 8);
        chunk.extend_from_slice(&[0; 4]);
        chunk.extend_from_slice(&self.chunk.to_le_bytes());
        chunk.extend_from_slice(&body);
        let crc = crc32fast::hash(&chunk[4..]);
        chunk[..4].copy_from_slice(&crc.to_le_bytes());
        self.chunk += 1;
        chunk
    }
}

/// Checks and gathers the chunks of one image.
#[derive(Debug)]
pub struct ImageWriter {
    limit: usize,
    header: Option<ImageHeader>,
    batches: Vec<Vec<Op>>,
    bytes: usize,
    chunk: u32,
    pairs: u64,
}

impl ImageWriter {
    /// A writer that gathers at most about `limit` bytes in memory.
    pub fn new(limit: usize) -> ImageWriter {
        ImageWriter { limit, header: None, batches: Vec::new(), bytes: 0, chunk: 0, pairs: 0 }
    }

    /// What the image is of, once the first chunk was accepted.
    pub fn header(&self) -> Option<&ImageHeader> {
        self.header.as_ref()
    }

    /// Takes the next chunk; returns the image after its last one.
    ///
    /// # Errors
    /// Why the stream is not a valid image; the writer is of no use afterwards.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Option<Image>, ImageError> {
        match self.unseal(chunk)? {
            Part::Header(header) if self.chunk == 1 => self.header = Some(header),
            Part::Pairs { keyspace, pairs } => self.gather(keyspace, pairs)?,
            Part::End { pairs } if pairs == self.pairs => {
                let header = self.header.take().ok_or(ImageError::Torn)?;
                return Ok(Some(Image { header, batches: std::mem::take(&mut self.batches) }));
            }
            Part::End { pairs } => {
                return Err(ImageError::Short { expected: pairs, found: self.pairs });
            }
            Part::Header(_) => return Err(ImageError::Torn),
        }
        Ok(None)
    }

    fn unseal(&mut self, chunk: &[u8]) -> Result<Part, ImageError> {
        if chunk.len() > MAX_CHUNK_BYTES {
            return Err(ImageError::TooLarge(MAX_CHUNK_BYTES));
        }
        let (crc, rest) = chunk.split_first_chunk::<4>().ok_or(ImageError::Torn)?;
        let (position, body) = rest.split_first_chunk::<4>().ok_or(ImageError::Torn)?;
        if crc32fast::hash(rest) != u32::from_le_bytes(*crc) {
            return Err(ImageError::Torn);
        }
        let found = u32::from_le_bytes(*position);
        if found != self.chunk {
            return Err(ImageError::Order { expected: self.chunk, found });
        }
        self.bytes += chunk.len();
        if self.bytes > self.limit {
            return Err(ImageError::TooLarge(self.limit));
        }
        self.chunk += 1;
        codec::decode(body).map_err(|_| ImageError::Torn)
    }

    fn gather(&mut self, keyspace: Keyspace, pairs: KeyValues) -> Result<(), ImageError> {
        let header = self.header.as_ref().ok_or(ImageError::Torn)?;
        let span = header.descriptor.span.in_keyspace(keyspace);
        if keyspace == Keyspace::Local || pairs.iter().any(|(key, _)| !span.contains(key)) {
            return Err(ImageError::Foreign);
        }
        self.pairs += pairs.len() as u64;
        self.batches.push(pairs.into_iter().map(|(key, value)| Op::Put { keyspace, key, value }).collect());
        Ok(())
    }
}

/// Whether `suffix` may travel in an image's floors.
pub(crate) fn is_floor(suffix: &[u8]) -> bool {
    suffix.starts_with(local::FLOOR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_sealed_body_is_taken_or_refused(bodies in prop::collection::vec((0u8..4, any::<Vec<u8>>()), 1..4)) {
            let mut writer = ImageWriter::new(1 << 20);
            for (position, (kind, body)) in bodies.into_iter().enumerate() {
                let mut sealed = (position as u32).to_le_bytes().to_vec();
                sealed.extend([kind, 0, 0, 0]);
                sealed.extend(body);
                let mut chunk = crc32fast::hash(&sealed).to_le_bytes().to_vec();
                chunk.extend(sealed);
                if writer.push(&chunk).is_err() {
                    break;
                }
            }
        }
    }
}
