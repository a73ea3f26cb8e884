//! The methods of dropout: each word makes a model that trains, is written to the run's folder and read again.

#[path = "support/home.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod home;

use elision_cli::config::{Config, Method};
use home::Home;

const OF_LINEAR: [&str; 14] = [
    "element",
    "unit",
    "input-block:32x16",
    "gaussian",
    "uniform",
    "alpha",
    "drop-connect",
    "shakeout:0.01",
    "concrete",
    "variational",
    "sparse-variational",
    "standout",
    "channel",
    "drop-block:3",
];

#[test]
fn words_come_back() {
    for word in OF_LINEAR.into_iter().chain(["feature-alpha"]) {
        let method: Method = word.parse().expect("a method");
        assert_eq!(method.to_string(), word);
    }
    for word in [
        "",
        "units",
        "drop-block",
        "drop-block:0",
        "input-block:3",
        "shakeout:-1",
        "element:2",
    ] {
        assert!(word.parse::<Method>().is_err(), "{word}");
    }
}

/// All columns but the times.
fn rows(home: &Home, run: &str) -> Vec<String> {
    let metrics = home.read(&format!("runs/{run}/metrics.csv"));
    let rows = metrics.lines();
    rows.map(|line| line.split(',').take(11).collect::<Vec<_>>().join(","))
        .collect()
}

#[test]
fn each_trains_a_network_from_flags() {
    let home = Home::new();
    let train = "train --layers 16 --batch 256 --threads 1 --epochs 2 --rates 0.3 --dropout-method";
    for word in OF_LINEAR {
        let name = word.replace(':', "-");
        home.succeeds(&format!("{train} {word} --name {name}"));
        let shown = home.succeeds(&format!("eval runs/{name}/model.safetensors"));
        assert!(shown.contains("accuracy"), "{shown}");
        // A linear layer has no maps: there, and there alone, elements are dropped.
        let falls_back = ["element", "channel", "drop-block:3"].contains(&word);
        assert_eq!(
            rows(&home, &name) == rows(&home, "element"),
            falls_back,
            "{word}"
        );
    }
}

const CNN: &str = "
seed = 3
[model]
input = [8, 8, 1]
[[model.layers]]
name = 'conv'
kind = 'conv2d'
channels = 4
kernel = 3
padding = 1
activation = 'relu'
dropout = 0.2
[[model.layers]]
name = 'flat'
kind = 'flatten'
[[model.layers]]
name = 'output'
kind = 'linear'
[train]
epochs = 1
batch = 256
threads = 1
";

#[test]
fn each_trains_a_network_of_maps() {
    let home = Home::new();
    home.write("cnn.toml", CNN);
    for word in [
        "element",
        "channel",
        "drop-block:3",
        "gaussian",
        "uniform",
        "alpha",
        "feature-alpha",
    ] {
        let name = word.replace(':', "-");
        home.succeeds(&format!(
            "train --config cnn.toml --dropout-method {word} --name {name}"
        ));
        let same = rows(&home, &name) == rows(&home, "element");
        assert_eq!(same, word == "element", "{word}");
    }
    let message = home.fails("train --config cnn.toml --dropout-method drop-block:9");
    assert!(message.contains("block"), "{message}");
}

#[test]
fn a_layer_that_says_what_it_cannot_do_is_refused() {
    let home = Home::new();
    for (find, put) in [
        ("dropout = 0.2", "dropout = 0.2\ndropout_method = 'unit'"),
        (
            "kind = 'linear'",
            "kind = 'linear'\ndropout_method = 'drop-block:3'",
        ),
        (
            "kind = 'linear'",
            "kind = 'linear'\nbias = false\ndropout_method = 'standout'",
        ),
    ] {
        let text = CNN.replace(find, put);
        home.write("wrong.toml", text.clone());
        let message = home.fails("train --config wrong.toml");
        assert!(message.contains("layer \""), "{message}");
        let config = Config::parse(&text).expect("the words are known");
        assert_eq!(Config::parse(&config.to_toml()), Ok(config));
    }
}

#[test]
fn no_dropout_is_no_method() {
    let home = Home::new();
    home.write(
        "sparse.toml",
        "[[model.layers]]\nname = 'a'\nkind = 'linear'\ndropout_method = 'sparse-variational'\n[train]\nepochs = 1\npenalty_warm_up = [0, 1]\n",
    );
    home.succeeds("train --config sparse.toml --name sparse");
    home.succeeds("train --config sparse.toml --no-dropout --name plain");
    assert!(home.read("runs/plain/config.toml").contains("name = \"a\""));
    assert!(
        !home
            .read("runs/plain/config.toml")
            .contains("sparse-variational")
    );
    assert_ne!(rows(&home, "sparse"), rows(&home, "plain"));
}

#[test]
fn a_run_says_what_its_layers_pruned() {
    let home = Home::new();
    home.write(
        "sparse.toml",
        "
[[model.layers]]
name = 'hidden'
kind = 'linear'
units = 8
dropout_method = 'sparse-variational'
[[model.layers]]
name = 'output'
kind = 'linear'
[train]
epochs = 1
threads = 1
",
    );
    let shown = home.succeeds("train --config sparse.toml --name sparse");
    assert!(
        shown.contains("\ndropout "),
        "noise without a rate is dropout too: {shown}"
    );
    assert!(shown.contains("weights pruned: hidden "), "{shown}");
    let summary = home.read("runs/sparse/summary.json");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("JSON");
    let pruned = &summary["runs"][0]["pruned"];
    assert_eq!(pruned.as_array().map(Vec::len), Some(1), "{pruned}");
    assert_eq!(pruned[0]["weights"], 64 * 8);
    assert!(pruned[0]["kept"].as_u64() <= Some(64 * 8));
}
