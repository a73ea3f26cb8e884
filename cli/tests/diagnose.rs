//! `elision diagnose`, on a tiny run.

#[path = "support/home.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod home;

use home::Home;

const TINY: &str = "diagnose --layers 16 --epochs 2 --batch 128 --batches 4 --points 6";

/// The cells of a row by the names of the header.
fn column(csv: &str, name: &str) -> Vec<String> {
    let mut lines = csv.lines();
    let head = lines.next().expect("a header");
    let at = head.split(',').position(|column| column == name);
    let at = at.unwrap_or_else(|| panic!("{name} in {head}"));
    let cell = |line: &str| line.split(',').nth(at).expect("a cell").to_owned();
    lines.map(cell).collect()
}

fn numbers(csv: &str, name: &str) -> Vec<f64> {
    let cells = column(csv, name).into_iter();
    cells.map(|cell| cell.parse().expect(name)).collect()
}

#[test]
fn both_runs_are_measured_at_the_same_steps() {
    let home = Home::new();
    let table = home.succeeds(&format!("{TINY} --threads 1"));
    for word in [
        "no dropout",
        "GDV",
        "GDE",
        "gradient norm",
        "realised",
        "hidden1",
    ] {
        assert!(table.contains(word), "{word} in {table}");
    }
    let folder = home.path().join("runs/digits-diagnose");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("it is there")
        .map(|entry| entry.expect("it is there").file_name())
        .collect();
    files.sort();
    assert_eq!(files, ["config.toml", "diagnose.csv", "diagnose.svg"]);
    let svg = home.read("runs/digits-diagnose/diagnose.svg");
    assert!(svg.starts_with("<svg"));
    let csv = home.read("runs/digits-diagnose/diagnose.csv");
    // 1347 rows in batches of 128 are 11 steps an epoch.
    let steps = ["0", "1", "2", "5", "10", "22"];
    assert_eq!(column(&csv, "step"), [steps, steps].concat(), "{csv}");
    assert_eq!(numbers(&csv, "epoch")[5], 2.0);
    for name in ["gdv", "gde"] {
        let values = numbers(&csv, name);
        assert!(
            values.iter().all(|value| (0.0..=1.0).contains(value)),
            "{csv}"
        );
    }
    for name in ["gradient_norm", "full_gradient_norm", "loss"] {
        assert!(
            numbers(&csv, name).iter().all(|&value| value > 0.0),
            "{csv}"
        );
    }
    let far = numbers(&csv, "distance");
    assert!(far[0] == 0.0 && far[5] > far[1] && far[1] > 0.0, "{csv}");
    // Both begin with the same weights, at which the full gradient has no dropout.
    for name in ["full_gradient_norm", "loss"] {
        let values = column(&csv, name);
        assert_eq!(values[0], values[6], "{name}: {csv}");
    }
    let norms = column(&csv, "gradient_norm");
    assert_ne!(norms[0], norms[6], "masks are drawn");
}

#[test]
fn any_number_of_threads_measures_the_same() {
    let home = Home::new();
    for threads in [1, 3] {
        home.succeeds(&format!("{TINY} --threads {threads} --name t{threads}"));
    }
    for file in ["diagnose.csv", "diagnose.svg"] {
        let [one, three] = [1, 3].map(|threads| home.read(&format!("runs/t{threads}/{file}")));
        assert!(one == three, "{file}");
    }
}

#[test]
fn seeds_have_a_mean() {
    let home = Home::new();
    let table = home.succeeds(&format!("{TINY} --threads 1 --seeds 4,6 --name s"));
    assert!(
        table.contains(" ± ") && table.contains("over 2 seeds"),
        "{table}"
    );
    let csv = home.read("runs/s/diagnose.csv");
    assert_eq!(csv.lines().count(), 1 + 2 * 2 * 6);
    let means = home.read("runs/s/diagnose-mean.csv");
    assert_eq!(means.lines().count(), 1 + 2 * 6);
    let each = numbers(&csv, "gdv");
    let mean = numbers(&means, "gdv_mean");
    assert!(
        (mean[3] - (each[3] + each[15]) / 2.0).abs() < 1e-6,
        "{means}"
    );
    // A seed alone is measured as among others, and its results take the place of theirs.
    home.succeeds(&format!("{TINY} --threads 1 --seed 6 --name s"));
    let alone = home.read("runs/s/diagnose.csv");
    let own: Vec<&str> = csv.lines().filter(|line| line.starts_with("6,")).collect();
    assert_eq!(alone.lines().skip(1).collect::<Vec<_>>(), own);
    assert!(!home.path().join("runs/s/diagnose-mean.csv").exists());
}

#[test]
fn a_model_without_dropout_is_one_run() {
    let home = Home::new();
    let config = "
[[model.layers]]
name = 'norm'
kind = 'batch-norm'
[[model.layers]]
name = 'output'
kind = 'linear'
[train]
batch = 200
epochs = 1
threads = 1
";
    home.write("net.toml", config);
    let table = home.succeeds("diagnose --config net.toml --batches 2 --points 2");
    assert!(!table.contains("realised"), "{table}");
    let csv = home.read("runs/net-diagnose/diagnose.csv");
    assert_eq!(column(&csv, "run"), ["no dropout", "no dropout"]);
    assert_eq!(column(&csv, "step"), ["0", "7"]);
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let home = Home::new();
    for (flags, word) in [
        ("diagnose --batches 1", "--batches"),
        ("diagnose --points 1", "--points"),
        ("diagnose --points x", "--points"),
        ("diagnose --resume runs/x", "--resume"),
        ("diagnose --config none.toml", "none.toml"),
    ] {
        let message = home.fails(flags);
        assert!(message.contains(word), "{flags}: {message}");
    }
    let help = home.succeeds("diagnose --help");
    for word in [
        "GDV",
        "GDE",
        "--batches",
        "--points",
        "2303.01500",
        "--seeds",
    ] {
        assert!(help.contains(word), "{word} in {help}");
    }
}
