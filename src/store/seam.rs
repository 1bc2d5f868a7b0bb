//! The seam to a database driver of sqlx: statements with their values, connections, and rows.
//!
//! Row functions take `&mut impl Connection`, a connection that one method of the store holds. INTEGER, TEXT,
//! BLOB and boolean cross the seam, and no other type. Where databases differ, the difference is a [`Driver`].

use std::future::Future;

use sqlx::database::HasStatementCache;
use sqlx::error::ErrorKind as Violation;
use sqlx::{Arguments as _, ColumnIndex, Decode, Encode, Executor, IntoArguments, Pool, Row, Type};

use super::StoreError;
use strongroom_domain::key::RingId;

/// Properties of a database that sqlx does not tell.
pub(super) trait Driver: sqlx::Database + HasStatementCache {
    /// Locks the ring `$1` of the kind `$2` until the end of a transaction; absent where writers follow each other.
    const LOCK_RING: Option<&'static str>;

    /// Advances the epoch by `$1` and tells listeners, if `$2` is the latest fence or NULL, and no master key of
    /// the version `$3` is retired or `$3` is NULL. Other writers then wait for the end of the transaction.
    const ADVANCE_EPOCH: &'static str;

    /// Finds the database anew after it could not be reached.
    type Route: Route<Self>;

    /// The number of rows that a statement changed.
    fn rows_affected(done: &Self::QueryResult) -> u64;

    /// Whether the failure of a statement says that another connection held a lock, and nothing happened.
    fn is_locked(failure: &sqlx::Error) -> bool;

    /// Whether a connection is of no more use after a failure.
    fn is_lost(failure: &sqlx::Error) -> bool;

    /// Whether a connection is of no more use after a transaction could not begin.
    fn is_lost_at_begin(failure: &sqlx::Error) -> bool;

    /// Brings the schema up to date, inside the caller's transaction.
    fn migrate(conn: &mut Self::Connection) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The version of the schema that is there, 0 before the first.
    fn schema_version(conn: &mut Self::Connection) -> impl Future<Output = sqlx::Result<i64>> + Send;

    /// Removes erased values from files other than the tables, such as a write-ahead log.
    fn purge_erased(writer: &Pool<Self>) -> impl Future<Output = ()> + Send;
}

/// The way from a pool to its database.
pub(super) trait Route<D: sqlx::Database>: Send + Sync {
    /// Leads a pool whose database could not be reached to another place of it; whether there is one.
    fn lead_elsewhere(&self, pool: &Pool<D>) -> impl Future<Output = bool> + Send;
}

/// A database that stays where it is.
pub(super) struct FixedRoute;

impl<D: sqlx::Database> Route<D> for FixedRoute {
    async fn lead_elsewhere(&self, _pool: &Pool<D>) -> bool {
        false
    }
}

/// A database whose connections row functions can use: every one with a [`Driver`].
pub(super) trait Database: Driver<Connection: DriverConnection> {}

impl<D: Driver<Connection: DriverConnection>> Database for D {}

/// A value bound to a statement.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
    Boolean(bool),
}

macro_rules! values {
    ($($from:ty => $value:ident($read:expr)),+ $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$value($read(value))
            }
        }
    )+};
}

values! {
    i64 => Integer(Some),
    Option<i64> => Integer(|value| value),
    String => Text(Some),
    Option<String> => Text(|value| value),
    &str => Text(|value: &str| Some(value.to_owned())),
    Option<&str> => Text(|value: Option<&str>| value.map(str::to_owned)),
    Vec<u8> => Blob(Some),
    &[u8] => Blob(|value: &[u8]| Some(value.to_vec())),
    Option<&[u8]> => Blob(|value: Option<&[u8]>| value.map(<[u8]>::to_vec)),
    bool => Boolean(|value| value),
}

/// A statement with the values of `$1`, `$2` and so on.
pub(super) struct Statement {
    sql: &'static str,
    values: Vec<Value>,
}

impl Statement {
    pub(super) const fn new(sql: &'static str) -> Self {
        Self { sql, values: Vec::new() }
    }

    /// Adds the value of the next placeholder.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Executes the statement; returns the number of rows that it changed.
    pub(super) async fn execute(self, conn: &mut impl Connection) -> Result<u64, StoreError> {
        Ok(conn.execute(self).await?)
    }

    /// Reads every row.
    pub(super) async fn fetch_all<C: Connection, T: Send + Unpin>(
        self,
        conn: &mut C,
        read: impl FnMut(&C::Row) -> sqlx::Result<T> + Send,
    ) -> Result<Vec<T>, StoreError> {
        Ok(conn.fetch(self, read).await?)
    }

    /// Reads the first row, if there is one.
    pub(super) async fn fetch_optional<C: Connection, T: Send + Unpin>(
        self,
        conn: &mut C,
        read: impl FnMut(&C::Row) -> sqlx::Result<T> + Send,
    ) -> Result<Option<T>, StoreError> {
        Ok(conn.fetch(self, read).await?.into_iter().next())
    }

    /// Reads the first row of a statement that always has one.
    pub(super) async fn fetch_one<C: Connection, T: Send + Unpin>(
        self,
        conn: &mut C,
        read: impl FnMut(&C::Row) -> sqlx::Result<T> + Send,
    ) -> Result<T, StoreError> {
        self.fetch_optional(conn, read).await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }
}

/// The connection that a method of the store holds.
pub(super) trait Connection: Send {
    type Row: Columns;

    /// Executes a statement; returns the number of rows that it changed.
    fn execute(&mut self, statement: Statement) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Reads every row of a statement.
    fn fetch<T: Send + Unpin>(
        &mut self,
        statement: Statement,
        read: impl FnMut(&Self::Row) -> sqlx::Result<T> + Send,
    ) -> impl Future<Output = sqlx::Result<Vec<T>>> + Send;

    /// Waits for other transactions that have locked a ring, and keeps later ones waiting until this one ends.
    /// Several rings are locked in the order of their ids.
    fn lock_ring(&mut self, ring: &RingId) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Counts a change that caches must see: the commit advances the epoch by one for each.
    fn count_change(&mut self);

    /// Makes the commit depend on a condition, which holds until the commit is done.
    fn require(&mut self, condition: CommitCondition);
}

/// A condition under which a transaction may commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitCondition {
    /// The sweeper of this number is the latest.
    Fence(i64),
    /// The master key of this version is not retired.
    MasterKey(i64),
}

/// A connection of a driver; every connection of sqlx whose database has a [`Driver`] is one.
///
/// With `prepared`, the database keeps a statement for the next use on the same connection.
pub(super) trait DriverConnection: Send {
    type Row: Columns;

    /// Executes a statement; returns the number of rows that it changed.
    fn execute(&mut self, statement: Statement, prepared: bool) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Reads every row of a statement.
    fn fetch<T: Send + Unpin>(
        &mut self,
        statement: Statement,
        prepared: bool,
        read: impl FnMut(&Self::Row) -> sqlx::Result<T> + Send,
    ) -> impl Future<Output = sqlx::Result<Vec<T>>> + Send;
}

impl<C, D> DriverConnection for C
where
    C: sqlx::Connection<Database = D>,
    D: Driver<Connection = C>,
    D::Row: Columns,
    D::Arguments: IntoArguments<D>,
    for<'c> &'c mut C: Executor<'c, Database = D>,
    for<'q> Option<i64>: Encode<'q, D> + Type<D>,
    for<'q> Option<String>: Encode<'q, D> + Type<D>,
    for<'q> Option<Vec<u8>>: Encode<'q, D> + Type<D>,
    for<'q> bool: Encode<'q, D> + Type<D>,
{
    type Row = D::Row;

    async fn execute(&mut self, statement: Statement, prepared: bool) -> sqlx::Result<u64> {
        let query = sqlx::query_with(statement.sql, arguments::<D>(statement.values)?).persistent(prepared);
        Ok(D::rows_affected(&query.execute(self).await?))
    }

    async fn fetch<T: Send + Unpin>(
        &mut self,
        statement: Statement,
        prepared: bool,
        mut read: impl FnMut(&D::Row) -> sqlx::Result<T> + Send,
    ) -> sqlx::Result<Vec<T>> {
        let query = sqlx::query_with(statement.sql, arguments::<D>(statement.values)?).persistent(prepared);
        query.try_map(move |row| read(&row)).fetch_all(self).await
    }
}

/// The arguments of a statement.
fn arguments<D: sqlx::Database>(values: Vec<Value>) -> sqlx::Result<D::Arguments>
where
    for<'q> Option<i64>: Encode<'q, D> + Type<D>,
    for<'q> Option<String>: Encode<'q, D> + Type<D>,
    for<'q> Option<Vec<u8>>: Encode<'q, D> + Type<D>,
    for<'q> bool: Encode<'q, D> + Type<D>,
{
    let mut arguments = D::Arguments::default();
    for value in values {
        match value {
            Value::Integer(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Blob(value) => arguments.add(value),
            Value::Boolean(value) => arguments.add(value),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// The columns of a row, by name; `None` is NULL.
pub(super) trait Columns: Sized {
    fn integer(&self, column: &'static str) -> sqlx::Result<Option<i64>>;
    fn text(&self, column: &'static str) -> sqlx::Result<Option<&str>>;
    fn blob(&self, column: &'static str) -> sqlx::Result<Option<&[u8]>>;
    fn boolean(&self, column: &'static str) -> sqlx::Result<Option<bool>>;

    /// A column that is never NULL.
    fn get<'r, T: FromColumn<'r>>(&'r self, column: &'static str) -> sqlx::Result<T> {
        self.nullable(column)?.ok_or_else(|| unreadable(column))
    }

    /// A column that may be NULL.
    fn nullable<'r, T: FromColumn<'r>>(&'r self, column: &'static str) -> sqlx::Result<Option<T>> {
        T::read(self, column)
    }
}

impl<R: Row> Columns for R
where
    &'static str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> &'r str: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> &'r [u8]: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> bool: Decode<'r, R::Database> + Type<R::Database>,
{
    fn integer(&self, column: &'static str) -> sqlx::Result<Option<i64>> {
        self.try_get(column)
    }

    fn text(&self, column: &'static str) -> sqlx::Result<Option<&str>> {
        self.try_get(column)
    }

    fn blob(&self, column: &'static str) -> sqlx::Result<Option<&[u8]>> {
        self.try_get(column)
    }

    fn boolean(&self, column: &'static str) -> sqlx::Result<Option<bool>> {
        self.try_get(column)
    }
}

/// A type that a column is read as.
pub(super) trait FromColumn<'r>: Sized {
    fn read(row: &'r impl Columns, column: &'static str) -> sqlx::Result<Option<Self>>;
}

macro_rules! columns {
    ($($type:ty => $read:ident),+ $(,)?) => {$(
        impl<'r> FromColumn<'r> for $type {
            fn read(row: &'r impl Columns, column: &'static str) -> sqlx::Result<Option<Self>> {
                Ok(row.$read(column)?.map(Into::into))
            }
        }
    )+};
}

columns! {
    i64 => integer,
    &'r str => text,
    String => text,
    &'r [u8] => blob,
    Vec<u8> => blob,
    bool => boolean,
}

/// The failure of a column whose value this program does not write.
pub(super) fn unreadable(column: &str) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: "not a value that this program writes".into() }
}

/// Meaning of a failure before `COMMIT`: nothing was changed.
impl From<sqlx::Error> for StoreError {
    fn from(failure: sqlx::Error) -> Self {
        match &failure {
            sqlx::Error::Database(cause) => match cause.kind() {
                Violation::UniqueViolation => Self::Conflict,
                Violation::ForeignKeyViolation | Violation::NotNullViolation | Violation::CheckViolation => {
                    Self::Inconsistent(failure.to_string())
                }
                _ => Self::Unavailable(failure.to_string()),
            },
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::RowNotFound => {
                Self::Inconsistent(failure.to_string())
            }
            _ => Self::Unavailable(failure.to_string()),
        }
    }
}
