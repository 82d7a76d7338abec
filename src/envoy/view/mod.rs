//! Tables of a config dump, with the same rows for people and for scripts.

mod bootstrap;
mod clusters;
mod endpoints;
mod kept;
mod listeners;
mod routes;
mod secrets;
mod tls;

pub(crate) use kept::KeptRows;
pub(crate) use secrets::certificates;

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::dump::{DumpEntry, DumpSection, NoDump};
use super::mask::masked;

/// A column of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub title: &'static str,
    /// The field of the row that the column shows.
    pub key: &'static str,
    pub width: ColumnWidth,
}

/// Where a column is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ColumnWidth {
    Usual,
    /// Only with `-o wide`.
    Wide,
}

const fn column(title: &'static str, key: &'static str) -> Column {
    Column { title, key, width: ColumnWidth::Usual }
}

const fn wide(title: &'static str, key: &'static str) -> Column {
    Column { title, key, width: ColumnWidth::Wide }
}

/// The last columns of every view except the bootstrap's.
const PROVENANCE: [Column; 3] = [column("STATE", "state"), wide("VERSION", "version"), wide("UPDATED", "updated")];

/// The filters of a view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ViewFilter {
    /// Only the resource of this name. The document then contains the whole resource.
    pub name: Option<String>,
    pub port: Option<u16>,
    /// A host as in a request: `*.example.com` serves `shop.example.com`.
    pub domain: Option<String>,
    /// The name of an Upstream's cluster.
    pub cluster: Option<String>,
}

/// The name of an Upstream's cluster (Gloo, `translator.UpstreamToClusterName`).
#[must_use]
pub(crate) fn cluster_of(namespace: &str, name: &str) -> String {
    format!("{name}_{namespace}")
}

/// The columns of a section's view.
#[must_use]
pub(crate) fn columns(section: DumpSection) -> Vec<Column> {
    let own: &[Column] = match section {
        DumpSection::Bootstrap => return bootstrap::COLUMNS.to_vec(),
        DumpSection::Clusters => &clusters::COLUMNS,
        DumpSection::Endpoints => &endpoints::COLUMNS,
        DumpSection::Listeners => &listeners::COLUMNS,
        DumpSection::Routes => &routes::COLUMNS,
        DumpSection::Secrets => &secrets::COLUMNS,
    };
    own.iter().chain(&PROVENANCE).copied().collect()
}

/// The field with the resource's name in the rows of a section.
#[must_use]
pub(crate) fn name_key(section: DumpSection) -> &'static str {
    match section {
        DumpSection::Endpoints => "cluster",
        DumpSection::Routes => "routes",
        _ => "name",
    }
}

/// A row as an object, with the fields of the columns and some more.
pub(crate) type ViewRow = Map<String, Value>;
/// The rows of a resource, made one at a time: a hostile resource may have more than fit in memory.
type Rows<'e> = Box<dyn Iterator<Item = ViewRow> + 'e>;

/// The memory limit for the rows and names of all dumps.
const MOST: usize = 8 << 20;

/// Keeps the rows of one section of one or several dumps, and of the other sections only what is needed to filter them.
#[derive(Debug)]
pub(crate) struct View {
    section: DumpSection,
    filter: ViewFilter,
    /// The first fields of each row of the current dump: its pod.
    place: Vec<(&'static str, String)>,
    /// The size of the rows before those of the current dump.
    start: usize,
    /// The route configurations used by the listeners of the current dump on the selected port.
    on_port: HashSet<String>,
    has_bootstrap: bool,
    is_full: bool,
    /// The memory for what is not a row.
    named: usize,
    found: FoundRows,
}

/// The result of a view.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct FoundRows {
    pub rows: KeptRows,
    /// The names of all resources of the section, for suggestions of similar names.
    pub names: Vec<String>,
    /// In the view of the bootstrap that of each dump, complete and with its secrets masked, or null.
    pub bootstraps: KeptRows,
}

impl View {
    /// An empty view.
    #[must_use]
    pub(crate) fn new(section: DumpSection, filter: ViewFilter) -> Self {
        Self {
            section,
            filter,
            place: Vec::new(),
            start: 0,
            on_port: HashSet::new(),
            has_bootstrap: false,
            is_full: false,
            named: 0,
            found: FoundRows::default(),
        }
    }

    /// Begins a dump. Each of its rows begins with the fields of `place`.
    pub(crate) fn begin(&mut self, place: Vec<(&'static str, String)>) {
        self.place = place;
        self.start = self.found.rows.bytes();
        self.on_port.clear();
        self.has_bootstrap = false;
    }

    /// Ends a dump after it is completely read.
    pub(crate) fn end(&mut self) {
        if self.section == DumpSection::Routes && self.filter.port.is_some() {
            let on_port = &self.on_port;
            let is_on_port = |row: &ViewRow| row["routes"].as_str().is_some_and(|name| on_port.contains(name));
            self.found.rows.retain_from(self.start, is_on_port);
        }
        if self.section == DumpSection::Bootstrap && !self.has_bootstrap {
            self.keep_bootstrap(&Value::Null);
        }
    }

    /// The sections that must be read.
    #[must_use]
    pub(crate) fn sections(&self) -> Vec<DumpSection> {
        let of_port = self.section == DumpSection::Routes && self.filter.port.is_some();
        std::iter::once(self.section).chain(of_port.then_some(DumpSection::Listeners)).collect()
    }

    /// The section of the view.
    #[must_use]
    pub(crate) fn section(&self) -> DumpSection {
        self.section
    }

    /// Checks that no row was dropped for lack of memory. Call it during reading and at the end.
    ///
    /// # Errors
    /// The rows need too much memory.
    pub(crate) fn fits_in_memory(&self) -> Result<(), NoDump> {
        if self.is_full { Err(NoDump::TooLarge) } else { Ok(()) }
    }

    /// Adds a resource of the current dump.
    pub(crate) fn take(&mut self, entry: &DumpEntry) {
        if self.section == DumpSection::Routes && entry.section == DumpSection::Listeners {
            self.note_routes(entry);
        }
        if entry.section != self.section || self.is_full {
            return;
        }
        self.count(&entry.name);
        self.found.names.push(entry.name.clone());
        if self.filter.name.as_ref().is_some_and(|name| *name != entry.name) {
            return;
        }
        let rows: Rows<'_> = match self.section {
            DumpSection::Bootstrap => {
                let bootstrap = masked(&entry.resource);
                self.has_bootstrap = true;
                self.keep_bootstrap(&bootstrap);
                Box::new(bootstrap::rows(&bootstrap).into_iter())
            }
            DumpSection::Clusters => Box::new(clusters::rows(entry).into_iter()),
            DumpSection::Endpoints => endpoints::rows(entry),
            DumpSection::Listeners => listeners::rows(entry),
            DumpSection::Routes => routes::rows(entry),
            DumpSection::Secrets => Box::new(secrets::rows(entry).into_iter()),
        };
        for mut row in rows {
            if self.section != DumpSection::Bootstrap {
                self.provenance(entry, &mut row);
            }
            if self.fits(&row) {
                let place = self.place.iter().map(|(key, text)| ((*key).to_owned(), text.clone().into()));
                let row: ViewRow = place.chain(row).collect();
                let most = self.most_rows();
                self.is_full |= !self.found.rows.push(&row, most);
            }
            if self.is_full {
                return;
            }
        }
    }

    fn keep_bootstrap(&mut self, bootstrap: &Value) {
        let most = MOST.saturating_sub(self.named + self.found.rows.bytes());
        self.is_full |= !self.found.bootstraps.push(bootstrap, most);
    }

    /// The limit of the rows next to all else that is kept.
    fn most_rows(&self) -> usize {
        MOST.saturating_sub(self.named + self.found.bootstraps.bytes())
    }

    /// Counts the memory for a name that is kept.
    fn count(&mut self, name: &str) {
        self.named += 2 * size_of::<String>() + name.len();
        self.is_full |= self.named > MOST;
    }

    fn provenance(&self, entry: &DumpEntry, row: &mut ViewRow) {
        if row.get(name_key(self.section)).is_none_or(Value::is_null) {
            row.insert(name_key(self.section).to_owned(), entry.name.clone().into());
        }
        let state = match (&entry.rejection, entry.state.name()) {
            (Some(_), "rejected") | (None, _) => entry.state.name().to_owned(),
            (Some(_), state) => format!("{state}, update rejected"),
        };
        row.insert("state".to_owned(), state.into());
        row.insert("version".to_owned(), entry.version.clone().into());
        row.insert("updated".to_owned(), entry.updated.clone().into());
        if let Some(rejection) = &entry.rejection {
            row.insert("rejected".to_owned(), rejection.why.clone().into());
        }
        if self.filter.name.is_some() {
            row.insert("config".to_owned(), masked(&entry.resource));
        }
    }

    fn note_routes(&mut self, entry: &DumpEntry) {
        let Some(port) = self.filter.port else { return };
        let rows = listeners::rows(entry).filter(|row| row.get("port") == Some(&port.into()));
        let routes = rows.filter_map(|row| Some(row.get("routes")?.as_str()?.to_owned()));
        for name in routes.collect::<Vec<_>>() {
            self.count(&name);
            self.on_port.insert(name);
        }
    }

    fn fits(&self, row: &ViewRow) -> bool {
        let ViewFilter { port, domain, cluster, .. } = &self.filter;
        let field = |key: &str| row.get(key).unwrap_or(&Value::Null);
        let has = |key: &str, text: &str| match field(key) {
            Value::Array(all) => all.iter().any(|one| one == text),
            one => one == text,
        };
        // The routes on a port are known only after the whole dump is read.
        let port_fits = self.section == DumpSection::Routes || port.is_none_or(|port| *field("port") == port);
        let domain_fits = domain.as_ref().is_none_or(|domain| match field("domains") {
            Value::Array(all) => all.iter().filter_map(Value::as_str).any(|pattern| serves(pattern, domain)),
            _ => false,
        });
        let key = if self.section == DumpSection::Clusters { "name" } else { "clusters" };
        let key = if self.section == DumpSection::Endpoints { "cluster" } else { key };
        port_fits && domain_fits && cluster.as_ref().is_none_or(|cluster| has(key, cluster))
    }

    /// Returns the result after all dumps are read.
    #[must_use]
    pub(crate) fn finish(self) -> FoundRows {
        self.found
    }
}

/// Whether a domain of a virtual host serves a host: exact, `*`, `*.example.com`, `example.*`. A port is not part of
/// the name.
fn serves(pattern: &str, host: &str) -> bool {
    let bare = |text: &str| text.split_once(':').map_or(text, |(name, _)| name).to_ascii_lowercase();
    let (pattern, host) = (bare(pattern), bare(host));
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => host.ends_with(end),
        (_, Some(start)) => host.starts_with(start),
        _ => pattern == host,
    }
}

/// The text of a table cell; `-` for an empty value.
#[must_use]
pub(crate) fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(all)) => all.iter().map(|one| cell(Some(one))).collect::<Vec<_>>().join(","),
        Some(Value::Bool(is)) => (if *is { "yes" } else { "no" }).to_owned(),
        Some(other) => other.to_string(),
    };
    if text.is_empty() { "-".to_owned() } else { text }
}

/// A row with these fields.
fn row<const N: usize>(fields: [(&str, Value); N]) -> ViewRow {
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The elements of a list, which may be missing.
fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value[key].as_array().into_iter().flatten()
}

/// The address as text, and the port: `10.0.0.7:8080`, `[::1]:80`, a path, or an internal listener's name.
fn address(address: &Value) -> (String, Value) {
    let socket = &address["socket_address"];
    if let Some(host) = socket["address"].as_str() {
        let port = &socket["port_value"];
        let port = if port.is_null() { &socket["named_port"] } else { port };
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        return (format!("{host}:{}", cell(Some(port))), port.clone());
    }
    let inner = &address["envoy_internal_address"]["server_listener_name"];
    let text = address["pipe"]["path"].as_str().or_else(|| inner.as_str()).unwrap_or_default();
    (text.to_owned(), Value::Null)
}
