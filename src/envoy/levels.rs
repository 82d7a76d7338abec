//! The log levels of Envoy: read from its admin page, requested on the command line, and restored.

use std::fmt;

use super::admin::encoded;
use crate::error::Failure;
use crate::text::nearest;

/// The page on which levels are read and set. Both need a `POST`.
pub(crate) const PATH: &str = "/logging";

/// The level of a logger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum LogLevel {
    Trace,
    Debug,
    Info,
    Warning,
    Error,
    Critical,
    Off,
}

impl LogLevel {
    const ALL: [Self; 7] =
        [Self::Trace, Self::Debug, Self::Info, Self::Warning, Self::Error, Self::Critical, Self::Off];

    /// Envoy's name of the level.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Off => "off",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "warn" {
            return Some(Self::Warning);
        }
        Self::ALL.into_iter().find(|level| level.name() == text)
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The levels requested with `--level`: one for all loggers, and the loggers that differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LevelWish {
    pub all: Option<LogLevel>,
    pub named: Vec<(String, LogLevel)>,
}

impl LevelWish {
    /// The levels for `--debug`.
    #[must_use]
    pub(crate) fn debug() -> Self {
        Self { all: Some(LogLevel::Debug), named: Vec::new() }
    }

    /// Parses `debug`, `http:debug,router:trace` or `info,http:debug`.
    ///
    /// # Errors
    /// A usage failure that names the part that is not a level.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let mut wish = Self::default();
        for part in text.split(',').map(str::trim) {
            let (component, level) = match part.rsplit_once(':') {
                Some((component, level)) => (Some(component), level),
                None => (None, part),
            };
            let level = LogLevel::parse(level).ok_or_else(|| {
                let levels = LogLevel::ALL.map(LogLevel::name).join(", ");
                Failure::usage(format!("--level {text:?}: {level:?} is not a log level of Envoy"))
                    .hint(format!("{levels}; or COMPONENT:LEVEL, commas separate several"))
            })?;
            match component {
                Some("") => return Err(Failure::usage(format!("--level {text:?}: a component has no name"))),
                Some(component) => wish.named.push((component.to_owned(), level)),
                None if wish.all.is_some() => {
                    return Err(Failure::usage(format!("--level {text:?} has two levels for all components"))
                        .hint("one level, then COMPONENT:LEVEL for those that differ"));
                }
                None => wish.all = Some(level),
            }
        }
        Ok(wish)
    }
}

/// Formats the levels as they are typed.
impl fmt::Display for LevelWish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.all.map(|level| level.to_string());
        let named = self.named.iter().map(|(name, level)| format!("{name}:{level}"));
        f.write_str(&all.into_iter().chain(named).collect::<Vec<_>>().join(","))
    }
}

/// The loggers of an Envoy with their levels, in Envoy's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Levels(Vec<(String, LogLevel)>);

impl Levels {
    /// Parses the answer to `POST /logging`: `active loggers:`, then one logger with its level on each line.
    #[must_use]
    pub(crate) fn parse(page: &str) -> Option<Self> {
        let mut lines = page.lines();
        lines.find(|line| line.trim() == "active loggers:")?;
        let logger = |line: &str| {
            let (name, level) = line.trim().rsplit_once(": ")?;
            Some((name.to_owned(), LogLevel::parse(level.trim())?))
        };
        let levels: Vec<_> = lines.map_while(logger).collect();
        (!levels.is_empty()).then_some(Self(levels))
    }

    /// The requests that set the requested levels.
    ///
    /// # Errors
    /// This Envoy does not have the component.
    pub(crate) fn requests(&self, wish: &LevelWish) -> Result<Vec<String>, Failure> {
        let known = |name: &str| self.0.iter().any(|(known, _)| known == name);
        if let Some((name, _)) = wish.named.iter().find(|(name, _)| !known(name)) {
            let near = nearest(name, self.0.iter().map(|(name, _)| name.as_str()));
            let failure = Failure::usage(format!("--level: Envoy has no component {name:?}"));
            let known: Vec<_> = self.0.iter().map(|(name, _)| name.as_str()).collect();
            return Err(if near.is_empty() {
                failure.detail(format!("there: {}", known.join(", ")))
            } else {
                failure.detail(format!("near: {}", near.join(", ")))
            });
        }
        let all = wish.all.map(|level| format!("{PATH}?level={level}"));
        let named = (!wish.named.is_empty()).then(|| paths(wish.named.iter()));
        Ok(all.into_iter().chain(named).collect())
    }

    /// The one request that restores the levels stored here.
    #[must_use]
    pub(crate) fn back(&self) -> String {
        match self.common() {
            Some(level) => format!("{PATH}?level={level}"),
            None => paths(self.0.iter()),
        }
    }

    /// The level that all loggers have in common, if there is one.
    fn common(&self) -> Option<LogLevel> {
        let (_, first) = self.0.first()?;
        self.0.iter().all(|(_, level)| level == first).then_some(*first)
    }

    /// A short text: `info`, `info (http: debug, router: trace)`.
    #[must_use]
    pub(crate) fn shown(&self) -> String {
        const MOST: usize = 4;
        let count = |level: LogLevel| self.0.iter().filter(|(_, other)| *other == level).count();
        let Some(usual) = LogLevel::ALL.into_iter().max_by_key(|level| count(*level)) else { return String::new() };
        let others: Vec<_> = self.0.iter().filter(|(_, level)| *level != usual).collect();
        let mut named: Vec<_> = others.iter().take(MOST).map(|(name, level)| format!("{name}: {level}")).collect();
        if others.len() > MOST {
            named.push(format!("and {} more", others.len() - MOST));
        }
        if named.is_empty() { usual.to_string() } else { format!("{usual} ({})", named.join(", ")) }
    }

    /// Whether the levels are already as requested.
    #[must_use]
    pub(crate) fn are(&self, wish: &LevelWish) -> bool {
        self.0.iter().all(|(name, level)| {
            let named = wish.named.iter().rev().find(|(wanted, _)| wanted == name).map(|(_, level)| *level);
            named.or(wish.all).is_none_or(|wanted| wanted == *level)
        })
    }
}

fn paths<'l>(levels: impl Iterator<Item = &'l (String, LogLevel)>) -> String {
    let each: Vec<_> = levels.map(|(name, level)| format!("{}:{level}", encoded(name))).collect();
    format!("{PATH}?paths={}", each.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "active loggers:\n  admin: info\n  http: debug\n  router: info\n  source/a.cc: info\n";

    fn levels() -> Levels {
        Levels::parse(PAGE).unwrap()
    }

    #[test]
    fn a_page_is_read_and_what_is_none_is_not() {
        assert_eq!(levels().0.len(), 4);
        assert_eq!(levels().shown(), "info (http: debug)");
        for page in ["", "active loggers:\n", "<html>", "active loggers:\n  a: loud\n"] {
            assert_eq!(Levels::parse(page), None, "{page:?}");
        }
    }

    #[test]
    fn a_wish_is_one_level_some_components_or_both() {
        let wish = |text: &str| LevelWish::parse(text).unwrap();
        assert_eq!(wish("debug"), LevelWish::debug());
        assert_eq!(wish("http:debug, router:warn").named[1], ("router".into(), LogLevel::Warning));
        assert_eq!(wish("info,http:trace").all, Some(LogLevel::Info));
        for text in ["", "loud", "http:", ":debug", "info,debug", "http:loud", "debug,"] {
            assert!(LevelWish::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn requests_set_all_first_and_then_those_that_differ() {
        let requests = |text: &str| levels().requests(&LevelWish::parse(text).unwrap()).unwrap();
        assert_eq!(requests("debug"), ["/logging?level=debug"]);
        assert_eq!(requests("info,http:trace"), ["/logging?level=info", "/logging?paths=http:trace"]);
        let unknown = levels().requests(&LevelWish::parse("htttp:debug").unwrap()).unwrap_err();
        assert_eq!(
            (unknown.message.as_str(), &unknown.details[..]),
            ("--level: Envoy has no component \"htttp\"", &["near: http".to_owned()][..])
        );
    }

    #[test]
    fn each_logger_is_put_back_to_its_own_level() {
        assert_eq!(levels().back(), "/logging?paths=admin:info,http:debug,router:info,source%2Fa.cc:info");
        let same = Levels::parse("active loggers:\n  a: warning\n  b: warning\n").unwrap();
        assert_eq!(same.back(), "/logging?level=warning");
        assert_eq!(paths([("a b&c".to_owned(), LogLevel::Off)].iter()), "/logging?paths=a%20b%26c:off");
    }

    #[test]
    fn what_is_as_wished_already_is_seen() {
        let are = |text: &str| levels().are(&LevelWish::parse(text).unwrap());
        assert!(are("info,http:debug") && are("http:debug"));
        assert!(!are("debug") && !are("http:info"));
    }
}
