//! Git repositories, as manifests and a clone's configuration name them.

/// A Git repository that a manifest names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Repository {
    /// `None` if the manifest that has the URL was not read.
    pub url: Option<String>,
}

impl Repository {
    /// The repository of a URL in a manifest.
    pub(crate) fn new(url: Option<&str>) -> Self {
        Self { url: url.filter(|url| !url.is_empty()).map(str::to_owned) }
    }

    /// Whether the URL is one that a generator fills in.
    pub(crate) fn is_template(&self) -> bool {
        self.url.as_deref().is_some_and(super::is_template)
    }

    /// Whether both are the same repository. `None` if one is unknown.
    pub(crate) fn is(&self, url: &str) -> Option<bool> {
        Some(normalized(self.url.as_deref()?) == normalized(url))
    }

    /// The last part of its path: `platform` of `https://git.example.com/platform.git`.
    pub(crate) fn name(&self) -> Option<String> {
        let url = normalized(self.url.as_deref()?);
        url.rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned)
    }
}

/// The repository for messages: its URL without a user and a password.
impl std::fmt::Display for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.url {
            Some(url) => f.write_str(&shown(url)),
            None => f.write_str("a repository of unknown URL"),
        }
    }
}

/// The URL without a user and a password.
pub(crate) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}

/// Host and path of a repository, the same for each protocol: `github.com/org/repo` of `git@github.com:org/repo.git`
/// and of `https://user@github.com:443/org/repo/`. Servers do not tell upper from lower case in them.
fn normalized(url: &str) -> String {
    let url = url.trim().to_lowercase();
    let (authority, path) = match url.split_once("://") {
        Some(("file", path)) => ("", path.trim_start_matches('/')),
        Some((_, rest)) => rest.split_once('/').unwrap_or((rest, "")),
        None => url.split_once(':').unwrap_or(("", &url)),
    };
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = host.split(':').next().unwrap_or(host);
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    format!("{host}/{}", path.trim_end_matches('/'))
}

/// The URLs of the remotes in the text of a clone's `config`.
pub(crate) fn remotes(config: &str) -> Vec<String> {
    let mut in_remote = false;
    let mut urls = Vec::new();
    for line in config.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            in_remote = section.to_lowercase().starts_with("remote ");
        } else if let Some((key, url)) = line.split_once('=')
            && in_remote
            && key.trim().eq_ignore_ascii_case("url")
        {
            urls.push(url.trim().trim_matches('"').to_owned());
        }
    }
    urls
}

/// Whether the files of a repository may be those of the clone around the manifest. `remotes` are the clone's, `all`
/// the repositories that the manifest names.
///
/// # Errors
/// Why they are not, or why nothing shows it.
pub(crate) fn local(wanted: &Repository, remotes: &[String], all: &[&Repository]) -> Result<RepositoryProof, String> {
    if wanted.is_template() {
        return Err(format!("in the repository {wanted}, which is a template"));
    }
    let same: Vec<bool> = remotes.iter().filter_map(|url| wanted.is(url)).collect();
    match (same.contains(&true), same.is_empty()) {
        (true, _) => return Ok(RepositoryProof::Remote),
        (false, false) => return Err(format!("in the repository {wanted}, which is not this one")),
        (false, true) => {}
    }
    let is_same = |other: &Repository| match (&wanted.url, &other.url) {
        (Some(_), Some(url)) => wanted.is(url) == Some(true),
        (None, None) => true,
        _ => false,
    };
    match all.iter().find(|other| !is_same(other)) {
        Some(other) => Err(format!("in the repository {wanted}, and nothing shows whether this one is it or {other}")),
        None => Ok(RepositoryProof::Nothing),
    }
}

/// What shows that a repository is the local one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RepositoryProof {
    /// A remote of the clone.
    Remote,
    /// Nothing, but the manifest names no other one.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_of_a_url_is_the_same_repository() {
        let repository = Repository::new(Some("https://github.com/org/platform.git"));
        for url in [
            "https://github.com/org/platform",
            "https://token:x@GitHub.com/Org/platform.git/",
            "git@github.com:org/platform.git",
            "ssh://git@github.com:22/org/platform.git",
            "git://github.com/org/platform",
        ] {
            assert_eq!(repository.is(url), Some(true), "{url}");
        }
        for url in ["https://github.com/org/other", "git@gitlab.com:org/platform.git", "/srv/git/platform.git", ""] {
            assert_eq!(repository.is(url), Some(false), "{url}");
        }
        assert_eq!(Repository::default().is("https://x/y"), None);
        assert_eq!(repository.name().as_deref(), Some("platform"));
        assert_eq!(shown("https://user:secret@host/a@b.git"), "https://host/a@b.git");
        assert_eq!(shown("git@host:a/b"), "git@host:a/b");
    }

    #[test]
    fn the_remotes_of_a_clone_are_in_its_configuration() {
        let config = "[core]\n\turl = no\n[remote \"origin\"]\n\tURL = git@h:a/b.git\n\tfetch = +refs\n[Remote \"up\"]\n  url=\"https://h/c\"\n[branch \"main\"]\n\turl = no\n";
        assert_eq!(remotes(config), ["git@h:a/b.git", "https://h/c"]);
        assert!(remotes("").is_empty());
    }

    #[test]
    fn a_repository_is_local_by_a_remote_or_because_there_is_no_other() {
        let of = |url: &str| Repository::new(Some(url));
        let (a, b, unknown) = (of("https://h/a.git"), of("https://h/b"), Repository::default());
        let remotes = |url: &str| vec![url.to_owned()];
        let table = [
            (&a, remotes("git@h:a"), vec![&a, &b], Ok(RepositoryProof::Remote)),
            (&b, remotes("git@h:a"), vec![&a, &b], Err(())),
            (&b, remotes("git@h:a"), vec![&b], Err(())),
            (&a, vec![], vec![&a, &a], Ok(RepositoryProof::Nothing)),
            (&a, vec![], vec![&a, &b], Err(())),
            (&a, vec![], vec![&a, &unknown], Err(())),
            (&unknown, remotes("git@h:a"), vec![&unknown], Ok(RepositoryProof::Nothing)),
            (&unknown, vec![], vec![&unknown, &unknown], Ok(RepositoryProof::Nothing)),
        ];
        for (wanted, remotes, all, is) in table {
            let answer = local(wanted, &remotes, &all);
            assert_eq!(answer.clone().map_err(|_| ()), is, "{wanted} {remotes:?}: {answer:?}");
        }
        let template = of("{{.url}}");
        assert!(local(&template, &[], &[&template]).is_err());
    }
}
