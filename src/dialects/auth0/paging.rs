//! The list of connections, in pages by number or from an id on.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Services;
use super::connections::{ConnectionView, require_declared};
use super::error::{ApiError, Refusals};
use super::view::Reply;
use crate::http::extract::{Call, asked};

const DEFAULT_SIZE: usize = 50;
const LARGEST_SIZE: usize = 100;

/// Connections: as the product has it, of one of three shapes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum ConnectionPage {
    /// Without `include_totals`, `from` and `take`.
    Plain(Vec<ConnectionView>),
    /// With `include_totals`.
    Counted { start: usize, limit: usize, length: usize, total: usize, connections: Vec<ConnectionView> },
    /// With `from` or `take`: where the next page begins, if there is one.
    From {
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        next: Option<String>,
        connections: Vec<ConnectionView>,
    },
}

/// What a query asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    page: Option<usize>,
    per_page: Option<usize>,
    include_totals: bool,
    from: Option<String>,
    take: Option<usize>,
    strategies: Vec<String>,
    name: Option<String>,
}

/// Gets connections, by id.
#[utoipa::path(
    get, path = "/api/v2/connections", operation_id = "listConnections", tag = "Auth0",
    params(
        ("page" = Option<usize>, Query, description = "Number of the page, from 0."),
        ("per_page" = Option<usize>, Query, description = "Its size: 1 to 100, 50 when absent."),
        ("include_totals" = Option<bool>, Query, description = "Answer an object that says how many there are."),
        ("from" = Option<String>, Query, description = "`next` of the answer before."),
        ("take" = Option<usize>, Query, description = "How many from there: 1 to 100, 50 when absent."),
        ("strategy" = Option<Vec<String>>, Query, description = "Only those of these strategies."),
        ("name" = Option<String>, Query, description = "Only the one of this name.")
    ),
    responses(
        (status = 200, description = "A page of them.", body = ConnectionPage,
            content_type = "application/json; charset=utf-8"),
        Refusals
    )
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadConnection, ApiError>,
    RawQuery(query): RawQuery,
) -> Result<Reply<ConnectionPage>, ApiError> {
    let asked = Asked::read(query.as_deref().unwrap_or_default())?;
    require_declared(&services)?;
    let all = services.catalog.connections(&who).await?;
    let wanted = all.into_iter().filter(|(_, connection)| {
        let strategy = asked.strategies.is_empty() || asked.strategies.contains(&connection.strategy);
        strategy && asked.name.as_ref().is_none_or(|name| *name == connection.name)
    });
    let views = wanted.map(|(id, connection)| (id.clone(), ConnectionView::of(id, connection))).collect();
    Ok(Reply(StatusCode::OK, asked.page_of(views)))
}

impl Asked {
    fn read(query: &str) -> Result<Self, ApiError> {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "page" => asked.page = Some(number(&name, &value, 0..=1_000_000)?),
                "per_page" => asked.per_page = Some(number(&name, &value, 1..=LARGEST_SIZE)?),
                "take" => asked.take = Some(number(&name, &value, 1..=LARGEST_SIZE)?),
                "include_totals" => {
                    asked.include_totals =
                        value.parse().map_err(|_| ApiError::invalid_query(&name, "true or false"))?;
                }
                "from" => asked.from = Some(value.into_owned()),
                "strategy" => asked.strategies.push(value.into_owned()),
                "name" => asked.name = Some(value.into_owned()),
                // What it says of fields is a wish, and views are whole.
                "fields" | "include_fields" => {}
                _ => return Err(ApiError::invalid_query(&name, "absent: it is not known")),
            }
        }
        Ok(asked)
    }

    fn page_of(self, views: Vec<(String, ConnectionView)>) -> ConnectionPage {
        if self.from.is_some() || self.take.is_some() {
            let (take, after) = (self.take.unwrap_or(DEFAULT_SIZE), self.from.unwrap_or_default());
            let mut rest: Vec<_> = views.into_iter().filter(|(id, _)| *id > after).take(take + 1).collect();
            let more = rest.len() > take;
            rest.truncate(take);
            let next = rest.last().filter(|_| more).map(|(id, _)| id.clone());
            return ConnectionPage::From { next, connections: rest.into_iter().map(|(_, view)| view).collect() };
        }
        let (limit, total) = (self.per_page.unwrap_or(DEFAULT_SIZE), views.len());
        let start = self.page.unwrap_or(0) * limit;
        let connections: Vec<_> = views.into_iter().skip(start).take(limit).map(|(_, view)| view).collect();
        if self.include_totals {
            ConnectionPage::Counted { start, limit, length: connections.len(), total, connections }
        } else {
            ConnectionPage::Plain(connections)
        }
    }
}

fn number(name: &str, value: &str, range: std::ops::RangeInclusive<usize>) -> Result<usize, ApiError> {
    let found = value.parse().ok().filter(|number| range.contains(number));
    found.ok_or_else(|| ApiError::invalid_query(name, &format!("from {} to {}", range.start(), range.end())))
}
