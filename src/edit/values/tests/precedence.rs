//! Random homes with random sources, against a small model of the rules of Argo CD, Flux, k3s, Kustomize and Helm.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// The keys that sources may set.
const KEYS: [&str; 4] = ["g.a", "g.b", "p.x.c", "p.x.d"];

/// What one source sets: a number for each key, or nothing.
type Numbers = [Option<u8>; 4];

/// A source of the model: what it sets, and whether it is given.
#[derive(Debug, Clone)]
struct Given {
    numbers: Numbers,
    is_given: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Argo,
    ArgoForced,
    ApplicationSet,
    ArgoText,
    ArgoBoth,
    Flux,
    FluxTarget,
    HelmOperator,
    K3s,
    HelmChartConfig,
    KustomizeOverride,
    KustomizeMerge,
    KustomizeReplace,
    Files,
}

const TOOLS: [Tool; 14] = [
    Tool::Argo,
    Tool::ArgoForced,
    Tool::ApplicationSet,
    Tool::ArgoText,
    Tool::ArgoBoth,
    Tool::Flux,
    Tool::FluxTarget,
    Tool::HelmOperator,
    Tool::K3s,
    Tool::HelmChartConfig,
    Tool::KustomizeOverride,
    Tool::KustomizeMerge,
    Tool::KustomizeReplace,
    Tool::Files,
];

/// A home: two files, the values inside, and single values.
#[derive(Debug, Clone)]
struct Model {
    tool: Tool,
    files: [Given; 2],
    inline: Numbers,
    other: Numbers,
    single: Numbers,
    /// Single values that are listed before the others, with the same names.
    earlier: Numbers,
}

/// What single values set: of two with the same name the last.
fn last(earlier: Numbers, single: Numbers) -> Numbers {
    std::array::from_fn(|key| single[key].or(earlier[key]))
}

impl Model {
    /// The sources, the strongest first, as the documentation of the tool orders them.
    fn strongest_first(&self) -> Vec<Given> {
        let here = |numbers: &Numbers| Given { numbers: *numbers, is_given: true };
        let [first, second] = self.files.clone();
        let (single, inline, other) = (here(&self.single), here(&self.inline), here(&self.other));
        match self.tool {
            // parameters, valuesObject, or values if there is no valuesObject, valueFiles from the last to the first
            Tool::Argo | Tool::ApplicationSet | Tool::ArgoText | Tool::ArgoBoth => {
                vec![here(&last(self.earlier, self.single)), inline, second, first]
            }
            // parameters with forceString, then the others
            Tool::ArgoForced => vec![other, here(&last(self.earlier, self.single)), inline, second, first],
            // spec.values, then valuesFrom from the last to the first
            Tool::Flux | Tool::HelmOperator => vec![inline, second, first],
            // The second one is a single value.
            Tool::FluxTarget => vec![inline, here(&[self.single[0], None, None, None]), first],
            // spec.set, the HelmChartConfig, the HelmChart
            Tool::K3s => vec![single, other, inline],
            // The HelmChartConfig, and a HelmChart that is not given
            Tool::HelmChartConfig => vec![inline, Given { numbers: [None; 4], is_given: false }],
            // additionalValuesFiles, then valuesInline over valuesFile
            Tool::KustomizeOverride => vec![second, inline, first],
            Tool::KustomizeMerge => vec![second, first, inline],
            Tool::KustomizeReplace => vec![second, inline],
            Tool::Files => vec![second, first],
        }
    }

    /// The value of a key: `Err` if a source that is not given may set it.
    fn effective(&self, key: usize) -> Result<Option<u8>, ()> {
        for source in self.strongest_first() {
            match (source.is_given, source.numbers[key]) {
                (false, _) => return Err(()),
                (true, Some(number)) => return Ok(Some(number)),
                (true, None) => {}
            }
        }
        Ok(None)
    }

    /// The list of parameters of an Application.
    fn parameters(&self) -> String {
        let listed = |numbers: Numbers, end: &'static str| {
            let number = move |key| Some((KEYS[key], numbers[key]?));
            let items = (0..4).filter_map(number);
            items.map(move |(name, number)| format!("      - name: {name}\n        value: \"{number}\"\n{end}"))
        };
        let forced = if self.tool == Tool::ArgoForced { self.other } else { [None; 4] };
        // Their place in the list does not count.
        let parameters: String = listed(self.earlier, "")
            .chain(listed(forced, "        forceString: true\n"))
            .chain(listed(self.single, ""))
            .collect();
        if parameters.is_empty() { String::new() } else { format!("      parameters:\n{parameters}") }
    }

    /// The texts with their names: the manifest first, then the files that are given.
    fn texts(&self) -> Vec<(String, String)> {
        let names = ["one.yaml", "two.yaml"];
        let object = |numbers: &Numbers| values(*numbers).to_string();
        let block = |numbers: &Numbers, indent: usize| {
            let pad = " ".repeat(indent);
            let text = yaml::write(&values(*numbers));
            text.lines().flat_map(|line| [&pad, line, "\n"]).collect::<String>()
        };
        let argo = |inner: &str| {
            let parameters = self.parameters();
            format!(
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: x}}\nspec:\n  sources:\n  - {{ref: r, repoURL: \"https://g/r\"}}\n  - chart: gloo\n    helm:\n      valueFiles: [$r/one.yaml, $r/two.yaml]\n{inner}{parameters}"
            )
        };
        let kustomize = |merge: &str| {
            format!(
                "helmCharts:\n- name: gloo\n  valuesFile: one.yaml\n  additionalValuesFiles: [two.yaml]\n  valuesMerge: {merge}\n  valuesInline: {}\n",
                object(&self.inline)
            )
        };
        let home = match self.tool {
            Tool::Argo | Tool::ArgoForced => argo(&format!("      valuesObject: {}\n", object(&self.inline))),
            Tool::ApplicationSet => {
                let application = argo(&format!("      valuesObject: {}\n", object(&self.inline)));
                let (head, spec) = application.split_once("spec:\n").unwrap();
                let spec: String = spec.lines().flat_map(|line| ["    ", line, "\n"]).collect();
                format!("{}spec:\n  template:\n    spec:\n{spec}", head.replace("Application", "ApplicationSet"))
            }
            Tool::ArgoText => argo(&format!("      values: |\n{}", block(&self.inline, 8))),
            Tool::ArgoBoth => argo(&format!(
                "      valuesObject: {}\n      values: |\n{}",
                object(&self.inline),
                block(&self.other, 8)
            )),
            Tool::Flux => format!(
                "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: x}}\nspec:\n  chart: {{spec: {{chart: gloo}}}}\n  valuesFrom:\n  - {{kind: ConfigMap, name: one}}\n  - {{kind: ConfigMap, name: two}}\n  values: {}\n",
                object(&self.inline)
            ),
            Tool::FluxTarget => {
                let target = |number: u8| {
                    let map = format!(
                        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: single}}\ndata: {{k: \"{number}\"}}\n"
                    );
                    (format!("  - {{kind: ConfigMap, name: single, valuesKey: k, targetPath: {}}}\n", KEYS[0]), map)
                };
                let (target, map) = self.single[0].map(target).unwrap_or_default();
                format!(
                    "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: x}}\nspec:\n  chart: {{spec: {{chart: gloo}}}}\n  valuesFrom:\n  - {{kind: ConfigMap, name: one}}\n{target}  values: {}\n{map}",
                    object(&self.inline)
                )
            }
            Tool::HelmOperator => format!(
                "apiVersion: helm.fluxcd.io/v1\nkind: HelmRelease\nmetadata: {{name: x}}\nspec:\n  chart: {{name: gloo}}\n  valuesFrom:\n  - configMapKeyRef: {{name: one}}\n  - configMapKeyRef: {{name: two}}\n  values: {}\n",
                object(&self.inline)
            ),
            Tool::K3s => {
                let set: serde_json::Map<String, Value> =
                    (0..4).filter_map(|key| Some((KEYS[key].to_owned(), self.single[key]?.into()))).collect();
                format!(
                    "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {{name: x}}\nspec:\n  chart: gloo\n  set: {}\n  valuesContent: |\n{}---\napiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata: {{name: x}}\nspec:\n  valuesContent: |\n{}",
                    Value::Object(set),
                    block(&self.inline, 4),
                    block(&self.other, 4)
                )
            }
            Tool::HelmChartConfig => format!(
                "apiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata: {{name: x}}\nspec:\n  valuesContent: |\n{}",
                block(&self.inline, 4)
            ),
            Tool::KustomizeOverride => kustomize("override"),
            Tool::KustomizeMerge => kustomize("merge"),
            Tool::KustomizeReplace => kustomize("replace"),
            Tool::Files => "# no manifest\n".to_owned(),
        };
        let mut texts = vec![("home.yaml".to_owned(), home)];
        for (name, file) in names.iter().zip(&self.files).filter(|(_, file)| file.is_given) {
            let text = yaml::write(&values(file.numbers));
            let map = || {
                let indented: String = text.lines().flat_map(|line| ["    ", line, "\n"]).collect();
                format!(
                    "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\ndata:\n  values.yaml: |\n{indented}",
                    name.trim_end_matches(".yaml")
                )
            };
            texts.push((
                (*name).to_owned(),
                if matches!(self.tool, Tool::Flux | Tool::FluxTarget | Tool::HelmOperator) {
                    map()
                } else {
                    text.clone()
                },
            ));
        }
        texts
    }
}

/// The values of a source as a tree.
fn values(numbers: Numbers) -> Value {
    let mut values = json!({"other": 1});
    for (key, number) in KEYS.iter().zip(numbers) {
        if let Some(number) = number {
            set::put(&mut values, &set::path(key).unwrap(), number.into());
        }
    }
    values
}

/// The home with its files attached, as the flow attaches those that it finds.
fn home(model: &Model, texts: &[(String, String)]) -> ValuesHome {
    let named: Vec<_> = texts.iter().map(|(name, text)| NamedText { name, text }).collect();
    let found = find(&named, named.len());
    let mut home = match model.tool {
        Tool::Files => of_files(&named, &found.plain[1..]).unwrap(),
        _ => found.homes[0].clone(),
    };
    for source in &mut home.sources {
        if let SourceContent::File(reference) = &source.content {
            let index = texts.iter().position(|(name, _)| *name == reference.path);
            *source = match index {
                Some(index) => of_file(index, named[index]).unwrap(),
                None => ValuesSource::unread(source.origin.clone(), "not given"),
            };
        }
    }
    home
}

/// Whether the value is this number, or its text: that is what `forceString` makes of it.
fn is_number(value: Option<&Value>, number: u8) -> bool {
    value.is_some_and(|value| *value == number || value.as_str().and_then(|text| text.parse().ok()) == Some(number))
}

fn numbers() -> impl Strategy<Value = Numbers> {
    prop::array::uniform4(prop::option::weighted(0.4, 0..9_u8))
}

fn models() -> impl Strategy<Value = Model> {
    let given = || (numbers(), prop::bool::weighted(0.8)).prop_map(|(numbers, is_given)| Given { numbers, is_given });
    let files = [given(), given()];
    (prop::sample::select(TOOLS.to_vec()), files, numbers(), numbers(), [numbers(), numbers()]).prop_map(
        |(tool, mut files, inline, other, [single, earlier])| {
            // Files of Helm itself are all given.
            for file in &mut files {
                file.is_given |= tool == Tool::Files;
            }
            Model { tool, files, inline, other, single, earlier }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn sources_are_merged_by_the_rules_of_each_tool(model in models(), key in 0..4_usize) {
        let texts = model.texts();
        let home = home(&model, &texts);
        let path = set::path(KEYS[key]).unwrap();
        let values = merged(&home.sources);
        match (model.effective(key), decided(&home.sources, &path)) {
            (Err(()), Decided::Unknown(_)) => {}
            (Ok(None), Decided::Nowhere) => prop_assert_eq!(path.get(&values), None),
            (Ok(Some(number)), Decided::By(index)) => {
                prop_assert!(is_number(path.get(&values), number));
                prop_assert!(is_number(path.get(home.sources[index].values().unwrap()), number));
            }
            (wanted, found) => prop_assert!(false, "{:?} {:?}\n{}", wanted, found, texts[0].1),
        }
    }

    #[test]
    fn an_edit_has_its_effect_and_no_other_or_is_refused(model in models(), key in 0..4_usize) {
        let texts = model.texts();
        let before = home(&model, &texts);
        // A number would be refused where the parameter is always text.
        let value: Value = if model.tool == Tool::ArgoForced { "42".into() } else { 42.into() };
        let edit = Edit::set(set::path(KEYS[key]).unwrap(), value);
        let all_given = model.strongest_first().iter().all(|source| source.is_given);
        let placed = match placed(&before.sources, &[edit]) {
            Ok(placed) => placed,
            Err(why) => {
                // A single value of a ConfigMap is read, and not edited.
                let is_single = model.tool == Tool::FluxTarget && matches!(why, Misplaced::NotEdited { .. });
                prop_assert!(!all_given || is_single, "{:?}", why);
                return Ok(());
            }
        };
        let read: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
        let changed = edited(&read, &before.sources, &placed).unwrap();
        let mut new = texts.clone();
        for (index, text) in changed {
            new[index].1 = text;
        }
        let after = home(&model, &new);
        for (other, name) in KEYS.iter().enumerate() {
            let path = set::path(name).unwrap();
            let value = path.get(&merged(&after.sources)).cloned();
            if other == key {
                prop_assert!(is_number(value.as_ref(), 42), "{:?}", new);
                prop_assert!(matches!(decided(&after.sources, &path), Decided::By(_)));
            } else {
                prop_assert_eq!(value, path.get(&merged(&before.sources)).cloned(), "{:?}", new);
            }
        }
    }
}
