//! A future is copied into each that awaits it, so those of the hot path stay small.

use super::Server;
use crate::server::connection::Connection;
use crate::server::input::{Frame, Input};
use crate::server::output::Output;
use crate::session::{ExecuteMode, Session, StartupParams};
use tokio::net::TcpStream;

#[tokio::test]
async fn futures_of_the_hot_path_are_small() {
    let server = Server::start().await;
    let params =
        StartupParams { user: "root".to_owned(), database: "postgres".to_owned(), settings: Vec::new(), process_id: 1 };
    let mut session = Session::new(server.node.gateway(), params);
    session.start().await.unwrap();
    let prepared = session.prepare("SELECT 1", &[]).await.unwrap();
    let execute = size_of_val(&session.execute(&prepared, Vec::new(), ExecuteMode::Autocommit));
    let mut execution = session.execute(&prepared, Vec::new(), ExecuteMode::Autocommit).await.unwrap();
    let fetch = size_of_val(&session.fetch(&mut execution, 0));

    let place = server.listener.place();
    let (read, write) = TcpStream::connect(server.listener.local_addr()).await.unwrap().into_split();
    let mut connection = Connection::new(Input::new(read, 1), Output::new(write), session, place.seat.clone());
    let frame = Frame { kind: b'E', body: bytes::Bytes::new() };
    let extended = size_of_val(&connection.extended(&frame));
    let sizes = [("execute", execute), ("fetch", fetch), ("extended", extended)];
    assert!(sizes.iter().all(|(_, size)| *size <= 2560), "{sizes:?}");
}
