//! Lists, a page at a time.

use crate::error::Causes;
use std::collections::HashSet;

use serde_json::Value;

use super::failure::{ApiError, Cause, Verb};
use super::page::{PAGE, Page, Query, Scope};
use super::session::Session;
use crate::model::Kind;

/// Five million objects; etcd's largest database holds less.
const MOST_PAGES: u32 = 10_000;

impl Session {
    /// A list a page at a time.
    pub fn pages<'a>(&'a self, kind: &'static Kind, scope: Scope<'a>, query: Query) -> Pages<'a> {
        Pages::new(self, kind, scope, query)
    }

    /// A list as a whole, for those that are known to be short.
    ///
    /// # Errors
    /// Why it could not be had.
    pub async fn list_all(&self, kind: &'static Kind, scope: Scope<'_>, query: Query) -> Result<Vec<Value>, ApiError> {
        let mut pages = self.pages(kind, scope, query);
        let mut items = Vec::new();
        while let Some(page) = pages.next().await? {
            items.extend(page.items);
        }
        Ok(items)
    }
}

/// A list read to its end, one page in memory.
pub struct Pages<'a> {
    session: &'a Session,
    kind: &'static Kind,
    scope: Scope<'a>,
    query: Query,
    done: bool,
    restarted: bool,
    page_count: u32,
    /// Every token that was followed. One that comes again is a circle.
    followed: HashSet<String>,
    /// The last object given, so that a restart gives none twice: lists are in the order of these keys.
    last: Option<String>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(session: &'a Session, kind: &'static Kind, scope: Scope<'a>, mut query: Query) -> Self {
        if query.limit == 0 {
            query.limit = PAGE;
        }
        Self {
            session,
            kind,
            scope,
            query,
            done: false,
            restarted: false,
            page_count: 0,
            followed: HashSet::new(),
            last: None,
        }
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// Those of the request. A list that became too old while it was read is taken up again once.
    pub async fn next(&mut self) -> Result<Option<Page>, ApiError> {
        if self.done {
            return Ok(None);
        }
        let page = match self.page().await {
            Err(ApiError { cause: Cause::Gone { next }, .. })
                if self.query.continue_token.is_some() && !self.restarted =>
            {
                self.restarted = true;
                self.query.continue_token = next;
                self.followed.clear();
                self.page().await?
            }
            other => other?,
        };
        let page = self.take(page);
        match self.endless() {
            Some(why) => Err(ApiError {
                verb: Verb::List,
                kind: Some(self.kind),
                namespace: self.scope.namespace().to_owned(),
                name: String::new(),
                cause: Cause::BadAnswer(why),
                causes: Causes::default(),
            }),
            None => Ok(Some(page)),
        }
    }

    /// A page, with as few objects as it takes to be read.
    async fn page(&mut self) -> Result<Page, ApiError> {
        loop {
            match self.session.list_page(self.kind, self.scope, &self.query).await {
                Err(ApiError { cause: Cause::TooLarge { .. }, .. }) if self.query.narrow() => {}
                other => return other,
            }
        }
    }

    /// Why this list has no end, if it has none.
    fn endless(&mut self) -> Option<String> {
        const SHOWN: usize = 60;
        self.page_count = self.page_count.saturating_add(1);
        if self.page_count > MOST_PAGES {
            return Some(format!("a list of more than {MOST_PAGES} pages"));
        }
        let token = self.query.continue_token.as_ref()?;
        let is_new = self.followed.insert(token.clone());
        (!is_new).then(|| {
            let shown: String = token.chars().take(SHOWN).flat_map(char::escape_default).collect();
            format!("a list whose continue token {shown} was given before")
        })
    }

    fn take(&mut self, mut page: Page) -> Page {
        if self.restarted
            && let Some(last) = &self.last
        {
            page.items.retain(|item| key(item) > *last);
        }
        if let Some(item) = page.items.last() {
            self.last = Some(key(item));
        }
        self.query.continue_token.clone_from(&page.next);
        self.done = page.next.is_none();
        page
    }
}

/// What etcd orders a list by.
fn key(item: &Value) -> String {
    let metadata = &item["metadata"];
    let text = |key: &str| metadata[key].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}
