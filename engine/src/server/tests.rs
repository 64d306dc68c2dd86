//! The listener as clients see it: tokio-postgres, psql, and bytes by hand.

use super::{Listener, ServerOptions};
use crate::node::{Node, NodeOptions};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

mod client;
mod copy;
mod psql;
mod raw;
mod sizes;

/// A node in memory that listens.
struct Server {
    node: Node,
    listener: Listener,
}

impl Server {
    async fn start() -> Server {
        Server::with(ServerOptions::default()).await
    }

    async fn with(options: ServerOptions) -> Server {
        let node = Node::start(NodeOptions::memory()).await.unwrap();
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), node.gateway(), options).await.unwrap();
        Server { node, listener }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().port()
    }

    async fn connect(&self) -> Client {
        self.try_connect().await.unwrap()
    }

    async fn try_connect(&self) -> Result<Client, tokio_postgres::Error> {
        let config = format!("host=127.0.0.1 port={} user=root dbname=postgres", self.port());
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn stop(self) {
        self.listener.shutdown(Duration::ZERO).await;
        self.node.shutdown().await.unwrap();
    }
}

/// Code and message of an error of the server.
fn told(error: &tokio_postgres::Error) -> (String, String) {
    let error = error.as_db_error().unwrap_or_else(|| panic!("not from the server: {error}"));
    (error.code().code().to_owned(), error.message().to_owned())
}

fn pair(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}
