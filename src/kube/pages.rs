//! Lists that are read page by page.

use crate::error::Causes;
use std::collections::HashSet;

use serde_json::Value;

use super::failure::{ApiCause, ApiError, Verb};
use super::page::{PAGE, Page, Query, Scope};
use super::session::Session;
use crate::model::Kind;

/// The limit of pages: five million objects, more than etcd's largest database holds.
const MOST_PAGES: u32 = 10_000;

impl Session {
    /// A list, read page by page.
    pub fn pages<'a>(&'a self, kind: &'static Kind, scope: Scope<'a>, query: Query) -> Pages<'a> {
        Pages::new(self, kind, scope, query)
    }

    /// A whole list, for lists that are known to be short.
    ///
    /// # Errors
    /// Why the list could not be read.
    pub async fn list_all(&self, kind: &'static Kind, scope: Scope<'_>, query: Query) -> Result<Vec<Value>, ApiError> {
        let mut pages = self.pages(kind, scope, query);
        let mut items = Vec::new();
        while let Some(page) = pages.next().await? {
            items.extend(page.items);
        }
        Ok(items)
    }
}

/// A list that is read to its end with one page in memory.
pub struct Pages<'a> {
    session: &'a Session,
    kind: &'static Kind,
    scope: Scope<'a>,
    query: Query,
    done: bool,
    restarted: bool,
    page_count: u32,
    /// Every continue token used so far. A token that comes again would be an endless loop.
    followed: HashSet<String>,
    /// The key of the last object returned, so that a restart returns none twice: lists are sorted by these keys.
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
    /// The errors of the request. A list that became too old while it was read is continued once.
    pub async fn next(&mut self) -> Result<Option<Page>, ApiError> {
        if self.done {
            return Ok(None);
        }
        let page = match self.page().await {
            Err(ApiError { cause: ApiCause::Gone { next }, .. })
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
                cause: ApiCause::BadAnswer(why),
                causes: Causes::default(),
            }),
            None => Ok(Some(page)),
        }
    }

    /// One page, with fewer objects if the answer is too large.
    async fn page(&mut self) -> Result<Page, ApiError> {
        loop {
            match self.session.list_page(self.kind, self.scope, &self.query).await {
                Err(ApiError { cause: ApiCause::TooLarge { .. }, .. }) if self.query.narrow() => {}
                other => return other,
            }
        }
    }

    /// Why this list is endless, if it is.
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

/// The key by which etcd sorts a list.
fn key(item: &Value) -> String {
    let metadata = &item["metadata"];
    let text = |key: &str| metadata[key].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}
