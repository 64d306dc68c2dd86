//! COPY in both directions.

use super::*;
use bytes::Bytes;
use futures::{SinkExt, StreamExt, TryStreamExt};
use std::pin::pin;

#[tokio::test]
async fn copy_takes_one_row_per_message_or_many() {
    let server = Server::start().await;
    let client = server.connect().await;
    client.batch_execute("CREATE TABLE t (a INT PRIMARY KEY, b TEXT)").await.unwrap();
    let sink = client.copy_in::<_, Bytes>("COPY t FROM STDIN").await.unwrap();
    let mut sink = pin!(sink);
    for piece in ["1\tone\n", "2\t\\N\n3\tth", "ree\n"] {
        sink.send(Bytes::from_static(piece.as_bytes())).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 3);
    let out = client.copy_out("COPY t TO STDOUT").await.unwrap();
    let lines: Vec<Bytes> = pin!(out).try_collect().await.unwrap();
    assert_eq!(lines, ["1\tone\n", "2\t\\N\n", "3\tthree\n"]);
    server.stop().await;
}

#[tokio::test]
async fn copy_in_a_simple_query_goes_on_after_it() {
    let server = Server::start().await;
    let mut raw = raw::Raw::connect(&server).await;
    raw.send(raw::query("CREATE TABLE t (a INT PRIMARY KEY); COPY t FROM STDIN; SELECT count(*) FROM t")).await;
    assert_eq!(raw.until(b'G').await, "C(CREATE TABLE) G");
    raw.send([raw::message(b'd', b"1\n"), raw::message(b'd', b"2\n"), raw::message(b'c', b"")].concat()).await;
    assert_eq!(raw.until(b'Z').await, "C(COPY 2) T D(2) C(SELECT 1) Z(I)");
    server.stop().await;
}

#[tokio::test]
async fn copy_can_fail_on_both_sides() {
    let server = Server::start().await;
    let mut raw = raw::Raw::connect(&server).await;
    raw.send(raw::query("CREATE TABLE t (a INT PRIMARY KEY)")).await;
    raw.until(b'Z').await;
    raw.send(raw::query("COPY t FROM STDIN")).await;
    raw.until(b'G').await;
    raw.send(raw::message(b'f', b"no more\0")).await;
    assert_eq!(raw.until(b'Z').await, "E(57014 COPY from stdin failed: no more) Z(I)");
    raw.send(raw::query("COPY t FROM STDIN")).await;
    raw.until(b'G').await;
    raw.send([raw::message(b'd', b"x\n"), raw::message(b'c', b"")].concat()).await;
    assert_eq!(raw.until(b'Z').await, "E(22P02 invalid input syntax for type integer: \"x\") Z(I)");
    raw.send(raw::query("SELECT count(*) FROM t")).await;
    assert_eq!(raw.until(b'Z').await, "T D(0) C(SELECT 1) Z(I)");
    server.stop().await;
}

#[tokio::test]
async fn large_copies_stream() {
    let server = Server::start().await;
    let client = server.connect().await;
    client.batch_execute("CREATE TABLE t (a INT PRIMARY KEY, b TEXT)").await.unwrap();
    let sink = client.copy_in::<_, Bytes>("COPY t FROM STDIN").await.unwrap();
    let mut sink = pin!(sink);
    for number in 0..5000 {
        sink.feed(Bytes::from(format!("{number}\t{number:0100}\n"))).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 5000);
    let out = client.copy_out("COPY t TO STDOUT").await.unwrap();
    let bytes = pin!(out).fold(0, async |sum, line| sum + line.unwrap().len()).await;
    assert_eq!(bytes, (0..5000).map(|number| format!("{number}\t{number:0100}\n").len()).sum::<usize>());
    server.stop().await;
}
