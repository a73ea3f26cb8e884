//! A process for each number of threads: some libraries fix theirs when they are loaded.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use elision::Isa;

use crate::args::Args;
use crate::failure::Failure;
use crate::measure::measure as measure_one;
use crate::peer::Peer;
use crate::peers;
use crate::places::Places;
use crate::record::{Description, Missing, Record};
use crate::timing::Plan;
use crate::work::Work;

/// Variables that say how many threads to use.
const THREADS: [&str; 6] = [
    "CANDLE_NUM_THREADS",
    "MATMUL_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
];

/// How long a peer's idle threads spin before they sleep: about a millisecond. Over a side's many calls they
/// stay awake, and the pause before the next side sees them asleep.
const SPINNING: [(&str, &str); 3] = [
    ("GOMP_SPINCOUNT", "20000"),
    ("KMP_BLOCKTIME", "1"),
    ("OPENBLAS_THREAD_TIMEOUT", "21"),
];

/// Variables that would change the above.
const CLEARED: [&str; 4] = [
    "GOMP_CPU_AFFINITY",
    "KMP_AFFINITY",
    "OMP_PROC_BIND",
    "OMP_WAIT_POLICY",
];

/// Runs this program again with one number of threads.
pub(crate) fn spawn(threads: usize) -> Result<Record, Failure> {
    let what = "this program, started again";
    let program = std::env::current_exe().map_err(Failure::system(what))?;
    let count = threads.to_string();
    let mut command = Command::new(program);
    command.args(arguments_without_threads());
    command.args(["--child", "--threads", &count]);
    command.envs(THREADS.map(|name| (name, &count)));
    command.envs(SPINNING);
    for name in CLEARED {
        command.env_remove(name);
    }
    let child = command.stdout(Stdio::piped()).spawn();
    let output = child.and_then(|child| child.wait_with_output());
    let output = output.map_err(Failure::system(what))?;
    if !output.status.success() {
        let status = output.status;
        return Err(Failure::Child { threads, status });
    }
    serde_json::from_slice(&output.stdout).map_err(|source| Failure::Json { what, source })
}

/// The arguments of this process without `--threads`, which the child has only one of.
fn arguments_without_threads() -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--threads" {
            arguments.next();
        } else if !argument.to_string_lossy().starts_with("--threads=") {
            kept.push(argument);
        }
    }
    kept
}

/// The child's part: measures everything on the threads of one pool and prints the record.
pub(crate) fn measure(args: &Args) -> Result<(), Failure> {
    let threads = args.threads[0];
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build_global()?;
    // Inside the pool, so that our calls and those of the peers that use rayon do not change threads.
    let mut result = None;
    rayon::scope(|_| result = Some(measure_here(args, threads)));
    let record = result.transpose()?;
    let text = serde_json::to_string(&record);
    let what = "the record";
    println!("{}", text.map_err(|source| Failure::Json { what, source })?);
    Ok(())
}

fn measure_here(args: &Args, threads: usize) -> Result<Record, Failure> {
    let (peers, missing) = peers::all(&Places::find(args), threads);
    let plan = Plan::new(args.quick, threads);
    missing.iter().for_each(announce);
    let mut rows = Vec::new();
    for work in Work::all() {
        let label = work.label();
        if args.only.as_ref().is_some_and(|text| !label.contains(text)) {
            continue;
        }
        eprintln!("threads: {threads}; {label}");
        rows.push(measure_one(work, &peers, &plan)?);
    }
    Ok(Record {
        threads,
        isa: Isa::best()?.to_string(),
        peers: peers.iter().map(|peer| describe(&**peer)).collect(),
        missing,
        rows,
    })
}

fn describe(peer: &dyn Peer) -> Description {
    Description {
        name: peer.name().to_owned(),
        version: peer.version(),
    }
}

fn announce(missing: &Missing) {
    let Missing { name, why, install } = missing;
    eprintln!("{name} is missing ({why}). To measure it:\n    {install}");
    if install.contains("pip") {
        eprintln!("    and run this again with --python ~/peers/bin/python");
    }
}
