//! `elision data`: what sets there are, and bringing one onto this machine.

mod catalog;
mod place;
mod routes;
mod wheel;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::args::{DataCommand, FetchArgs};
use crate::data::folder;
use crate::failure::{Failure, one_line};
use catalog::{Origin, Published, SETS, Set};

pub(crate) fn run(command: &DataCommand) -> Result<ExitCode, Failure> {
    match command {
        DataCommand::List => list(),
        DataCommand::Fetch(args) => fetch(args).map(|()| ExitCode::SUCCESS),
    }
}

fn list() -> Result<ExitCode, Failure> {
    let mut text = format!(
        "{:<14} {:>8} {:>8} {:>8} {:>7}  {:<11}  {:<8}  source\n",
        "set", "train", "test", "features", "classes", "licence", "here"
    );
    SETS.iter().for_each(|set| text.push_str(&line(set)));
    if let Some(folder) = folder::of("SET") {
        text.push_str(&format!("\nfetched sets are in {}\n", folder.display()));
    }
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(source) => Failure::stdout(source).map_or(Ok(ExitCode::SUCCESS), Err),
    }
}

fn line(set: &Set) -> String {
    let here = match &set.origin {
        None => "embedded",
        Some(origin) if is_present(set.name, origin) => "yes",
        Some(_) => "no",
    };
    let Set {
        name,
        rows: [train, test],
        features,
        classes,
        licence,
        source,
        ..
    } = set;
    format!(
        "{name:<14} {train:>8} {test:>8} {features:>8} {classes:>7}  {licence:<11}  {here:<8}  {source}\n"
    )
}

/// Whether the files are where `--data` looks for them. Their content is checked when they are fetched.
fn is_present(name: &str, origin: &Origin) -> bool {
    let Some(folder) = folder::of(name) else {
        return false;
    };
    origin
        .files
        .iter()
        .all(|file| folder.join(file.name).exists())
}

fn fetch(args: &FetchArgs) -> Result<(), Failure> {
    let (set, origin) = find(&args.set)?;
    let folder = args.data_dir.clone().or_else(|| folder::of(set.name));
    let folder = folder.ok_or_else(|| {
        Failure::Flags("there is no home folder: give --data-dir or set ELISION_DATA".to_owned())
    })?;
    fs::create_dir_all(&folder).map_err(|source| Failure::Folder {
        path: folder.clone(),
        source,
    })?;
    let fetch = Fetch { origin, folder };
    let missing = fetch.missing();
    if missing.is_empty() {
        say(&format!("{} is in {}", set.name, fetch.folder.display()));
        return Ok(());
    }
    let places = missing.iter().map(|file| fetch.folder.join(file.name));
    for place in places.filter(|place| place.exists()) {
        let place = place.display();
        say(&format!("{place}: not the published file, to be replaced"));
    }
    fetch.run().map_err(|source| Failure::System {
        what: "data fetch",
        source,
    })
}

/// The set of that name and its origin.
fn find(name: &str) -> Result<(&'static Set, &'static Origin), Failure> {
    let fetched = SETS
        .iter()
        .filter_map(|set| Some((set, set.origin.as_ref()?)));
    let mut named = fetched.clone().filter(|(set, _)| set.name == name);
    named.next().ok_or_else(|| {
        let names: Vec<&str> = fetched.map(|(set, _)| set.name).collect();
        Failure::Flags(format!(
            "data fetch {name}: the sets that can be fetched are {}",
            names.join(", ")
        ))
    })
}

/// A line of progress; that nobody reads it is not a fault.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A set on its way into a folder.
struct Fetch {
    origin: &'static Origin,
    folder: PathBuf,
}

type Route = fn(&Origin, &Path) -> Result<Vec<PathBuf>, String>;

impl Fetch {
    /// The files that are not in the folder as they were published.
    fn missing(&self) -> Vec<&'static Published> {
        let is_missing =
            |file: &&Published| !place::is_published(&self.folder.join(file.name), file);
        self.origin.files.iter().filter(is_missing).collect()
    }

    /// Tries each route until all files are in place.
    fn run(&self) -> io::Result<()> {
        let routes: [(String, Route); 2] = [
            (format!("curl {}", self.origin.address), routes::by_address),
            (
                routes::package_route(&self.origin.package),
                routes::by_package,
            ),
        ];
        for (name, route) in routes {
            say(&format!("trying: {name}"));
            let scratch = tempfile::tempdir()?;
            match route(self.origin, scratch.path()).and_then(|found| self.place(&found)) {
                Ok(()) => return Ok(()),
                Err(fault) => say(&format!("failed: {}", one_line(&fault))),
            }
        }
        Err(io::Error::other(self.by_hand()))
    }

    /// Puts the files, found in the order of the origin's, in place.
    fn place(&self, found: &[PathBuf]) -> Result<(), String> {
        for (file, found) in self.origin.files.iter().zip(found) {
            place::put(found, file, &self.folder)?;
            let place = self.folder.join(file.name);
            say(&format!("{}: SHA-256 as published", place.display()));
        }
        Ok(())
    }

    fn by_hand(&self) -> String {
        let Origin {
            address, ending, ..
        } = self.origin;
        let missing = self.missing();
        let names: Vec<String> = missing
            .iter()
            .map(|file| format!("{}{ending}", file.name))
            .collect();
        format!(
            "no route worked; download {} from {address} and put them under these names into {}",
            names.join(", "),
            self.folder.display()
        )
    }
}
