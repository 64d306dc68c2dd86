//! A catalog for tests: DDL applied to descriptors, without storage.

use crate::sql::binder::BindContext;
use crate::sql::catalog::*;
use crate::sql::optimizer::plan;
use crate::sql::parser::parse;
use crate::sql::plan::ddl::{AlterAction, CreateTable, NewIndex};
use crate::sql::plan::{Ddl, Plan, PlanBody};
use crate::sql::types::Type;

pub(super) struct World {
    view: CatalogView,
    path: SearchPath,
    next: u32,
}

impl World {
    pub(super) fn new(ddl: &str) -> World {
        let database = Database { id: DatabaseId(5), name: "postgres".into() };
        let schema = Schema { id: SchemaId(2200), database: database.id, name: "public".into() };
        let view = CatalogView::new(1, [Descriptor::Database(database), Descriptor::Schema(schema)]);
        let path = SearchPath { database: DatabaseId(5), schemas: vec!["public".into()] };
        let mut world = World { view, path, next: FIRST_USER_OID };
        for statement in parse(ddl).unwrap() {
            let planned = plan(&statement, world.context(ddl, &[])).unwrap();
            let PlanBody::Ddl(ddl) = planned.body else { panic!("not DDL") };
            world.apply(*ddl);
        }
        world
    }

    fn context<'a>(&'a self, sql: &'a str, parameters: &'a [Option<Type>]) -> BindContext<'a> {
        BindContext { catalog: &self.view, path: &self.path, sql, parameters, literals: false }
    }

    pub(super) fn plan(&self, sql: &str, parameters: &[Option<Type>]) -> crate::error::Result<Plan> {
        let statements = parse(sql)?;
        plan(&statements[0], self.context(sql, parameters))
    }

    /// Plans the fingerprint of a text, as the plan cache does.
    pub(super) fn plan_fingerprint(&self, sql: &str) -> crate::error::Result<Plan> {
        let found = crate::sql::parser::fingerprint(sql).expect("has a fingerprint");
        let statements = parse(found.sql())?;
        let parameters = found.parameter_types();
        plan(&statements[0], BindContext { literals: true, ..self.context(found.sql(), &parameters) })
    }

    fn id(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn apply(&mut self, ddl: Ddl) {
        match ddl {
            Ddl::CreateTable(create) => self.create(*create),
            Ddl::CreateIndex { table, index } => {
                let mut table = Table::clone(&table);
                table.indexes.push(self.index(index));
                self.view = self.view.with(Descriptor::Table(table));
            }
            Ddl::AlterTable { table, actions } => {
                for action in actions {
                    let AlterAction::AddForeignKey { key, .. } = action else { panic!("not in tests") };
                    self.add_foreign_key(table.id, key);
                }
            }
            other => panic!("not in tests: {other:?}"),
        }
    }

    fn index(&mut self, index: NewIndex) -> Index {
        Index {
            id: IndexId(self.id()),
            name: index.name,
            columns: index.columns,
            unique: index.unique,
            constraint: index.constraint,
            ready: true,
        }
    }

    fn create(&mut self, create: CreateTable) {
        let id = TableId(self.id());
        let mut columns = create.columns;
        for (place, name, _) in &create.serials {
            columns[*place].default = Some(crate::sql::plan::ddl::sequence_default(name));
        }
        let primary = match create.primary_key {
            Some(key) => self.index(key),
            None => {
                let row_id = ColumnId(columns.len() as u32 + 1);
                columns.push(Column {
                    id: row_id,
                    name: "rowid".into(),
                    ty: Type::Int8,
                    nullable: false,
                    default: None,
                    identity: None,
                    hidden: true,
                });
                Index {
                    id: IndexId(self.id()),
                    name: String::new(),
                    columns: vec![IndexColumn { column: row_id, descending: false }],
                    unique: true,
                    constraint: false,
                    ready: true,
                }
            }
        };
        let indexes = create.unique.into_iter().map(|index| self.index(index)).collect();
        let checks = create
            .checks
            .into_iter()
            .map(|check| Check { id: 0, name: check.name, expression: check.expression, validated: true })
            .collect();
        let table = Table {
            id,
            schema: create.schema,
            name: create.name,
            next_column: columns.len() as u32 + 1,
            columns,
            primary,
            indexes,
            checks,
            foreign_keys: Vec::new(),
            referenced_by: Vec::new(),
        };
        self.view = self.view.with(Descriptor::Table(table));
        for key in create.foreign_keys {
            self.add_foreign_key(id, key);
        }
    }

    fn add_foreign_key(&mut self, child: TableId, key: crate::sql::plan::ddl::NewForeignKey) {
        let id = self.id();
        let mut table = Table::clone(self.view.table(child).unwrap());
        let parent = key.parent.map_or(child, |parent| parent.id);
        table.foreign_keys.push(ForeignKey {
            id,
            name: key.name,
            columns: key.columns,
            parent,
            parent_columns: key.parent_columns,
            on_delete: key.on_delete,
            on_update: key.on_update,
            validated: true,
        });
        self.view = self.view.with(Descriptor::Table(table));
        let mut parent = Table::clone(self.view.table(parent).unwrap());
        parent.referenced_by.push(Reference { child, foreign_key: id });
        self.view = self.view.with(Descriptor::Table(parent));
    }
}
