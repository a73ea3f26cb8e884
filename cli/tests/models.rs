//! Checkpoints of runs, and what is made of them.

#[path = "support/home.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod home;

use std::fs;

use home::Home;

/// A convolution with batch norm and dropout, which depends on all that a checkpoint holds.
const NET: &str = "
seed = 3
[data]
validation = 200
[model]
input = [8, 8, 1]
[[model.layers]]
name = 'conv'
kind = 'conv2d'
channels = 4
kernel = 3
activation = 'relu'
dropout = 0.1
[[model.layers]]
name = 'norm'
kind = 'batch-norm'
[[model.layers]]
name = 'flat'
kind = 'flatten'
[[model.layers]]
name = 'output'
kind = 'linear'
[optimizer]
learning_rate = 0.01
[train]
batch = 200
threads = 2
reestimate = true
keep_best = true
";

/// All columns but the times.
fn rows(home: &Home, run: &str) -> Vec<String> {
    let row = |line: &str| line.split(',').take(12).collect::<Vec<_>>().join(",");
    let metrics = home.read(&format!("runs/{run}/metrics.csv"));
    metrics.lines().map(row).collect()
}

fn bytes(home: &Home, file: &str) -> Vec<u8> {
    fs::read(home.path().join("runs").join(file)).expect("it was written")
}

#[test]
fn two_epochs_and_two_more_are_four() {
    let home = Home::new();
    home.write("net.toml", NET);
    home.succeeds("train --config net.toml --epochs 4 --name four");
    home.succeeds("train --config net.toml --epochs 2 --name two");
    home.succeeds("train --resume runs/two --epochs 4");
    assert_eq!(rows(&home, "four"), rows(&home, "two"));
    for file in ["last", "best", "model"] {
        let [four, two] =
            ["four", "two"].map(|run| bytes(&home, &format!("{run}/{file}.safetensors")));
        assert!(four == two, "{file}");
    }
    // What is done is done: nothing is learnt any more.
    let before = bytes(&home, "two/last.safetensors");
    home.succeeds("train --resume runs/two/last.safetensors");
    assert!(before == bytes(&home, "two/last.safetensors"));
    assert!(
        home.fails("train --resume runs/two --optimizer sgd")
            .contains("elision.optimizer")
    );
    assert!(home.fails("train --resume runs/none").contains("runs/none"));
    assert!(
        home.fails("train --resume runs/two --seed 1")
            .contains("--seed")
    );
}

#[cfg(unix)]
#[test]
fn a_run_that_ctrl_c_ended_goes_on() {
    let home = Home::new();
    home.write("net.toml", NET);
    let flags = "train --config net.toml --epochs 1000000 --name x --threads 1";
    let child = home
        .command(flags)
        .stderr(std::process::Stdio::null())
        .spawn();
    let mut child = child.expect("it starts");
    let metrics = home.path().join("runs/x/metrics.csv");
    let patience = std::time::Instant::now();
    while !fs::read_to_string(&metrics).is_ok_and(|text| text.lines().count() > 2)
        && patience.elapsed().as_secs() < 60
    {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let id = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(sent.expect("kill is there").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let done = rows(&home, "x").len() - 1;
    // Not one that is over, whatever the machine's speed.
    let epochs = done + 2;
    home.succeeds(&format!("train --resume runs/x --epochs {epochs}"));
    home.succeeds(&format!(
        "train --config net.toml --epochs {epochs} --name y --threads 1"
    ));
    // The epoch that was taken up in its middle has other batches, and all else is the same.
    let scores = |run| {
        let rows = rows(&home, run).into_iter();
        let cells = |row: String| {
            row.split(',')
                .skip(4)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        rows.map(cells).collect::<Vec<_>>()
    };
    assert_eq!(scores("x"), scores("y"));
    assert!(bytes(&home, "x/last.safetensors") == bytes(&home, "y/last.safetensors"));
}

#[test]
fn a_sweep_has_every_seed_and_their_mean() {
    let home = Home::new();
    home.succeeds("train --layers 8 --no-dropout --epochs 1 --threads 1 --seeds 4..6 --name s");
    let summary: serde_json::Value =
        serde_json::from_str(&home.read("runs/s/summary.json")).expect("it is JSON");
    let runs = summary["runs"].as_array().expect("a list");
    let seeds: Vec<_> = runs.iter().map(|run| run["seed"].as_u64()).collect();
    assert_eq!(seeds, [Some(4), Some(5), Some(6)]);
    let errors = runs
        .iter()
        .map(|run| 1.0 - run["test_accuracy"].as_f64().expect("a number"));
    let mean = summary["statistics"][0]["test_error"]["mean"].as_f64();
    assert!((mean.expect("a number") - errors.sum::<f64>() / 3.0).abs() < 1e-12);
    assert!(home.path().join("runs/s/seed5/model.safetensors").exists());
    assert!(home.fails("train --seeds 3..1").contains("--seeds"));
}

#[test]
fn a_model_is_scored_as_its_run_scored_it() {
    let home = Home::new();
    home.succeeds("train --layers 8 --epochs 2 --threads 1 --name s");
    let summary: serde_json::Value =
        serde_json::from_str(&home.read("runs/s/summary.json")).expect("it is JSON");
    let scores = home.succeeds("eval runs/s/model.safetensors --json");
    let scores: serde_json::Value = serde_json::from_str(&scores).expect("it is JSON");
    let run = &summary["runs"][1];
    assert_eq!(scores["rows"].as_u64(), Some(450));
    for (own, theirs) in [
        ("accuracy", "test_accuracy"),
        ("loss", "test_loss"),
        ("nll", "test_nll"),
        ("ece", "test_ece"),
        ("brier", "test_brier"),
    ] {
        assert_eq!(scores[own], run[theirs], "{own}");
    }
    assert!(
        home.succeeds("eval runs/s/last.safetensors")
            .contains("450 rows")
    );
    let message = home.fails("eval runs/s/model.safetensors --data breast-cancer");
    assert!(message.contains("rows of 64 features"), "{message}");
    home.write("not.safetensors", "x");
    assert!(
        home.fails("eval not.safetensors")
            .contains("not.safetensors")
    );
    assert!(
        home.fails("eval none.safetensors")
            .contains("none.safetensors")
    );
}

/// Two columns, of which the first tells the class, on a scale of its own.
fn table(rows: std::ops::Range<u32>) -> String {
    let row = |i| {
        format!(
            "{},{},{}\n",
            100 * (i % 2) + i % 5,
            i,
            ["low", "high"][i as usize % 2]
        )
    };
    "a,b,kind\n".to_owned() + &rows.map(row).collect::<String>()
}

#[test]
fn rows_are_prepared_as_the_training_rows_were() {
    let home = Home::new();
    home.write("t.csv", table(0..80));
    home.succeeds(
        "train --data t.csv --label kind --layers 16 --rates 0.1 --input-rate 0 --epochs 60 --batch 16 --lr 0.01 --threads 1 --name t",
    );
    home.write("more.csv", table(80..120));
    let scores = home.succeeds("eval runs/t/model.safetensors --data more.csv");
    assert!(
        scores.contains("more, 40 rows") && scores.contains("100.00 %"),
        "{scores}"
    );
    let named = "a,b\n3,90\n104,90\n";
    home.write("rows.csv", named);
    home.write("bare.csv", &named[4..]);
    let classes = home.succeeds("predict runs/t/model.safetensors rows.csv");
    let lines: Vec<&str> = classes.lines().collect();
    assert_eq!(lines[0], "class,high,low");
    assert!(
        lines[1].starts_with("low,") && lines[2].starts_with("high,"),
        "{classes}"
    );
    assert_eq!(
        classes,
        home.succeeds("predict runs/t/model.safetensors bare.csv")
    );
    let sampled = "predict runs/t/model.safetensors rows.csv --samples 20";
    let mean = home.succeeds(sampled);
    assert_ne!(classes, mean);
    assert_eq!(mean, home.succeeds(&format!("{sampled} --threads 3")));
    assert_ne!(mean, home.succeeds(&format!("{sampled} --seed 2")));
    home.write("bad.csv", "1,2,3\n");
    assert!(
        home.fails("predict runs/t/model.safetensors bad.csv")
            .contains("expected 2")
    );
    home.write("bad.csv", "1,2\n3,x\n");
    assert!(
        home.fails("predict runs/t/model.safetensors bad.csv")
            .contains("line 2")
    );
    home.write("dot.pgm", "P2 1 1 255\n7\n");
    assert!(
        home.fails("predict runs/t/model.safetensors dot.pgm")
            .contains("no images")
    );
    home.write(
        "other.csv",
        "a,b,kind\n1,2,low\n3,4,middle\n5,6,low\n7,8,low\n",
    );
    let message = home.fails("eval runs/t/model.safetensors --data other.csv");
    assert!(message.contains("no class \"middle\""), "{message}");
}

#[test]
fn a_picture_is_classified() {
    let home = Home::new();
    home.write("net.toml", NET);
    home.succeeds("train --config net.toml --epochs 3 --name x");
    // The strokes of a nought.
    let rows = [
        "0 0 9 9 9 9 0 0",
        "0 9 9 0 0 9 9 0",
        "0 9 0 0 0 0 9 0",
        "0 9 0 0 0 0 9 0",
        "0 9 0 0 0 0 9 0",
        "0 9 0 0 0 0 9 0",
        "0 9 9 0 0 9 9 0",
        "0 0 9 9 9 9 0 0",
    ];
    home.write("0.pgm", format!("P2 8 8 9\n{}\n", rows.join("\n")));
    let dark = rows.map(|row| row.replace('9', "x").replace('0', "9").replace('x', "0"));
    home.write("dark.pgm", format!("P2 8 8 9\n{}\n", dark.join("\n")));
    let light = home.succeeds("predict runs/x/model.safetensors 0.pgm");
    assert_eq!(light.lines().count(), 2);
    assert!(light.starts_with("class,0,1,2,3,4,5,6,7,8,9\n"));
    assert_eq!(
        light,
        home.succeeds("predict runs/x/model.safetensors dark.pgm --invert")
    );
    assert_ne!(
        light,
        home.succeeds("predict runs/x/model.safetensors dark.pgm")
    );
    home.write("large.ppm", format!("P3 2 2 1\n{}", "1 0 0 ".repeat(4)));
    home.succeeds("predict runs/x/model.safetensors large.ppm");
    home.write("torn.png", [0x89, b'P', b'N', b'G', 13, 10, 26, 10, 0]);
    assert!(
        home.fails("predict runs/x/model.safetensors torn.png")
            .contains("torn.png")
    );
}
