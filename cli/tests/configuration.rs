//! Files of configuration.

#[path = "support/home.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod home;

use std::fs;
use std::path::Path;

use elision_cli::config::{Config, Kind};
use home::Home;

#[test]
fn every_example_reads_and_writes_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut count = 0;
    for file in fs::read_dir(folder).expect("it is there") {
        let path = file.expect("it is there").path();
        let text = fs::read_to_string(&path).expect("it can be read");
        let config = Config::parse(&text);
        let config = config.unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        assert_eq!(Config::parse(&config.to_toml()), Ok(config));
        count += 1;
    }
    assert_eq!(count, 8);
}

/// A layer with everything after its name.
fn layer(settings: &str) -> String {
    format!("[[model.layers]]\nname = 'a'\n{settings}\n")
}

#[test]
fn all_kinds_of_layers_write_back() {
    for (settings, name) in [
        (
            "kind = 'linear'\nunits = 3\nactivation = 'gelu'\ndropout = 0.5\nbias = false",
            "linear",
        ),
        ("kind = 'linear'\nresidual = true", "linear"),
        ("kind = 'dropout'\nrate = 1", "dropout"),
        (
            "kind = 'conv2d'\nchannels = 4\nkernel = [3, 5]\nstride = 2\npadding = [1, 2]\ndilation = 1\ngroups = 2",
            "conv2d",
        ),
        ("kind = 'max-pool2d'\nkernel = 2", "max-pool2d"),
        ("kind = 'avg-pool2d'\nkernel = 2\nstride = 1", "avg-pool2d"),
        ("kind = 'flatten'", "flatten"),
        ("kind = 'layer-norm'", "layer-norm"),
        ("kind = 'rms-norm'", "rms-norm"),
        ("kind = 'batch-norm'", "batch-norm"),
        ("kind = 'activation'\nactivation = 'tanh'", "activation"),
        (
            "kind = 'residual'\nlayers = [{ name = 'b', kind = 'flatten' }]",
            "residual",
        ),
    ] {
        let config = Config::parse(&layer(settings)).expect("it is sound");
        assert_eq!(config.model.layers[0].kind.name(), name);
        assert_eq!(Config::parse(&config.to_toml()), Ok(config));
    }
}

#[test]
fn pools_lie_side_by_side() {
    let config =
        Config::parse(&layer("kind = 'max-pool2d'\nkernel = [2, 3]")).expect("it is sound");
    let Kind::MaxPool2d(window) = config.model.layers[0].kind else {
        panic!("it is a pool");
    };
    assert_eq!(window.stride, [2, 3]);
}

#[test]
fn a_fault_has_its_line_and_key() {
    for (text, line, words) in [
        ("seed = -1", 1, "seed = -1"),
        ("[train]\nbatch = 0", 2, "above 0"),
        ("[train]\nepochs = 'x'", 2, "epochs"),
        ("[train]\nthreads = 9999", 2, "1024"),
        ("[train]\nwatch = 'speed'", 2, "watch"),
        ("[train]\nloss = 'huber'", 2, "loss"),
        ("[train]\nrate_schedule = 'sine'", 2, "rate_schedule"),
        (
            "[model]\nlayers = []\ndropout_method = 'x'",
            3,
            "dropout_method",
        ),
        ("[modl]", 1, "modl"),
        ("[optimizer]\nrule = 'lion'", 2, "rule"),
        ("[optimizer]\nlearning_rate = 0", 2, "above 0"),
        ("[optimizer]\nlearning_rate = nan", 2, "above 0"),
        ("[optimizer]\nmomentum = 1.0", 2, "below 1"),
        ("[optimizer]\nschedule = 'sine'", 2, "schedule"),
        ("[data]\nvalidation = 0", 2, "validation"),
        ("[data]\nvalidation = 1.5", 2, "validation"),
        ("[data]\ntest_fraction = 1", 2, "test_fraction"),
        ("[model]\nlayers = []\ninit = 'ones'", 3, "init"),
        (
            "[[model.layers]]\nname = 'a'\nkind = 'linear'\nunitz = 3",
            4,
            "unitz",
        ),
        (
            "[[model.layers]]\nname = 'a'\nkind = 'linear'\ndropout = 1.5",
            4,
            "dropout",
        ),
        ("[[model.layers]]\nname = 'a'\nkind = 'lineal'", 1, "lineal"),
        (
            "[[model.layers]]\nname = 'a'\nkind = 'dropout'",
            1,
            "\"rate\" is missing",
        ),
        (
            "[[model.layers]]\nname = 'a'\nkind = 'flatten'\nkernel = 3",
            1,
            "no setting of kind",
        ),
        (
            "[[model.layers]]\nname = 'a'\nkind = 'conv2d'\nkernel = [1]",
            4,
            "kernel",
        ),
        ("[train", 1, "train"),
    ] {
        let fault = Config::parse(text).expect_err(text);
        assert_eq!(fault.line(), Some(line), "{text}: {fault}");
        let message = fault.to_string();
        assert!(message.contains(words), "{text}: {message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn the_command_names_the_file() {
    let home = Home::new();
    home.write("a.toml", "[train]\nbatch = 0\n");
    let message = home.fails("train --config a.toml");
    assert!(
        message.starts_with("elision: a.toml: line 2, \"batch = 0\": "),
        "{message}"
    );
    assert!(home.fails("train --config b.toml").contains("b.toml"));
    for (text, words) in [
        (
            "[optimizer]\nmomentum = 0.5\n",
            "optimizer.momentum: adam has none",
        ),
        (
            "[optimizer]\nrule = 'sgd'\nbeta1 = 0.5\n",
            "optimizer.beta1: sgd has none",
        ),
        ("[train]\npatience = 3\n", "data.validation"),
        ("[train]\nloss = 'mse'\n", "cross-entropy"),
        ("[data]\nset = 'digitz'\n", "digitz"),
        ("[data]\ntest_fraction = 0.5\n", "--test-fraction"),
    ] {
        home.write("a.toml", layer("kind = 'linear'") + text);
        let message = home.fails("train --config a.toml");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_model_that_does_not_fit_names_its_layer() {
    let home = Home::new();
    for (text, words) in [
        (
            layer("kind = 'linear'\nunits = 9"),
            "layer \"a\": the model ends with 9, expected 10",
        ),
        (
            layer("kind = 'conv2d'\nchannels = 2\nkernel = 3"),
            "layer \"a\": a window slides over images",
        ),
        (
            layer("kind = 'linear'\nresidual = true"),
            "layer \"a\": a residual layer",
        ),
        ("[model]\nlayers = []\n".to_owned(), "expected 10"),
        (
            "[model]\ninput = [8, 7]\nlayers = []\n".to_owned(),
            "model.input",
        ),
        (
            layer("kind = 'linear'") + &layer("kind = 'linear'"),
            "layer \"a\"",
        ),
    ] {
        home.write("a.toml", text);
        let message = home.fails("train --config a.toml");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn flags_go_before_the_file() {
    let home = Home::new();
    home.write(
        "net.toml",
        layer("kind = 'dropout'\nrate = 0.1")
            + "[[model.layers]]\nname = 'h'\nkind = 'linear'\nunits = 8\ndropout = 0.2\n"
            + "[[model.layers]]\nname = 'o'\nkind = 'linear'\n[optimizer]\nrule = 'sgd'\nmomentum = 0.5\n",
    );
    home.succeeds(
        "train --config net.toml --epochs 1 --batch 99 --seed 5 --threads 1 --rate 0.4 --input-rate 0.3 \
         --optimizer adamw --lr-schedule warmup:3+cosine --max-norm 2 --learning-rate 0.01 --validation 100",
    );
    let text = home.read("runs/net-seed5/config.toml");
    let config = Config::parse(&text).expect("it is sound");
    assert_eq!(
        (config.seed, config.train.batch, config.train.epochs),
        (5, 99, Some(1))
    );
    assert!(
        text.contains("rate = 0.3") && text.contains("dropout = 0.4"),
        "{text}"
    );
    assert!(
        text.contains("rule = \"adamw\"") && !text.contains("momentum"),
        "{text}"
    );
    assert_eq!(config.optimizer.max_norm, Some(2.0));
    assert_eq!(config.optimizer.schedule.to_string(), "warmup:3+cosine");
    let metrics = home.read("runs/net-seed5/metrics.csv");
    assert_eq!(metrics.lines().count(), 2, "one run");
    home.succeeds("train --config net.toml --epochs 1 --threads 1 --no-dropout --name none");
    assert!(
        home.read("runs/none/metrics.csv")
            .contains("\nno dropout,1,")
    );
    assert!(
        home.fails("train --config net.toml --layers 8")
            .contains("--layers")
    );
    assert!(
        home.fails("train --config net.toml --rates 0.1,0.2")
            .contains("1 hidden layers")
    );
}

#[test]
fn what_nests_as_deep_as_can_be_read_writes_back() {
    let nested = |depth: usize| {
        let inner = (0..depth).fold("{ name = 'a', kind = 'flatten' }".to_owned(), |inner, _| {
            format!("{{ name = 'a', kind = 'residual', layers = [{inner}] }}")
        });
        Config::parse(&format!("[model]\nlayers = [{inner}]"))
    };
    let deepest = (0..1000).map_while(|depth| nested(depth).ok()).last();
    let config = deepest.expect("one layer can be read");
    assert_eq!(Config::parse(&config.to_toml()), Ok(config));
}

#[test]
fn the_readme_s_files_can_be_read() {
    let readme = include_str!("../README.md");
    let blocks: Vec<&str> = readme.split("```toml\n").skip(1).collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let text = block.split("```").next().expect("there is a first part");
        Config::parse(text).unwrap_or_else(|fault| panic!("{fault}"));
    }
}
