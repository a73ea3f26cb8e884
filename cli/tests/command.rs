//! The command as a user runs it: files, exit codes, messages.

#[path = "support/home.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod home;

use std::fs;
use std::process::{Command, Stdio};

use home::Home;

/// Two epochs of a small network.
const TINY: &str = "--layers 16 --epochs 2 --batch 128 --threads 1";

#[test]
fn a_run_writes_its_files() {
    let home = Home::new();
    let output = home.run(TINY);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let table = String::from_utf8(output.stdout).expect("the table is UTF-8");
    for word in [
        "no dropout",
        "dropout",
        "test accuracy",
        "dropout's share",
        "0.2 0.5",
    ] {
        assert!(table.contains(word), "{table}");
    }
    let metrics = home.read("runs/digits-seed1/metrics.csv");
    assert_eq!(metrics.lines().count(), 1 + 2 * 2);
    assert!(metrics.starts_with("run,epoch,batch_loss,"));
    assert!(metrics.ends_with('\n'));
    assert!(
        home.read("runs/digits-seed1/curves.svg")
            .starts_with("<svg")
    );
    let mut files: Vec<_> = fs::read_dir(home.path().join("runs/digits-seed1"))
        .expect("it is there")
        .map(|entry| entry.expect("it is there").file_name())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "config.toml",
            "curves.svg",
            "last.safetensors",
            "metrics.csv",
            "model.safetensors",
            "summary.json"
        ]
    );
}

#[test]
fn the_summary_has_its_fields() {
    let home = Home::new();
    assert!(
        home.run(&format!(
            "train {TINY} --seed 7 --rates 0.25 --input-rate 0 --out a/b --name x"
        ))
        .status
        .success()
    );
    let summary: serde_json::Value =
        serde_json::from_str(&home.read("a/b/x/summary.json")).expect("it is JSON");
    assert_eq!(
        (summary["seed"].as_u64(), summary["threads"].as_u64()),
        (Some(7), Some(1))
    );
    assert_eq!(summary["version"], env!("CARGO_PKG_VERSION"));
    assert!(
        elision::Isa::available()
            .iter()
            .any(|isa| summary["isa"] == isa.to_string())
    );
    let runs = summary["runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0]["rates"], serde_json::json!([0.0, 0.0]));
    assert_eq!(runs[1]["rates"], serde_json::json!([0.0, 0.25]));
    assert_eq!(runs[0]["dropout_share"].as_f64(), Some(0.0));
    for run in runs {
        assert!(run["name"].is_string());
        assert!(run["dropout_share"].as_f64().is_some_and(f64::is_finite));
        assert!(run["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
        for accuracy in ["train_accuracy", "test_accuracy"] {
            assert!(
                run[accuracy]
                    .as_f64()
                    .is_some_and(|part| (0.0..=1.0).contains(&part)),
                "{run}"
            );
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_numbers_for_any_number_of_threads() {
    let home = Home::new();
    let numbers = |flags: &str, name: &str| {
        assert!(
            home.run(&format!("--layers 16 --epochs 2 {flags} --name {name}"))
                .status
                .success()
        );
        let metrics = home.read(&format!("runs/{name}/metrics.csv"));
        // All columns but the times.
        let row = |line: &str| line.split(',').take(11).collect::<Vec<_>>().join(",");
        metrics.lines().map(row).collect::<Vec<_>>()
    };
    let one = numbers("--threads 1", "a");
    assert_eq!(one, numbers("--threads 3", "b"));
    assert_ne!(one, numbers("--threads 1 --seed 2", "c"));
}

#[test]
fn a_default_name_that_is_taken_gets_a_number() {
    let home = Home::new();
    for _ in 0..2 {
        assert!(home.run(TINY).status.success());
    }
    assert!(home.path().join("runs/digits-seed1/summary.json").exists());
    assert!(
        home.path()
            .join("runs/digits-seed1-2/summary.json")
            .exists()
    );
}

#[test]
fn the_second_embedded_set_is_learnt() {
    let home = Home::new();
    let output = home.run(&format!("--data breast-cancer {TINY}"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        home.path()
            .join("runs/breast-cancer-seed1/summary.json")
            .exists()
    );
}

#[test]
fn a_csv_file_is_learnt() {
    let home = Home::new();
    let row = |i: u32| {
        format!(
            "{},{},{}\n",
            i % 7,
            i,
            if i.is_multiple_of(2) { "even" } else { "odd" }
        )
    };
    home.write(
        "some numbers.csv",
        "a,b,kind\n".to_owned() + &(0..40).map(row).collect::<String>(),
    );
    let output = home
        .command(TINY)
        .args(["--data", "some numbers.csv", "--label", "kind"])
        .output();
    let output = output.expect("the command starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        home.read("runs/some-numbers-seed1/metrics.csv")
            .lines()
            .count(),
        5
    );
}

/// IDX files of `images` images of 4 pixels.
fn idx(home: &Home, prefix: &str, images: u8) {
    let pixels = (0..images * 4).map(|pixel| pixel.wrapping_mul(17));
    let header = [0, 0, 8, 3, 0, 0, 0, images, 0, 0, 0, 2, 0, 0, 0, 2];
    home.write(
        &format!("{prefix}-images-idx3-ubyte"),
        header.into_iter().chain(pixels).collect::<Vec<_>>(),
    );
    let labels = [0, 0, 8, 1, 0, 0, 0, images]
        .into_iter()
        .chain((0..images).map(|i| i % 10));
    home.write(
        &format!("{prefix}-labels-idx1-ubyte"),
        labels.collect::<Vec<_>>(),
    );
}

#[test]
fn idx_files_are_learnt() {
    let home = Home::new();
    idx(&home, "train", 20);
    idx(&home, "t10k", 10);
    let output = home.run(&format!("--data fashion-mnist --data-dir . {TINY}"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        home.path()
            .join("runs/fashion-mnist-seed1/summary.json")
            .exists()
    );
}

#[test]
fn faults_of_idx_files_name_the_file_and_the_place() {
    let home = Home::new();
    idx(&home, "train", 20);
    idx(&home, "t10k", 10);
    let mnist = "--data mnist --data-dir .";
    let whole = fs::read(home.path().join("t10k-images-idx3-ubyte")).expect("it was written");
    home.write("t10k-images-idx3-ubyte", &whole[..30]);
    let message = home.fails(mnist);
    assert!(
        message
            .contains("t10k-images-idx3-ubyte: truncated in item 3 of 10: ends at byte 30 of 56"),
        "{message}"
    );
    home.write("t10k-images-idx3-ubyte", &whole);
    home.write("t10k-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, 1, 3]);
    let message = home.fails(mnist);
    assert!(
        message.contains("t10k-labels-idx1-ubyte: 1 labels for 10 images"),
        "{message}"
    );
    home.write(
        "train-labels-idx1-ubyte",
        [[0, 0, 8, 1, 0, 0, 0, 20].as_slice(), &[10; 20]].concat(),
    );
    let message = home.fails(mnist);
    assert!(
        message.contains("train-labels-idx1-ubyte: item 0: label 10 is not one of 0 to 9"),
        "{message}"
    );
    let message = home.fails("--data mnist --data-dir nowhere");
    assert!(
        message.contains("nowhere/train-images-idx3-ubyte: No such file"),
        "{message}"
    );
}

#[test]
fn faults_of_csv_files_name_the_file_and_the_place() {
    let home = Home::new();
    home.write("t.csv", "a,y\n1,0\nNaN,1\n");
    let message = home.fails("--data t.csv --label y");
    assert_eq!(
        message,
        "elision: t.csv: line 3, column \"a\": \"NaN\" is not a finite number\n"
    );
    let message = home.fails("--data t.csv --label z");
    assert_eq!(
        message,
        "elision: t.csv: no column \"z\"; the columns are a, y\n"
    );
    home.write("one.csv", "a,y\n1,0\n2,1\n");
    let message = home.fails("--data one.csv --label y --test-fraction 0.01");
    assert!(
        message.starts_with("elision: one.csv: 2 rows cannot be split"),
        "{message}"
    );
    assert!(
        home.fails("--data absent.csv --label y")
            .contains("absent.csv: No such file")
    );
    assert!(home.fails("--data . --label y").contains("elision: .: "));
}

#[test]
fn flags_that_cannot_be_used_are_one_line() {
    let home = Home::new();
    for (flags, part) in [
        ("--rates NaN", "NaN"),
        ("--rates -0.1", "-0.1"),
        ("--rates 1.5", "1.5"),
        ("--input-rate 1.5", "outside [0, 1]"),
        ("--rates 0.1,0.2,0.3", "3 rates for 2 hidden layers"),
        ("--layers=", "--layers"),
        ("--layers 0", "--layers"),
        ("--layers 8,,8", "--layers"),
        ("--layers 99999999999999", "parameters"),
        ("--epochs 0", "--epochs"),
        ("--batch 0", "--batch"),
        ("--threads 0", "--threads"),
        ("--threads 99999999", "--threads"),
        ("--learning-rate 0", "--learning-rate"),
        ("--learning-rate inf", "--learning-rate"),
        ("--learning-rate -1", "--learning-rate"),
        ("--momentum 0.5", "--momentum"),
        ("--optimizer lion", "lion"),
        ("--activation swish", "swish"),
        ("--data mnist", "--data-dir"),
        ("--data digitz", "digitz"),
        ("--data t.csv", "--label"),
        ("--data x.npy", "the NPY file of labels"),
        ("--data x.npz --label y", "NPZ"),
        ("--data x.npy --label y.npy --no-header", "--no-header"),
        ("--data adult --test-fraction 0.5", "--test-fraction"),
        ("--data breast-cancer --data-dir .", "--data-dir"),
        ("--label y", "--label"),
        (
            "--test-fraction 1.5 --data t.csv --label y",
            "--test-fraction",
        ),
        ("--name ../x", "--name"),
        ("--wrong", "--wrong"),
        ("mask --seed 1 --p 2 --bits 8", "outside [0, 1]"),
        ("mask --p 0.5", "--seed"),
    ] {
        let message = home.fails(flags);
        assert!(message.contains(part), "{flags}: {message}");
    }
}

#[test]
fn an_output_folder_that_cannot_be_made_is_found_before_training() {
    let home = Home::new();
    home.write("runs", "a file");
    let message = home.fails("--epochs 1000000");
    assert!(message.starts_with("elision: runs"), "{message}");
    assert_eq!(home.read("runs"), "a file");
}

#[test]
fn an_unknown_instruction_set_is_an_error() {
    let home = Home::new();
    for flags in ["info", TINY] {
        let output = home
            .command(flags)
            .env("ELISION_MAX_ISA", "sse9")
            .output()
            .expect("the command starts");
        assert_eq!(output.status.code(), Some(2));
        assert!(home.files().is_empty());
    }
}

#[test]
fn info_lists_every_level() {
    let output = Home::new().run("info");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("it is UTF-8");
    for word in [
        "scalar", "portable", "avx2", "avx512", "in use", "cores", "cache", "mr", "nc",
    ] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn mask_bits_are_the_library_s() {
    let home = Home::new();
    let output = home.run("mask --seed 5 --p 0.3 --bits 1001");
    assert!(output.status.success());
    let dropout = elision::Dropout::new(elision::Key::new(5), 0.3).expect("a probability");
    let mask = elision::Mask::draw(&dropout, 1008).expect("it fits");
    assert_eq!(output.stdout, mask.to_bytes());
    assert!(home.run("mask --seed 5 --p 0.3 --bits 0").stdout.is_empty());
}

/// Standard output whose reader has gone.
#[cfg(unix)]
#[test]
fn a_broken_pipe_is_quiet() {
    let home = Home::new();
    for flags in ["mask --seed 1 --p 0.5", "info", "--help"] {
        let mut child = home
            .command(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{flags}: {output:?}"
        );
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_whole_rows() {
    let home = Home::new();
    let mut child = home.command("--layers 32 --epochs 1000000 --threads 1");
    let child = child
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let metrics = home.path().join("runs/digits-seed1/metrics.csv");
    let begun = || fs::read_to_string(&metrics).is_ok_and(|text| text.lines().count() > 2);
    let patience = std::time::Instant::now();
    while !begun() && patience.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill is there");
    assert!(sent.success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    let text = fs::read_to_string(&metrics).expect("it stays");
    let columns = text.lines().next().expect("a header").matches(',').count();
    assert!(text.ends_with('\n') && text.lines().count() > 2);
    assert!(
        text.lines()
            .all(|line| line.matches(',').count() == columns)
    );
    assert!(!metrics.with_file_name("summary.json").exists());
}
