//! Images of ranges on their way between nodes: read from an engine view, sent over a bulk stream, gathered and given
//! to the store.
//!
//! Reading touches the disk, so it runs on the blocking pool; the receiver's flow control paces it chunk by chunk.

use bytes::Bytes;
use quorate_net::runtime::Runtime;
use quorate_net::{ChunkSource, ChunkStream, Message, NetError, PeerId, Transport};
use quorate_storage::range::image::{Image, ImageReader, ImageWriter};
use quorate_storage::store::{Event, ImageRequest};
use quorate_storage::{Engine, StoreHandle};
use std::sync::Arc;

/// Kind of a bulk transfer that carries an image.
pub(crate) const IMAGE: u16 = 0x0101;
/// Largest image that is gathered in memory.
const MOST_IMAGE_BYTES: usize = 4 << 30;
/// The receiver's answer when the store took the image.
const TAKEN: &[u8] = b"taken";
/// The same when the store did not want it.
const REFUSED: &[u8] = b"refused";

/// Sends the wanted image and tells the store how it went.
pub(crate) async fn send(
    request: ImageRequest,
    engine: Arc<dyn Engine>,
    store: StoreHandle,
    transport: Arc<dyn Transport>,
    runtime: Runtime,
) {
    let ok = match send_chunks(&request, engine, transport.as_ref(), &runtime).await {
        Ok(taken) => taken,
        Err(error) => {
            tracing::warn!(range = %request.range, node = %request.node, %error, "an image was not delivered");
            false
        }
    };
    store.send(Event::ImageSent { range: request.range, to: request.to, ok });
}

async fn send_chunks(
    request: &ImageRequest,
    engine: Arc<dyn Engine>,
    transport: &dyn Transport,
    runtime: &Runtime,
) -> Result<bool, NetError> {
    let opened = {
        let request = request.clone();
        blocking(runtime, move || {
            ImageReader::open(engine.view(), request.range, request.from, request.to, request.term)
        })
        .await?
    };
    let Some(reader) = opened.map_err(|error| NetError::Cancelled(error.to_string()))? else {
        return Ok(false);
    };
    let mut chunks = ReaderChunks { reader: Some(reader), runtime: runtime.clone() };
    let answer = transport.send_bulk(PeerId(request.node.0), IMAGE, Bytes::new(), &mut chunks).await?;
    Ok(answer == TAKEN)
}

struct ReaderChunks {
    reader: Option<ImageReader>,
    runtime: Runtime,
}

#[async_trait::async_trait]
impl ChunkSource for ReaderChunks {
    async fn next(&mut self) -> Result<Option<Bytes>, NetError> {
        let Some(mut reader) = self.reader.take() else {
            return Ok(None);
        };
        let (reader, chunk) = blocking(&self.runtime, move || {
            let chunk = reader.next_chunk();
            (reader, chunk)
        })
        .await?;
        let chunk = chunk.map_err(|error| NetError::Cancelled(error.to_string()))?;
        self.reader = Some(reader);
        Ok(chunk.map(Bytes::from))
    }
}

async fn blocking<T: Send + 'static>(
    runtime: &Runtime,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NetError> {
    runtime.blocking(work).await.ok_or_else(|| NetError::Cancelled("reading an image panicked".into()))
}

/// Gathers an image from a peer and gives it to the store; the answer for the sender.
pub(crate) async fn receive(from: PeerId, chunks: &mut dyn ChunkStream, store: &StoreHandle) -> Bytes {
    match gather(chunks, store).await {
        Ok(Gathered::Whole(image)) => {
            let taken = store.install_image(image).await;
            Bytes::from_static(if taken { TAKEN } else { REFUSED })
        }
        Ok(Gathered::Unwanted) => Bytes::from_static(REFUSED),
        Ok(Gathered::Incomplete) => Bytes::from_static(b"incomplete"),
        Err(error) => {
            tracing::warn!(%from, %error, "an image was dropped");
            Bytes::from_static(b"damaged")
        }
    }
}

enum Gathered {
    Whole(Image),
    /// The store does not want what the header announces; the rest was not received.
    Unwanted,
    Incomplete,
}

async fn gather(chunks: &mut dyn ChunkStream, store: &StoreHandle) -> Result<Gathered, String> {
    let mut writer = ImageWriter::new(MOST_IMAGE_BYTES);
    while let Some(chunk) = chunks.next().await.map_err(|error| error.to_string())? {
        let begins = writer.header().is_none();
        if let Some(image) = writer.push(&chunk).map_err(|error| error.to_string())? {
            return Ok(Gathered::Whole(image));
        }
        if let Some(header) = writer.header().filter(|_| begins)
            && !store.offer_image(header.clone()).await
        {
            return Ok(Gathered::Unwanted);
        }
    }
    Ok(Gathered::Incomplete)
}

/// Kind of a one-way message that carries an envelope of Raft messages.
pub const RAFT: u16 = 0x0102;

/// The envelope of these encoded Raft messages.
pub(crate) fn envelope(payload: Vec<u8>) -> Message {
    Message { kind: RAFT, payload: Bytes::from(payload) }
}
