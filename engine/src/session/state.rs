//! The session: who it is, what is open, and what clients may ask about it.

use super::block::Block;
use super::commit_trace::LastCommit;
use super::prepared::Prepared;
use super::{CancelHandle, Gateway, Notice};
use crate::error::{Error, SqlState};
use crate::sql::catalog::names::CatalogNames;
use crate::sql::catalog::{CatalogView, DatabaseId, SearchPath, store};
use crate::sql::exec::settings::Settings;
use crate::sql::exec::{Env, Facts, SessionSequences, wall_to_pg};
use crate::sql::types::{TypeContext, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Who connects, and to what.
#[derive(Clone, Debug)]
pub struct StartupParams {
    /// The role.
    pub user: String,
    /// The database.
    pub database: String,
    /// Settings of the connection, as `SET` would take them (`application_name`, `client_encoding`, ...).
    pub settings: Vec<(String, String)>,
    /// The number by which clients know the session (`pg_backend_pid`).
    pub process_id: i32,
}

impl Default for StartupParams {
    /// The superuser `root` in the database `postgres`.
    fn default() -> StartupParams {
        StartupParams { user: "root".to_owned(), database: "postgres".to_owned(), settings: Vec::new(), process_id: 0 }
    }
}

/// Where a session stands, as ReadyForQuery tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Outside of a transaction block.
    Idle,
    /// Inside of one.
    Open,
    /// Inside of one that failed: only its end is accepted.
    Failed,
}

/// A client's session.
pub struct Session {
    pub(super) gateway: Arc<Gateway>,
    pub(super) user: Arc<str>,
    pub(super) database: Arc<str>,
    pub(super) database_id: DatabaseId,
    pub(super) process_id: i32,
    startup: Vec<(String, String)>,
    pub(super) settings: Arc<Settings>,
    /// The open transaction, implicit or not.
    pub(super) block: Option<Block>,
    /// A statement of an implicit transaction failed: nothing runs until [`Session::sync`].
    pub(super) prepared: BTreeMap<String, Arc<Prepared>>,
    pub(super) notices: Vec<Notice>,
    pub(super) cancel: CancelHandle,
    pub(super) sequences: Arc<SessionSequences>,
    pub(super) path: Arc<SearchPath>,
    /// Names for `regclass`, made for a view and a path.
    names: Option<(Arc<CatalogNames>, Arc<SearchPath>)>,
    /// The last transaction that committed.
    pub(super) last_commit: Option<LastCommit>,
    /// Counts transactions, so that a portal knows whether its own is still open.
    pub(super) serial: u64,
}

impl Session {
    /// A session that has not looked at the database yet: call [`Session::start`] before anything else.
    pub fn new(gateway: Arc<Gateway>, params: StartupParams) -> Session {
        let mut settings = Settings::new();
        settings.set_fixed("session_authorization", params.user.clone());
        let path = SearchPath { database: DatabaseId::default(), schemas: Vec::new() };
        Session {
            gateway,
            user: params.user.into(),
            database: params.database.into(),
            database_id: DatabaseId::default(),
            process_id: params.process_id,
            startup: params.settings,
            settings: Arc::new(settings),
            block: None,
            prepared: BTreeMap::new(),
            notices: Vec::new(),
            cancel: CancelHandle::default(),
            sequences: Arc::default(),
            path: Arc::new(path),
            names: None,
            last_commit: None,
            serial: 0,
        }
    }

    /// Checks that role and database exist and applies the settings of the connection.
    pub async fn start(&mut self) -> Result<(), Error> {
        let mut view = self.current_catalog().await?;
        if view.databases().next().is_none() {
            store::bootstrap(&self.gateway.client).await?;
            view = self.current_catalog().await?;
        }
        let role = view.role_named(&self.user).ok_or_else(|| {
            Error::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, format!("role \"{}\" does not exist", self.user))
        })?;
        if !role.login {
            return Err(Error::new(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                format!("role \"{}\" is not permitted to log in", self.user),
            ));
        }
        let superuser = role.superuser;
        let database = view.database_named(&self.database).ok_or_else(|| {
            Error::new(SqlState::INVALID_CATALOG_NAME, format!("database \"{}\" does not exist", self.database))
        })?;
        self.database_id = database.id;
        let settings = Arc::make_mut(&mut self.settings);
        settings.set_fixed("is_superuser", if superuser { "on" } else { "off" });
        for (name, value) in std::mem::take(&mut self.startup) {
            settings.set_default(&name, &value)?;
        }
        self.settings_changed();
        Ok(())
    }

    /// The catalog as a transaction that begins now sees it.
    pub(super) async fn current_catalog(&self) -> Result<Arc<CatalogView>, Error> {
        let options = quorate_txn::TxnOptions { read_only: true, ..Default::default() };
        let mut txn = self.gateway.client.begin(options).await?;
        let view = self.gateway.catalog.at(&mut txn).await;
        txn.rollback().await;
        view
    }

    /// Works out what depends on the settings.
    pub(super) fn settings_changed(&mut self) {
        let user: &str = &self.user;
        let schemas = &self.settings.derived().search_path;
        let schemas: Vec<String> =
            schemas.iter().map(|name| if name == "$user" { user.to_owned() } else { name.clone() }).collect();
        if self.path.schemas != schemas || self.path.database != self.database_id {
            self.path = Arc::new(SearchPath { database: self.database_id, schemas });
        }
    }

    /// Rolls back what is open and lets go of everything. Dropping a session does the same a little later.
    pub async fn end(&mut self) {
        self.abandon().await;
        self.prepared.clear();
    }

    /// Where the session stands.
    pub fn transaction_status(&self) -> TransactionStatus {
        match &self.block {
            Some(block) if block.explicit && block.failed => TransactionStatus::Failed,
            Some(block) if block.explicit => TransactionStatus::Open,
            _ => TransactionStatus::Idle,
        }
    }

    /// How long the client may leave the open transaction alone, if one is open and that is limited.
    pub fn idle_in_transaction_timeout(&self) -> Option<Duration> {
        let limit = self.settings.derived().idle_in_transaction_timeout;
        (limit > 0 && self.transaction_status() != TransactionStatus::Idle).then(|| Duration::from_millis(limit))
    }

    /// Waits, by the clock of the session's node.
    pub async fn pause(&self, duration: Duration) {
        self.gateway.runtime.sleep(duration).await;
    }

    /// Messages that came up since the last call (outside of [`Session::simple`], which sends them itself).
    pub fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Cancels what runs, from another task.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }

    /// Settings that changed since the last call and that clients are told of (ParameterStatus): name, value.
    /// The first call tells all of them.
    pub fn changed_parameters(&mut self) -> Vec<(&'static str, String)> {
        if self.settings.has_changed() { Arc::make_mut(&mut self.settings).take_changed() } else { Vec::new() }
    }

    /// The current value of a setting, as SHOW prints it.
    pub fn setting(&self, name: &str) -> Option<String> {
        match name.to_ascii_lowercase().as_str() {
            "transaction_isolation" => Some(self.isolation_name().to_owned()),
            "transaction_read_only" => Some(if self.is_read_only() { "on" } else { "off" }.to_owned()),
            name => self.settings.get(name).map(str::to_owned),
        }
    }

    /// How values are written as text and read from it at the moment.
    pub fn type_context(&self) -> TypeContext {
        let derived = self.settings.derived();
        let view = self.block.as_ref().and_then(|block| block.view.clone()).or_else(|| self.gateway.catalog.latest());
        TypeContext {
            zone: derived.zone.clone(),
            now: self.block.as_ref().map_or_else(|| wall_to_pg(self.gateway.runtime.wall()), |block| block.now),
            date_order: derived.date_order,
            names: view.map(|view| Arc::new(CatalogNames { view, path: self.path.as_ref().clone() }) as _),
        }
    }

    fn names_for(&mut self, view: Arc<CatalogView>) -> Arc<CatalogNames> {
        if let Some((names, path)) = &self.names
            && Arc::ptr_eq(&names.view, &view)
            && Arc::ptr_eq(path, &self.path)
        {
            return names.clone();
        }
        let names = Arc::new(CatalogNames { view, path: self.path.as_ref().clone() });
        self.names = Some((names.clone(), self.path.clone()));
        names
    }

    /// What the expressions of a statement see; a transaction must be open.
    pub(super) fn env(&mut self, params: Vec<Value>) -> Result<Env, Error> {
        let block = self.block.as_ref().ok_or_else(|| Error::internal("no transaction is open"))?;
        let view = block.view.clone().ok_or_else(|| Error::internal("the transaction has no catalog"))?;
        let read_id = block.txn.as_ref().map_or(0, |txn| txn.read_id().0);
        let facts = Facts {
            user: self.user.clone(),
            database: self.database.clone(),
            database_id: self.database_id,
            search_path: self.path.clone(),
            process_id: self.process_id,
            catalog: view.clone(),
            runtime: self.gateway.runtime.clone(),
            sequences: self.gateway.sequences.clone(),
            session_sequences: self.sequences.clone(),
            cluster: self.gateway.cluster.clone(),
            read_only: block.read_only,
            in_block: block.explicit,
            read_id,
        };
        let now = block.now;
        let names = self.names_for(view);
        let derived = self.settings.derived();
        let types = TypeContext { zone: derived.zone.clone(), now, date_order: derived.date_order, names: Some(names) };
        let now = wall_to_pg(self.gateway.runtime.wall());
        Ok(Env::new(params, types, now, Arc::new(facts), self.settings.clone()))
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("user", &self.user)
            .field("database", &self.database)
            .field("status", &self.transaction_status())
            .finish_non_exhaustive()
    }
}
