//! sea-orm, with entities and its own transactions.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend,
    EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _, QuerySelect as _, RelationTrait as _, Statement,
    TransactionTrait as _,
};
use uuid::Uuid;

use crate::{BULK, Fixture, Operation, PAGE, Row};

mod document {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "documents")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub datasource_id: Option<Uuid>,
        pub external_id: Option<String>,
        pub title: String,
        pub metadata: Json,
        pub is_published: bool,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::datasource::Entity",
            from = "(Column::WorkspaceId, Column::DatasourceId)",
            to = "(super::datasource::Column::WorkspaceId, super::datasource::Column::Id)"
        )]
        Datasource,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod datasource {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "datasources")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A pool of one connection.
pub struct SeaOrm {
    db: DatabaseConnection,
    read: Uuid,
    written: Uuid,
    document: Uuid,
}

fn row(model: document::Model) -> Row {
    Row {
        id: model.id,
        title: model.title,
        external_id: model.external_id,
        metadata: model.metadata,
        is_published: model.is_published,
        created_at: model.created_at,
    }
}

fn new(workspace: Uuid) -> document::ActiveModel {
    document::ActiveModel {
        workspace_id: Set(workspace),
        id: Set(Uuid::now_v7()),
        title: Set("Document".to_owned()),
        ..Default::default()
    }
}

impl SeaOrm {
    /// Connected as the application.
    ///
    /// # Panics
    ///
    /// Where the server is gone.
    pub async fn new(fixture: &Fixture) -> Self {
        let mut options = ConnectOptions::new(fixture.app().expose());
        options.max_connections(1).test_before_acquire(false).sqlx_logging(false);
        Self {
            db: Database::connect(options).await.expect("connected"),
            read: *fixture.read.workspace.as_uuid(),
            written: *fixture.written.workspace.as_uuid(),
            document: *fixture.read.document.as_uuid(),
        }
    }

    /// Does it; how many rows came or went.
    ///
    /// # Panics
    ///
    /// Where the server is gone.
    pub async fn run(&mut self, operation: Operation) -> usize {
        let workspace = if operation.writes() { self.written } else { self.read };
        let tx = self.db.begin().await.expect("begun");
        let set = "SELECT set_config('app.workspace_id', $1, true)";
        let set = Statement::from_sql_and_values(DbBackend::Postgres, set, [workspace.to_string().into()]);
        tx.execute(set).await.expect("set");
        let in_workspace = || document::Entity::find().filter(document::Column::WorkspaceId.eq(workspace));
        let page = u64::try_from(PAGE).expect("positive");
        let count = match operation {
            Operation::List => {
                let query = in_workspace().order_by_desc(document::Column::Id).limit(page);
                let rows = query.all(&tx).await.expect("rows");
                std::hint::black_box(rows.into_iter().map(row).collect::<Vec<_>>()).len()
            }
            Operation::Fetch => {
                let query = in_workspace().filter(document::Column::Id.eq(self.document));
                std::hint::black_box(row(query.one(&tx).await.expect("a row").expect("a row")));
                1
            }
            Operation::InsertOne => {
                document::Entity::insert(new(workspace)).exec_without_returning(&tx).await.expect("inserted");
                1
            }
            Operation::InsertThousand => {
                let rows = (0..BULK).map(|_| new(workspace));
                document::Entity::insert_many(rows).exec_without_returning(&tx).await.expect("inserted");
                BULK
            }
            Operation::Join => {
                let rows: Vec<(Uuid, String, String)> = in_workspace()
                    .join(JoinType::InnerJoin, document::Relation::Datasource.def())
                    .select_only()
                    .column(document::Column::Id)
                    .column(document::Column::Title)
                    .expr(Expr::col((datasource::Entity, datasource::Column::Name)))
                    .order_by_desc(document::Column::Id)
                    .limit(page)
                    .into_tuple()
                    .all(&tx)
                    .await
                    .expect("rows");
                std::hint::black_box(rows).len()
            }
        };
        tx.commit().await.expect("committed");
        count
    }
}
