//! The protocol byte by byte: pipelines, empty queries, garbage.

use super::*;
use tokio::io::BufReader;

/// A connection by hand.
pub(super) struct Raw {
    stream: BufReader<TcpStream>,
}

impl Raw {
    /// Connects and starts a session.
    pub(super) async fn connect(server: &Server) -> Raw {
        let mut raw = Raw::open(server).await;
        raw.send(startup(b"user\0root\0database\0postgres\0\0")).await;
        let told = raw.until(b'Z').await;
        assert!(told.starts_with("R K S("), "{told}");
        raw
    }

    async fn open(server: &Server) -> Raw {
        let stream = TcpStream::connect(server.listener.local_addr()).await.unwrap();
        Raw { stream: BufReader::new(stream) }
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Messages up to one of this type (or the end), in short.
    pub(super) async fn until(&mut self, last: u8) -> String {
        let mut told = Vec::new();
        while let Ok(kind) = self.stream.read_u8().await {
            let length = self.stream.read_u32().await.unwrap();
            let mut body = vec![0; length as usize - 4];
            self.stream.read_exact(&mut body).await.unwrap();
            told.push(short(kind, &body));
            if kind == last {
                break;
            }
        }
        told.join(" ")
    }

    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).await.unwrap();
        rest
    }
}

fn short(kind: u8, body: &[u8]) -> String {
    let strings: Vec<String> =
        body.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    let field = |code: char| strings.iter().find_map(|part| part.strip_prefix(code)).unwrap_or_default().to_owned();
    let inside = match kind {
        b'C' => strings[0].clone(),
        b'S' => strings[0].clone(),
        b'Z' => String::from_utf8_lossy(body).into_owned(),
        b'E' | b'N' => format!("{} {}", field('C'), field('M')),
        b'D' => values(body).join(","),
        _ => return char::from(kind).to_string(),
    };
    format!("{}({inside})", char::from(kind))
}

fn values(mut body: &[u8]) -> Vec<String> {
    body = &body[2..];
    let mut values = Vec::new();
    while let Some((length, rest)) = body.split_first_chunk() {
        let length = i32::from_be_bytes(*length).max(0) as usize;
        values.push(String::from_utf8_lossy(&rest[..length]).into_owned());
        body = &rest[length..];
    }
    values
}

pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 4).to_be_bytes();
    [&[kind][..], &length, body].concat()
}

pub(super) fn query(sql: &str) -> Vec<u8> {
    message(b'Q', format!("{sql}\0").as_bytes())
}

fn startup(body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 8).to_be_bytes();
    [&length[..], &[0, 3, 0, 0], body].concat()
}

/// Parse, Bind, Describe and Execute of an unnamed statement without parameters.
fn run(sql: &str, max_rows: u8) -> Vec<u8> {
    let parse = message(b'P', format!("\0{sql}\0\0\0").as_bytes());
    let bind = message(b'B', b"\0\0\0\0\0\0\0\0");
    [parse, bind, message(b'D', b"P\0"), message(b'E', &[0, 0, 0, 0, max_rows])].concat()
}

const SYNC: [u8; 5] = [b'S', 0, 0, 0, 4];

#[tokio::test]
async fn a_pipeline_is_one_transaction_and_an_error_skips_to_sync() {
    let server = Server::start().await;
    let mut raw = Raw::connect(&server).await;
    raw.send(query("CREATE TABLE t (a INT PRIMARY KEY)")).await;
    assert_eq!(raw.until(b'Z').await, "C(CREATE TABLE) Z(I)");
    let pipeline = [
        run("INSERT INTO t VALUES (1)", 0),
        run("INSERT INTO t VALUES (1)", 0),
        run("SELECT 1", 0),
        SYNC.to_vec(),
        run("SELECT count(*) FROM t", 0),
        SYNC.to_vec(),
    ];
    raw.send(pipeline.concat()).await;
    let unique = "E(23505 duplicate key value violates unique constraint \"t_pkey\")";
    assert_eq!(raw.until(b'Z').await, format!("1 2 n C(INSERT 0 1) 1 2 n {unique} Z(I)"));
    assert_eq!(raw.until(b'Z').await, "1 2 T D(0) C(SELECT 1) Z(I)");
    server.stop().await;
}

#[tokio::test]
async fn portals_end_with_their_transaction() {
    let server = Server::start().await;
    let mut raw = Raw::connect(&server).await;
    let execute = message(b'E', &[0, 0, 0, 0, 2]);
    let series = run("SELECT n FROM generate_series(1, 3) AS n", 2);
    raw.send([series, execute.clone(), execute.clone(), SYNC.to_vec(), execute, SYNC.to_vec()].concat()).await;
    assert_eq!(raw.until(b'Z').await, "1 2 T D(1) D(2) s D(3) C(SELECT 1) C(SELECT 0) Z(I)");
    assert_eq!(raw.until(b'Z').await, "E(34000 portal \"\" does not exist) Z(I)");
    server.stop().await;
}

#[tokio::test]
async fn empty_texts_are_answered() {
    let server = Server::start().await;
    let mut raw = Raw::connect(&server).await;
    raw.send([query(""), query(" -- nothing\n;"), run("", 0), SYNC.to_vec()].concat()).await;
    assert_eq!(raw.until(b'Z').await, "I Z(I)");
    assert_eq!(raw.until(b'Z').await, "I Z(I)");
    assert_eq!(raw.until(b'Z').await, "1 2 n I Z(I)");
    server.stop().await;
}

#[tokio::test]
async fn flush_answers_without_sync() {
    let server = Server::start().await;
    let mut raw = Raw::connect(&server).await;
    raw.send([message(b'P', b"s\0SELECT $1::int\0\0\0"), message(b'D', b"Ss\0"), message(b'H', b"")].concat()).await;
    assert_eq!(raw.until(b'T').await, "1 t T");
    raw.send([message(b'P', b"s\0SELECT 2\0\0\0"), SYNC.to_vec()].concat()).await;
    assert_eq!(raw.until(b'Z').await, "E(42P05 prepared statement \"s\" already exists) Z(I)");
    raw.send(
        [message(b'C', b"Ss\0"), message(b'C', b"Ss\0"), message(b'B', b"\0s\0\0\0\0\0\0\0"), SYNC.to_vec()].concat(),
    )
    .await;
    assert_eq!(raw.until(b'Z').await, "3 3 E(26000 prepared statement \"s\" does not exist) Z(I)");
    server.stop().await;
}

#[tokio::test]
async fn an_error_of_the_protocol_fails_an_open_block() {
    let server = Server::start().await;
    let mut raw = Raw::connect(&server).await;
    raw.send([query("BEGIN"), message(b'E', b"nope\0\0\0\0\0"), SYNC.to_vec()].concat()).await;
    assert_eq!(raw.until(b'Z').await, "C(BEGIN) Z(T)");
    assert_eq!(raw.until(b'Z').await, "E(34000 portal \"nope\" does not exist) Z(E)");
    raw.send(query("COMMIT")).await;
    assert_eq!(raw.until(b'Z').await, "C(ROLLBACK) Z(I)");
    server.stop().await;
}

#[tokio::test]
async fn encryption_is_refused_and_newer_protocols_are_told() {
    let server = Server::start().await;
    let mut raw = Raw::open(&server).await;
    for code in [80_877_104u32, 80_877_103] {
        raw.send([8u32.to_be_bytes(), code.to_be_bytes()].concat()).await;
        assert_eq!(raw.stream.read_u8().await.unwrap(), b'N');
    }
    let body = b"user\0root\0database\0postgres\0_pq_.x\0y\0\0";
    raw.send([&(body.len() as u32 + 8).to_be_bytes()[..], &[0, 3, 0, 2], body].concat()).await;
    assert!(raw.until(b'Z').await.starts_with("v R K S("));
    server.stop().await;
}

#[tokio::test]
async fn broken_framing_ends_the_connection_alone() {
    let server = Server::with(ServerOptions::default().with_max_message_bytes(20_000)).await;
    let mut witness = Raw::connect(&server).await;
    let cases: [(&[u8], &str); 4] = [
        (b"y\0\0\0\x04", "E(08P01 invalid frontend message type 121)"),
        (b"Q\0\0\0\x03", "E(08P01 invalid message length)"),
        (b"Q\x7f\xff\xff\xff", "E(08P01 invalid message length)"),
        (b"S\0\0\xff\xff", "E(08P01 invalid message length)"),
    ];
    for (garbage, expected) in cases {
        let mut raw = Raw::connect(&server).await;
        raw.send(garbage).await;
        assert_eq!(raw.until(b'Z').await, expected);
    }
    let mut raw = Raw::open(&server).await;
    raw.send(b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(String::from_utf8_lossy(&raw.rest().await).contains("08P01"));
    witness.send(query("SELECT 1")).await;
    assert_eq!(witness.until(b'Z').await, "T D(1) C(SELECT 1) Z(I)");
    server.stop().await;
}

/// The value of the ParameterStatus `txn_token` that comes next.
async fn token(raw: &mut Raw) -> String {
    assert_eq!(raw.stream.read_u8().await.unwrap(), b'S');
    let mut body = vec![0; raw.stream.read_u32().await.unwrap() as usize - 4];
    raw.stream.read_exact(&mut body).await.unwrap();
    let body = String::from_utf8(body).unwrap();
    body.strip_prefix("txn_token\0").unwrap().trim_end_matches('\0').to_owned()
}

#[tokio::test]
async fn the_token_of_a_commit_comes_before_it_is_carried_out() {
    let server = Server::start().await;
    let mut raw = Raw::connect(&server).await;
    for sql in ["CREATE TABLE t (a INT PRIMARY KEY)", "ALTER TABLE t SPLIT AT VALUES (10)", "SET txn_token = on"] {
        raw.send(query(sql)).await;
        raw.until(b'Z').await;
    }
    let brake = server.node.gateway();
    let brake = brake.client.coordinator().brake();
    for extended in [false, true] {
        let first = if extended { 2 } else { 1 };
        raw.send(query(&format!("BEGIN; INSERT INTO t VALUES ({first}), ({})", first + 10))).await;
        assert_eq!(raw.until(b'Z').await, "C(BEGIN) C(INSERT 0 2) Z(T)");
        brake.pull();
        raw.send(if extended { [run("COMMIT", 0), SYNC.to_vec()].concat() } else { query("COMMIT") }).await;
        if extended {
            assert_eq!(raw.until(b'n').await, "1 2 n");
        }
        let token = token(&mut raw).await;
        assert!(brake.held().await.is_some(), "the commit is not over");
        let client = server.connect().await;
        let status = client.query_one("SELECT quorate.txn_status($1)", &[&token]).await.unwrap();
        brake.release();
        assert_eq!(raw.until(b'Z').await, "C(COMMIT) Z(I)");
        let committed = status.get::<_, String>(0);
        let id = committed.strip_prefix("committed(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        assert!(id.parse::<u64>().unwrap() > 0);
    }
    // Nothing is said of transactions that write nothing, and of statements that commit by themselves.
    for (sql, answers) in [
        ("BEGIN; SELECT a FROM t WHERE a = 1; COMMIT", "C(BEGIN) T D(1) C(SELECT 1) C(COMMIT) Z(I)"),
        ("INSERT INTO t VALUES (3)", "C(INSERT 0 1) Z(I)"),
        ("BEGIN; INSERT INTO t VALUES (4); ROLLBACK", "C(BEGIN) C(INSERT 0 1) C(ROLLBACK) Z(I)"),
        ("BEGIN; INSERT INTO t VALUES (4); COMMIT", "C(BEGIN) C(INSERT 0 1) S(txn_token) C(COMMIT) Z(I)"),
        ("SET txn_token = off", "C(SET) Z(I)"),
        ("BEGIN; INSERT INTO t VALUES (5); COMMIT", "C(BEGIN) C(INSERT 0 1) C(COMMIT) Z(I)"),
    ] {
        raw.send(query(sql)).await;
        assert_eq!(raw.until(b'Z').await, answers, "{sql}");
    }
    server.stop().await;
}
