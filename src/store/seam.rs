//! The seam to a database driver of sqlx: statements with their values, connections, and rows.
//!
//! Row functions take `&mut impl Connection`, whose bounds on a driver stand here once. INTEGER, TEXT, BLOB
//! and boolean cross the seam, and no other type.

use std::future::Future;

use sqlx::error::ErrorKind as Violation;
use sqlx::{Arguments as _, ColumnIndex, Decode, Encode, Executor, IntoArguments, Pool, Row, Type};

use super::StoreError;

/// Properties of a database that sqlx does not tell.
pub(super) trait Driver: sqlx::Database {
    /// Begins a transaction that will write, and waits for writers before it.
    const BEGIN: &'static str;

    /// The number of rows that a statement changed.
    fn rows_affected(done: &Self::QueryResult) -> u64;

    /// Whether the failure of a statement says that another connection held a lock, and nothing happened.
    fn is_locked(failure: &sqlx::Error) -> bool;

    /// Removes erased values from files other than the tables, such as a write-ahead log.
    fn purge_erased(writer: &Pool<Self>) -> impl Future<Output = ()> + Send;
}

/// A database whose connections row functions can use: every one with a [`Driver`].
pub(super) trait Database: Driver<Connection: Connection> {}

impl<D: Driver<Connection: Connection>> Database for D {}

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

/// A connection to any database; every connection of sqlx whose database has a [`Driver`] is one.
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
}

impl<C, D> Connection for C
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

    async fn execute(&mut self, statement: Statement) -> sqlx::Result<u64> {
        let query = sqlx::query_with(statement.sql, arguments::<D>(statement.values)?);
        Ok(D::rows_affected(&query.execute(self).await?))
    }

    async fn fetch<T: Send + Unpin>(
        &mut self,
        statement: Statement,
        mut read: impl FnMut(&D::Row) -> sqlx::Result<T> + Send,
    ) -> sqlx::Result<Vec<T>> {
        let query = sqlx::query_with(statement.sql, arguments::<D>(statement.values)?);
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
