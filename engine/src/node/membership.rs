//! Who belongs to the cluster: join tokens, admission of nodes, the address book.
//!
//! ```text
//!   token create   random id and secret; TokenRecord with the secret's hash          one transaction
//!   join           token unused and not expired -> used; next node id; NodeRecord    one transaction, then the signature
//!   every second   each node reads the node records and tells its transport the addresses
//! ```
//!
//! Invariant: a token admits one node, also when two joiners present it at the same moment.
//! Invariant: the CA key never leaves the catalog range but to sign.

use super::records::{self, ClusterRecord, NodeRecord, TokenRecord};
use crate::error::{Error, Result, SqlState};
use async_trait::async_trait;
use bytes::Bytes;
use quorate_net::identity::{ClusterAuthority, ClusterId, Identity};
use quorate_net::join::{JoinHandler, JoinReply, JoinRequest};
use quorate_net::runtime::Runtime;
use quorate_net::token::{JoinToken, secret_hash};
use quorate_storage::NodeId;
use quorate_txn::{Client, Scan, Transaction, TxnOptions};
use std::net::SocketAddr;

/// How long a join token is valid: one hour, in microseconds.
const TOKEN_LIFE: u64 = 3_600_000_000;
/// Attempts of one of this module's transactions before its error is reported.
const ATTEMPTS: u64 = 20;

/// Runs a transaction, again after conflicts. A macro, because a closure that lends the transaction to its future cannot
/// promise that the future is `Send`.
macro_rules! transaction {
    ($self:ident, |$txn:ident| $body:block) => {{
        let mut tries = 1;
        loop {
            let mut owned = $self.client.begin(TxnOptions::default()).await?;
            let $txn = &mut owned;
            let outcome = async { $body }.await;
            let error: Error = match outcome {
                Ok(value) => match owned.commit().await {
                    Ok(_) => break Ok(value),
                    Err(error) => error.into(),
                },
                Err(error) => error,
            };
            owned.rollback().await;
            if !error.is_retryable() || tries == ATTEMPTS {
                break Err(error);
            }
            tries += 1;
            $self.runtime.sleep(std::time::Duration::from_millis(2 * tries)).await;
        }
    }};
}

/// Reads and changes the cluster's own rows.
#[derive(Clone)]
pub(crate) struct Membership {
    client: Client,
    runtime: Runtime,
}

/// A join token as `cluster token list` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenStatus {
    /// Its id, hexadecimal.
    pub id: String,
    /// `valid`, `used by n2`, `expired` or `revoked`.
    pub state: String,
    /// Unix time, microseconds.
    pub expires_at: u64,
}

impl Membership {
    pub(crate) fn new(client: Client, runtime: Runtime) -> Membership {
        Membership { client, runtime }
    }

    /// Writes the first rows of a new cluster: its authority, if nodes have to show certificates, and its first node.
    pub(crate) async fn found(&self, cluster: Option<&ClusterRecord>, first: &NodeRecord) -> Result<()> {
        transaction!(self, |txn| {
            if let Some(cluster) = cluster {
                txn.put(records::cluster_key(), records::encode(cluster));
            }
            txn.put(records::node_key(first.id), records::encode(first));
            let next = NodeId(first.id.0 + 1);
            if txn.get(&records::next_node_key(), None).await?.is_none() {
                txn.put(records::next_node_key(), records::encode(&next));
            }
            Ok(())
        })
    }

    /// The cluster's own row, once it has one.
    pub(crate) async fn cluster(&self) -> Result<Option<ClusterRecord>> {
        transaction!(self, |txn| { read(txn, &records::cluster_key(), "cluster").await })
    }

    /// All member nodes, by id.
    pub(crate) async fn nodes(&self) -> Result<Vec<NodeRecord>> {
        transaction!(self, |txn| {
            let rows = scan(txn, records::nodes_span()).await?;
            rows.iter().map(|(_, value)| records::decode(value, "node")).collect()
        })
    }

    /// Writes where this node is now reached.
    pub(crate) async fn announce(&self, node: NodeId, addresses: &[SocketAddr], sql: Option<String>) -> Result<()> {
        transaction!(self, |txn| {
            let key = records::node_key(node);
            let Some(mut record) = read::<NodeRecord>(txn, &key, "node").await? else {
                let message = format!("this node ({node}) is not a member of the cluster any more");
                return Err(Error::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message));
            };
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            if record.node_addresses != addresses || record.sql_address != sql {
                record.node_addresses = addresses;
                record.sql_address.clone_from(&sql);
                txn.put(key, records::encode(&record));
            }
            Ok(())
        })
    }

    /// Makes a token with which one node can join through `addresses`.
    pub(crate) async fn create_token(&self, addresses: Vec<String>) -> Result<JoinToken> {
        let Some(cluster) = self.cluster().await? else {
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "this database is not a cluster node")
                .with_hint("Start it with: quorate start DIR"));
        };
        let authority = authority(&cluster)?;
        let pin = authority.pin().map_err(identity_error)?;
        let token = JoinToken::draw(addresses, pin, &self.runtime);
        let record = TokenRecord {
            secret_hash: token.secret_hash(),
            expires_at: self.runtime.wall() + TOKEN_LIFE,
            used_by: None,
            revoked: false,
        };
        transaction!(self, |txn| {
            txn.put(records::token_key(&token.id), records::encode(&record));
            Ok(())
        })?;
        Ok(token)
    }

    /// All tokens ever made, by id.
    pub(crate) async fn tokens(&self) -> Result<Vec<TokenStatus>> {
        let now = self.runtime.wall();
        transaction!(self, |txn| {
            let rows = scan(txn, records::tokens_span()).await?;
            let prefix = records::token_key(&[]).len();
            rows.iter()
                .map(|(key, value)| {
                    let record: TokenRecord = records::decode(value, "token")?;
                    let id = key[prefix..].iter().map(|byte| format!("{byte:02x}")).collect();
                    Ok(TokenStatus { id, state: token_state(&record, now), expires_at: record.expires_at })
                })
                .collect()
        })
    }

    /// Makes a token useless. `false` if there is no such token.
    pub(crate) async fn revoke_token(&self, id: &[u8]) -> Result<bool> {
        transaction!(self, |txn| {
            let key = records::token_key(id);
            let Some(mut record) = read::<TokenRecord>(txn, &key, "token").await? else {
                return Ok(false);
            };
            record.revoked = true;
            txn.put(key, records::encode(&record));
            Ok(true)
        })
    }

    /// Uses up the token and gives the joiner its node id, or says why not.
    async fn admit(&self, request: &JoinRequest) -> Result<std::result::Result<NodeId, String>> {
        let now = self.runtime.wall();
        transaction!(self, |txn| {
            let key = records::token_key(&request.token_id);
            let Some(mut token) = read::<TokenRecord>(txn, &key, "token").await? else {
                return Ok(Err("this cluster has not made this token".to_owned()));
            };
            let same = token.secret_hash == secret_hash(&request.secret);
            if !same {
                return Ok(Err("the secret of this token is wrong".to_owned()));
            }
            let state = token_state(&token, now);
            if state != "valid" {
                return Ok(Err(format!("this token is {state}; make a new one with: quorate cluster token create")));
            }
            let addresses = request.advertise.iter().map(ToString::to_string).collect();
            let Some(next) = enrol(txn, addresses, now).await? else {
                return Ok(Err("this cluster has no next node id".to_owned()));
            };
            token.used_by = Some(next);
            txn.put(key, records::encode(&token));
            Ok(Ok(next))
        })
    }

    /// Makes a node a member for which the caller vouches: nobody asks for its certificate.
    pub(crate) async fn enrol(&self) -> Result<NodeId> {
        let now = self.runtime.wall();
        transaction!(self, |txn| {
            let missing =
                || Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "this database is not a cluster node");
            enrol(txn, Vec::new(), now).await?.ok_or_else(missing)
        })
    }
}

#[async_trait]
impl JoinHandler for Membership {
    async fn on_join(&self, request: JoinRequest) -> std::result::Result<JoinReply, String> {
        let reply = self.welcome(&request).await;
        match &reply {
            Ok(reply) => tracing::info!(node = reply.node, "admitted a node"),
            Err(reason) => tracing::warn!(%reason, "refused a node that wants to join"),
        }
        reply
    }
}

impl Membership {
    async fn welcome(&self, request: &JoinRequest) -> std::result::Result<JoinReply, String> {
        let node = self.admit(request).await.map_err(|error| error.message().to_owned())??;
        let text = |error: Error| error.message().to_owned();
        let cluster = self.cluster().await.map_err(text)?.ok_or("this cluster has no authority")?;
        let certificate_pem = authority(&cluster)
            .map_err(text)?
            .sign(&request.csr_der, node.0, self.runtime.wall())
            .map_err(|error| error.to_string())?;
        let nodes = self.nodes().await.map_err(text)?;
        Ok(JoinReply {
            node: node.0,
            cluster: ClusterId(cluster.cluster),
            cluster_name: cluster.name,
            certificate_pem,
            ca_pem: cluster.ca_certificate_pem,
            members: nodes
                .iter()
                .filter(|record| record.id != node)
                .map(|record| (record.id.0, record.socket_addresses()))
                .collect(),
        })
    }
}

/// A new authority, as the row that keeps it, and the first node's identity.
pub(crate) fn new_cluster(node: NodeId, runtime: &Runtime) -> Result<(ClusterRecord, Identity)> {
    let id: [u8; 16] = runtime.random_bytes();
    let authority = ClusterAuthority::create(ClusterId(id), runtime.wall()).map_err(identity_error)?;
    let identity = authority.issue(node.0, runtime.wall()).map_err(identity_error)?;
    let record = ClusterRecord {
        cluster: id,
        name: cluster_name(runtime.random_u64()),
        ca_certificate_pem: authority.certificate_pem().to_owned(),
        ca_key_pem: authority.key_pem(),
    };
    Ok((record, identity))
}

fn cluster_name(draw: u64) -> String {
    const COLOURS: [&str; 8] = ["amber", "azure", "coral", "green", "ivory", "olive", "ruby", "silver"];
    const ANIMALS: [&str; 8] = ["badger", "crane", "falcon", "fox", "heron", "lynx", "otter", "wren"];
    format!("{}-{}", COLOURS[(draw % 8) as usize], ANIMALS[(draw / 8 % 8) as usize])
}

fn authority(cluster: &ClusterRecord) -> Result<ClusterAuthority> {
    ClusterAuthority::from_pem(ClusterId(cluster.cluster), &cluster.ca_certificate_pem, &cluster.ca_key_pem)
        .map_err(identity_error)
}

pub(crate) fn identity_error(error: quorate_net::identity::IdentityError) -> Error {
    Error::new(SqlState::INTERNAL_ERROR, format!("the node's certificate does not work: {error}"))
}

fn token_state(token: &TokenRecord, now: u64) -> String {
    match token.used_by {
        Some(node) => format!("used by {node}"),
        None if token.revoked => "revoked".to_owned(),
        None if token.expires_at <= now => "expired".to_owned(),
        None => "valid".to_owned(),
    }
}

/// Writes the row of the next node; `None` if there is no cluster.
async fn enrol(txn: &mut Transaction, node_addresses: Vec<String>, joined_at: u64) -> Result<Option<NodeId>> {
    let Some(id) = read::<NodeId>(txn, &records::next_node_key(), "next node").await? else {
        return Ok(None);
    };
    let record = NodeRecord { id, node_addresses, sql_address: None, joined_at };
    txn.put(records::next_node_key(), records::encode(&NodeId(id.0 + 1)));
    txn.put(records::node_key(id), records::encode(&record));
    Ok(Some(id))
}

async fn read<T: bincode::Decode<()>>(txn: &mut Transaction, key: &[u8], what: &str) -> Result<Option<T>> {
    match txn.get(key, None).await? {
        Some(bytes) => records::decode(&bytes, what).map(Some),
        None => Ok(None),
    }
}

async fn scan(txn: &mut Transaction, span: quorate_storage::Span) -> Result<Vec<(Bytes, Bytes)>> {
    let mut rows = Vec::new();
    let mut rest = Some(span);
    while let Some(span) = rest {
        let page = txn.scan(Scan { span, limit: None, reverse: false, lock: None }).await?;
        rows.extend(page.pairs);
        rest = page.resume;
    }
    Ok(rows)
}
