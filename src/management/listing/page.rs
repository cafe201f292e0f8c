//! One request for a list: which part of it, in which order, with which fields.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use regex::{Regex, RegexBuilder};
use serde::Serialize;
use serde_json::{Value, json};

use super::columns::Columns;
use super::only::Only;
use super::order::Ordered;
use super::sort::sort;
use crate::management::error::ApiError;
use crate::management::query::Params;
use crate::management::shape::Row;
use crate::management::shape::answer::{Answer, Rows};
use crate::management::state::SharedApi;

/// Items of a page without `page_size`.
const PAGE_SIZE: usize = 100;

/// RabbitMQ's largest page.
const PAGE_SIZE_MAX: usize = 500;

/// Compiled size of a name's pattern.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// How names are chosen; only with pages, as in RabbitMQ.
#[derive(Debug, Clone)]
enum Filter {
    All,
    /// Contains this, in lower case.
    Contains(String),
    Matches(Regex),
}

impl Filter {
    fn of(params: &Params) -> Result<Self, ApiError> {
        let name = params.get("name").unwrap_or_default();
        if name.is_empty() {
            return Ok(Self::All);
        }
        if !params.flag("use_regex") {
            return Ok(Self::Contains(name.to_lowercase()));
        }
        RegexBuilder::new(name)
            .case_insensitive(true)
            .size_limit(PATTERN_BYTES_MAX)
            .build()
            .map(Self::Matches)
            .map_err(|_| invalid_parameters())
    }

    /// False when it takes whatever there is.
    fn chooses(&self) -> bool {
        !matches!(self, Self::All)
    }

    fn takes(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Contains(part) => name.to_lowercase().contains(part),
            Self::Matches(regex) => regex.is_match(name),
        }
    }
}

fn invalid_parameters() -> ApiError {
    ApiError::bad_request("Pagination parameters are invalid")
}

#[derive(Debug, Clone)]
struct Page {
    number: usize,
    size: usize,
    filter: Filter,
}

impl Page {
    /// `None` without a page number: then the whole list is meant, whatever else is given.
    fn of(params: &Params) -> Result<Option<Self>, ApiError> {
        let Some(number) = params.get("page") else {
            return Ok(None);
        };
        let number: i64 = number.parse().map_err(|_| invalid_parameters())?;
        let size: Option<i64> = match params.get("page_size") {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| invalid_parameters())?),
        };
        let wrong = || {
            let size = size.map_or("undefined".to_owned(), |size| size.to_string());
            let reason =
                format!("Invalid pagination parameters: page number {number}, page size {size}");
            ApiError::refused_as("invalid_pagination_parameters", reason)
        };
        let within = |value: i64, max: usize| {
            let value = usize::try_from(value).ok();
            value.filter(|value| (1..=max).contains(value))
        };
        Ok(Some(Self {
            number: within(number, usize::MAX).ok_or_else(wrong)?,
            size: match size {
                None => PAGE_SIZE,
                Some(size) => within(size, PAGE_SIZE_MAX).ok_or_else(wrong)?,
            },
            filter: Filter::of(params)?,
        }))
    }

    /// Where the page lies among `count` items.
    fn bounds(&self, count: usize) -> Result<std::ops::Range<usize>, ApiError> {
        let start = (self.number - 1).saturating_mul(self.size);
        // The first page of nothing is an empty page.
        if start >= count && self.number > 1 {
            let (number, size) = (self.number, self.size);
            let reason =
                format!("Page out of range, page: {number} page size: {size}, len: {count}");
            return Err(ApiError::refused_as("page_out_of_range", reason));
        }
        Ok(start..count.min(start.saturating_add(self.size)))
    }

    fn envelope(&self, total: usize, filtered: usize, items: Vec<Value>) -> Value {
        json!({
            "total_count": total,
            "filtered_count": filtered,
            "item_count": items.len(),
            "page": self.number,
            "page_size": self.size,
            "page_count": filtered.div_ceil(self.size),
            "items": items,
        })
    }
}

/// A page of a list.
#[derive(Serialize)]
struct Envelope<I> {
    total_count: usize,
    filtered_count: usize,
    item_count: usize,
    page: usize,
    page_size: usize,
    page_count: usize,
    items: I,
}

/// How a list is asked for. An extractor: it fails with RabbitMQ's 400.
#[derive(Debug, Clone)]
pub struct Listing {
    page: Option<Page>,
    only: Only,
    /// The dotted column to sort by; `Some` and empty: in no order.
    sort: Option<String>,
    reverse: bool,
    /// The chosen fields.
    pub columns: Columns,
}

impl FromRequestParts<SharedApi> for Listing {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApi) -> Result<Self, ApiError> {
        Self::of(&Params::parse(parts.uri.query().unwrap_or_default()))
    }
}

impl Listing {
    /// Reads the parameters.
    pub fn of(params: &Params) -> Result<Self, ApiError> {
        Ok(Self {
            page: Page::of(params)?,
            only: Only::of(params)?,
            sort: params.get("sort").map(str::to_owned),
            reverse: params.flag("sort_reverse"),
            columns: Columns::of(params),
        })
    }

    /// The answer over `items`, which the caller is allowed to see; `order` names the columns that
    /// RabbitMQ sorts them by where the request names none.
    pub fn answer(&self, items: Vec<Value>, order: &[&str]) -> Result<Value, ApiError> {
        let total = items.len();
        let mut items = items;
        if let Some(page) = &self.page {
            items.retain(|item| {
                let name = item.get("name").and_then(Value::as_str);
                page.filter.takes(name.unwrap_or_default())
            });
        }
        items.retain(|item| self.only.takes(item));
        match self.sort.as_deref() {
            Some("") => {}
            Some(column) => {
                let columns: Vec<&str> = std::iter::once(column)
                    .chain(order.iter().copied())
                    .collect();
                sort(&mut items, &columns);
            }
            None => sort(&mut items, order),
        }
        if self.reverse {
            items.reverse();
        }
        self.cut(total, items, |item| item)
    }

    /// The same over things that are costly to turn into JSON, where what is asked for allows it:
    /// `things` come in their default order, `name` is what a filter looks at, and only those of
    /// the page are built. `order` holds the columns of the default order.
    pub fn answer_built<T>(
        &self,
        things: Vec<T>,
        order: &[&str],
        name: impl Fn(&T) -> String,
        build: impl Fn(T) -> Value,
    ) -> Result<Value, ApiError> {
        let sorted = self.sort.as_deref().is_some_and(|by| !by.is_empty());
        if sorted || !self.only.is_all() {
            return self.answer(things.into_iter().map(build).collect(), order);
        }
        let total = things.len();
        let mut things = things;
        if let Some(page) = &self.page {
            things.retain(|thing| page.filter.takes(&name(thing)));
        }
        if self.reverse {
            things.reverse();
        }
        self.cut(total, things, build)
    }

    /// The same written straight into octets: `things` come in their default order, `name` is what
    /// a filter looks at, `look` makes a row of one, with the fields that are wanted at least.
    pub fn rows<T, R: Row>(
        &self,
        things: Vec<T>,
        order: &[&str],
        name: impl Fn(&T) -> String,
        look: impl Fn(&T, &Columns) -> R,
    ) -> Result<Answer, ApiError> {
        let total = things.len();
        let mut things = Ordered(things);
        if let Some(page) = self.page.as_ref().filter(|page| page.filter.chooses()) {
            things.0.retain(|thing| page.filter.takes(&name(thing)));
        }
        things.keep(&self.only, &look);
        if let Some(column) = self.sort.as_deref().filter(|column| !column.is_empty()) {
            let columns: Vec<&str> = std::iter::once(column)
                .chain(order.iter().copied())
                .collect();
            match column {
                // Known without working a row out; among equal names the default order holds.
                "name" if order.contains(&"name") => things.0.sort_by_cached_key(&name),
                _ => things.sort(&columns, &look),
            }
        }
        if self.reverse {
            things.0.reverse();
        }
        let rows = |things| Rows {
            things,
            look: &look,
            columns: &self.columns,
        };
        let Some(page) = &self.page else {
            return Answer::of(&rows(things.0.as_slice()));
        };
        let filtered = things.0.len();
        let bounds = page.bounds(filtered)?;
        let items = things.0.get(bounds).unwrap_or_default();
        Answer::of(&Envelope {
            total_count: total,
            filtered_count: filtered,
            item_count: items.len(),
            page: page.number,
            page_size: page.size,
            page_count: filtered.div_ceil(page.size),
            items: rows(items),
        })
    }

    fn cut<T>(
        &self,
        total: usize,
        things: Vec<T>,
        build: impl Fn(T) -> Value,
    ) -> Result<Value, ApiError> {
        let filtered = things.len();
        let finish = |thing: T| self.columns.apply(build(thing));
        let Some(page) = &self.page else {
            return Ok(things.into_iter().map(finish).collect());
        };
        let bounds = page.bounds(filtered)?;
        let items = things
            .into_iter()
            .skip(bounds.start)
            .take(bounds.len())
            .map(finish)
            .collect();
        Ok(page.envelope(total, filtered, items))
    }
}
