//! Drop probabilities over a run, by name, and the methods: flags, files and what a run makes of them.

#[path = "support/home.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod home;

use std::fs;

use elision_cli::config::{Config, Method};
use home::Home;

const TINY: &str = "--layers 16 --batch 256 --threads 1";

/// A column of the rows of the run with dropout.
fn column(home: &Home, run: &str, name: &str) -> Vec<f64> {
    let metrics = home.read(&format!("runs/{run}/metrics.csv"));
    let mut lines = metrics.lines();
    let header = lines.next().expect("a header");
    let at = header.split(',').position(|column| column == name);
    let at = at.expect("the column is there");
    lines
        .filter(|line| line.starts_with("dropout,"))
        .map(|line| line.split(',').nth(at).expect("it is complete").parse())
        .collect::<Result<_, _>>()
        .expect("numbers")
}

/// All columns but the times.
fn rows(home: &Home, run: &str) -> Vec<String> {
    let metrics = home.read(&format!("runs/{run}/metrics.csv"));
    let rows = metrics
        .lines()
        .map(|line| line.split(',').take(12).collect::<Vec<_>>().join(","));
    rows.collect()
}

fn bytes(home: &Home, file: &str) -> Vec<u8> {
    fs::read(home.path().join("runs").join(file)).expect("it was written")
}

#[test]
fn a_schedule_is_followed() {
    let home = Home::new();
    home.succeeds(&format!(
        "train {TINY} --epochs 3 --schedule early-constant:0.4@2 --name early"
    ));
    assert_eq!(column(&home, "early", "drop_rate"), [0.4, 0.4, 0.0]);
    let metrics = home.read("runs/early/metrics.csv");
    let mut without = metrics
        .lines()
        .filter(|line| line.starts_with("no dropout,"));
    assert!(without.all(|line| line.split(',').nth(11) == Some("0")));
    assert!(
        home.read("runs/early/config.toml")
            .contains("rate_schedule = \"early-constant:0.4@2\"")
    );
    // 0.2 of the input and 0.6 of the hidden layer, times a half.
    home.succeeds(&format!(
        "train {TINY} --epochs 1 --rates 0.6 --schedule constant:0.5 --schedule-factor --name half"
    ));
    assert!((column(&home, "half", "drop_rate")[0] - 0.2).abs() < 1e-12);
    // Without dropout from some step on, the run is another one than with it.
    home.succeeds(&format!(
        "train {TINY} --epochs 3 --schedule constant:0.4 --name all"
    ));
    assert_eq!(rows(&home, "early")[..2], rows(&home, "all")[..2]);
    assert_ne!(rows(&home, "early").last(), rows(&home, "all").last());
}

/// Small, with all that a schedule and a controller need.
const NET: &str = "
seed = 3
[data]
validation = 200
[[model.layers]]
name = 'hidden'
kind = 'linear'
units = 24
activation = 'relu'
dropout = 0.3
[[model.layers]]
name = 'output'
kind = 'linear'
[train]
batch = 200
threads = 1
";

#[test]
fn two_epochs_and_two_more_are_four() {
    let home = Home::new();
    for (name, key) in [
        ("early", "rate_schedule = 'early:0.6@3'"),
        ("steps", "rate-schedule = 'late:0.5@15steps'\nr_drop = 0.5"),
        (
            "feedback",
            "rate_schedule = 'feedback:0.3:0.02:1:0.5:0:0:0.05:0:0.8'",
        ),
    ] {
        home.write("net.toml", format!("{NET}{key}\n"));
        let train = "train --config net.toml";
        home.succeeds(&format!("{train} --epochs 4 --name {name}"));
        home.succeeds(&format!("{train} --epochs 2 --name {name}2"));
        home.succeeds(&format!("train --resume runs/{name}2 --epochs 4"));
        assert_eq!(rows(&home, name), rows(&home, &format!("{name}2")));
        for file in ["last", "model"] {
            let [four, two] = [name, &format!("{name}2")]
                .map(|run| bytes(&home, &format!("{run}/{file}.safetensors")));
            assert!(four == two, "{name} {file}");
        }
        let rates = column(&home, name, "drop_rate");
        assert!(
            rates.windows(2).any(|pair| pair[0] != pair[1]),
            "{name}: {rates:?}"
        );
    }
    assert!(
        home.fails("train --resume runs/feedback --schedule feedback:0.3:0.5")
            .contains("elision.rate_controller")
    );
}

#[test]
fn names_set_rates() {
    let home = Home::new();
    home.write("net.toml", NET);
    let flags = "train --config net.toml --epochs 1 --rates 0.4 --rate-pattern out*=0.1 --rate-pattern *t=0.2 --name x";
    home.succeeds(flags);
    let config = Config::parse(&home.read("runs/x/config.toml")).expect("it is sound");
    let text = config.to_toml();
    assert!(
        text.contains("dropout = 0.4") && text.contains("dropout = 0.2"),
        "{text}"
    );
    assert!((column(&home, "x", "drop_rate")[0] - 0.3).abs() < 1e-12);
    for (flag, words) in [
        ("--rate-pattern third=0.1", "third"),
        ("--rate-pattern hidden", "NAME=P"),
        ("--rate-pattern hidden=1.5", "outside"),
    ] {
        let message = home.fails(&format!("train --config net.toml {flag}"));
        assert!(
            message.contains("--rate-pattern") && message.contains(words),
            "{message}"
        );
    }
}

#[test]
fn methods_are_chosen() {
    let home = Home::new();
    let train = format!("train {TINY} --epochs 1");
    home.succeeds(&format!("{train} --name element"));
    home.succeeds(&format!("{train} --dropout-method element --name same"));
    home.succeeds(&format!("{train} --dropout-method unit --name unit"));
    assert_eq!(rows(&home, "element"), rows(&home, "same"));
    assert_ne!(rows(&home, "element"), rows(&home, "unit"));
    assert!(
        home.fails(&format!("{train} --dropout-method units"))
            .contains("element, unit")
    );
    // A file says it for the model, or for a layer.
    let of_layer = NET.replace("dropout = 0.3", "dropout = 0.3\ndropout-method = 'unit'");
    let of_model = NET.replace(
        "[[model.layers]]\nname = 'hidden'",
        "[model]\ndropout_method = 'unit'\n[[model.layers]]\nname = 'hidden'",
    );
    for (name, text) in [("plain", NET), ("layer", &of_layer), ("model", &of_model)] {
        home.write("net.toml", text);
        home.succeeds(&format!("train --config net.toml --epochs 1 --name {name}"));
    }
    assert_eq!(rows(&home, "layer"), rows(&home, "model"));
    assert_ne!(rows(&home, "layer"), rows(&home, "plain"));
    let config = Config::parse(&of_layer).expect("it is sound");
    assert_eq!(config.model.layers[0].method, Some(Method::Unit));
    assert_eq!(Config::parse(&config.to_toml()), Ok(config));
    // What a layer says goes before the flag.
    home.write(
        "net.toml",
        NET.replace("dropout = 0.3", "dropout = 0.3\ndropout_method = 'element'"),
    );
    home.succeeds("train --config net.toml --epochs 1 --dropout-method unit --name own");
    assert_eq!(rows(&home, "own"), rows(&home, "plain"));
    home.write("net.toml", "[[model.layers]]\nname = 'a'\nkind = 'dropout'\nrate = 0.1\ndropout_method = 'unit'\n[[model.layers]]\nname = 'b'\nkind = 'linear'\n");
    let message = home.fails("train --config net.toml");
    assert!(message.contains("layer \"a\": dropout_method"), "{message}");
}

#[test]
fn what_does_not_go_together_is_refused() {
    let home = Home::new();
    home.write("net.toml", NET.replace("validation = 200", ""));
    home.write("none.toml", NET.replace("dropout = 0.3", ""));
    for (flags, words) in [
        ("--schedule warmup:3", "unknown rate schedule"),
        ("--schedule early:0.1@0", "cutoff"),
        ("--schedule early:1.5@3", "outside"),
        ("--schedule feedback:0.9:0.1", "first rate"),
        ("--no-dropout --schedule early:0.1@3", "--schedule"),
        ("--schedule feedback:0.3:0.1", "data.validation"),
        (
            "--config net.toml --schedule feedback:0.3:0.1",
            "data.validation",
        ),
        (
            "--config none.toml --schedule early:0.1@3",
            "no layer drops",
        ),
        ("--lr-schedule early:0.1@3", "unknown schedule"),
    ] {
        let message = home.fails(&format!("train {flags}"));
        assert!(message.contains(words), "{flags}: {message}");
    }
    for (key, words) in [
        ("rate_schedule = 'late'", "rate_schedule"),
        ("rate_factor = 3", "rate_factor"),
        ("r_drop = -1", "from 0 on"),
    ] {
        let fault = Config::parse(&format!("{NET}{key}")).expect_err(key);
        assert!(fault.to_string().contains(words), "{fault}");
    }
}
