//! The postures as an HTML page and as Markdown, by templates that are checked when the program is built.

use askama::Template;

use crate::check::{CHECKS, Check};
use crate::error::{Exit, Failure, Reason};
use crate::plan::path::Verdict;
use crate::posture::baseline::{Comparison, Difference, DifferenceKind};
use crate::posture::{
    ClusterPosture, DecidingPolicy, FindingCause, GatewayCertificates, PathCause, PathRecord, PathTotals, PostureGap,
    RevisionUse,
};
use crate::render::text::count;

/// How much of a posture is shown. What is left out is counted.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// The rows of a table with one line for each namespace, gateway or policy.
    totals: usize,
    /// The causes, and the codes of findings.
    groups: usize,
    /// The paths or objects of a cause.
    members: usize,
}

/// A page for ten thousand paths stays readable, and printable.
const ON_PAGE: Extent = Extent { totals: 1000, groups: 100, members: 100 };
/// GitHub takes no comment above 65,536 characters.
const IN_MARKDOWN: Extent = Extent { totals: 20, groups: 10, members: 5 };

#[derive(Template)]
#[template(path = "report.html")]
struct HtmlPage<'p> {
    view: View<'p>,
}

#[derive(Template)]
#[template(path = "report.md")]
struct MarkdownPage<'p> {
    view: View<'p>,
}

/// What both templates show.
struct View<'p> {
    clusters: Vec<ClusterView<'p>>,
    compared: Option<Vec<DifferenceView<'p>>>,
}

/// The first items of a list, and the number of the others.
struct Part<'p, T> {
    items: &'p [T],
    more: usize,
}

impl<'p, T> Part<'p, T> {
    fn first(all: &'p [T], most: usize) -> Self {
        let items = all.get(..most).unwrap_or(all);
        Self { items, more: all.len() - items.len() }
    }
}

struct ClusterView<'p> {
    posture: &'p ClusterPosture,
    namespaces: Part<'p, PathTotals>,
    gateways: Part<'p, PathTotals>,
    paths: Vec<CauseView<'p>>,
    more_causes: usize,
    findings: Vec<FindingView<'p>>,
    more_findings: usize,
    certificates: Part<'p, GatewayCertificates>,
    revisions: Part<'p, RevisionUse>,
    policies: Part<'p, DecidingPolicy>,
    unknown: Part<'p, PostureGap>,
}

/// A cause with the first of its paths.
struct CauseView<'p> {
    cause: &'p PathCause,
    shown: Vec<&'p PathRecord>,
    more: usize,
}

/// The findings of a cause with the first of their objects.
struct FindingView<'p> {
    finding: &'p FindingCause,
    shown: Vec<String>,
    more: usize,
}

/// The differences of one kind.
struct DifferenceView<'p> {
    kind: DifferenceKind,
    shown: Vec<&'p Difference>,
    more: usize,
}

/// The page: one file without scripts and without anything from another place.
///
/// # Errors
/// The template fails, which is a bug.
pub(crate) fn html(postures: &[ClusterPosture], compared: Option<&Comparison>) -> Result<String, Failure> {
    rendered(&HtmlPage { view: View::new(postures, compared, ON_PAGE) })
}

/// The text for tickets and pull requests.
///
/// # Errors
/// As for [`html`].
pub(crate) fn markdown(postures: &[ClusterPosture], compared: Option<&Comparison>) -> Result<String, Failure> {
    rendered(&MarkdownPage { view: View::new(postures, compared, IN_MARKDOWN) })
}

fn rendered(template: &impl Template) -> Result<String, Failure> {
    template.render().map_err(|error| Failure::new(Exit::Failed, Reason::Bug, format!("the report: {error}")))
}

impl<'p> View<'p> {
    fn new(postures: &'p [ClusterPosture], compared: Option<&'p Comparison>, extent: Extent) -> Self {
        Self {
            clusters: postures.iter().map(|posture| ClusterView::new(posture, extent)).collect(),
            compared: compared.map(|compared| {
                let found = DifferenceKind::ALL.into_iter().map(|kind| (kind, compared.of_kind(kind)));
                let found = found.filter(|(_, all)| !all.is_empty());
                found.map(|(kind, all)| DifferenceView::new(kind, all, extent.totals)).collect()
            }),
        }
    }
}

impl<'p> ClusterView<'p> {
    fn new(posture: &'p ClusterPosture, extent: Extent) -> Self {
        let Extent { totals, groups, members } = extent;
        let (causes, findings) = (Part::first(&posture.causes, groups), Part::first(&posture.findings, groups));
        let cause = |cause: &'p PathCause| {
            let first = cause.members.iter().take(members);
            let shown: Vec<_> = first.filter_map(|index| posture.paths.get(*index)).collect();
            CauseView { cause, more: cause.count.saturating_sub(shown.len()), shown }
        };
        let finding = |finding: &'p FindingCause| {
            let shown: Vec<_> = finding.objects.iter().take(members).map(ToString::to_string).collect();
            FindingView { finding, more: finding.objects.len().saturating_sub(shown.len()), shown }
        };
        Self {
            posture,
            namespaces: Part::first(&posture.namespaces, totals),
            gateways: Part::first(&posture.gateways, totals),
            paths: causes.items.iter().map(cause).collect(),
            more_causes: causes.more,
            findings: findings.items.iter().map(finding).collect(),
            more_findings: findings.more,
            certificates: Part::first(&posture.certificates, totals),
            revisions: Part::first(&posture.revisions, totals),
            policies: Part::first(&posture.policies, totals),
            unknown: Part::first(&posture.unknown, totals),
        }
    }

    /// The context, or where the objects are from.
    fn name(&self) -> &str {
        self.posture.origin.context.as_deref().unwrap_or("manifests")
    }

    fn errors(&self) -> usize {
        self.findings_of("error")
    }

    fn warnings(&self) -> usize {
        self.findings_of("warning")
    }

    fn findings_of(&self, severity: &str) -> usize {
        self.posture.findings.iter().filter(|it| it.severity == severity).map(|it| it.objects.len()).sum()
    }
}

impl<'p> DifferenceView<'p> {
    fn new(kind: DifferenceKind, all: &'p [Difference], most: usize) -> Self {
        let shown: Vec<_> = all.iter().take(most).collect();
        Self { kind, more: all.len() - shown.len(), shown }
    }
}

impl CauseView<'_> {
    fn fix(&self) -> Option<String> {
        self.cause.fix.as_ref().map(ToString::to_string)
    }
}

impl FindingView<'_> {
    fn fix(&self) -> Option<String> {
        self.finding.fix.as_ref().map(ToString::to_string)
    }

    /// The check that reports it.
    fn check(&self) -> &'static str {
        let has_code = |check: &&Check| check.codes.iter().any(|code| code.id == self.finding.code);
        CHECKS.iter().find(has_code).map_or("", |check| check.title)
    }
}

/// The six verdicts in the order of the columns.
fn verdicts() -> [Verdict; 6] {
    Verdict::ALL
}

/// Whether the root of a certificate is the mesh's, in a word.
pub(super) fn mesh_root(is_of_mesh: Option<bool>) -> &'static str {
    match is_of_mesh {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

/// A list of names in a cell.
fn joined(names: Option<&Vec<String>>) -> String {
    match names.map(Vec::as_slice) {
        None => "unknown".to_owned(),
        Some([]) => "none".to_owned(),
        Some(names) => names.join(", "),
    }
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "unknown".to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    /// The colours of a scheme, as `(name, red, green, blue)`.
    fn colours(root: &str) -> Vec<(&str, [f64; 3])> {
        let (inside, _) = root.split_once('}').unwrap();
        let pairs = inside.split(';').filter_map(|pair| pair.strip_prefix("--")?.split_once(":#"));
        let value = |digits: &str| {
            let wide: String = match digits.len() {
                3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
                _ => digits.to_owned(),
            };
            [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&wide[at..at + 2], 16).unwrap()) / 255.0)
        };
        pairs.map(|(name, digits)| (name, value(digits))).collect()
    }

    /// The relative luminance of WCAG.
    fn luminance(colour: [f64; 3]) -> f64 {
        let linear = colour.map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    #[test]
    fn every_text_of_every_scheme_has_the_contrast_that_wcag_wants() {
        let page = include_str!("../../../templates/report.html");
        let schemes: Vec<_> = page.split(":root{").skip(1).collect();
        assert_eq!(schemes.len(), 3, "light, dark, paper");
        for scheme in schemes {
            let colours = colours(scheme);
            let of = |name: &str| luminance(colours.iter().find(|(known, _)| *known == name).unwrap().1);
            for text in ["text", "soft", "bad", "care", "good", "open"] {
                for ground in ["page", "head"] {
                    let (one, other) = (of(text).max(of(ground)), of(text).min(of(ground)));
                    let ratio = (one + 0.05) / (other + 0.05);
                    assert!(ratio >= 4.5, "{text} on {ground}: {ratio:.2}");
                }
            }
        }
    }
}
