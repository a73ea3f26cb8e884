//! PyTorch, in a child process that obeys one JSON object a line.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::peer::{Answer, Peer, Run};
use crate::work::{Training, Work};

const SCRIPT: &str = include_str!("../../torch_peer.py");

/// The child process, shared by the peer and the work that it prepared last.
pub(super) struct Torch {
    process: Rc<RefCell<Process>>,
    version: String,
}

/// What the script is told.
#[derive(Serialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Order<'a> {
    Describe {
        threads: usize,
    },
    Prepare {
        work: Work,
        folder: &'a Path,
        training: Network,
    },
    Run {
        calls: u32,
    },
    Answer {
        file: &'a Path,
    },
}

/// The training step in the script's terms.
#[derive(Serialize)]
struct Network {
    widths: [usize; 5],
    batch: usize,
    input_rate: f64,
    learning_rate: f64,
    momentum: f64,
    steps: u32,
}

/// What the script says: one of these.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    Version(String),
    /// Whether it offers the work.
    Prepared(bool),
    Seconds(f64),
    /// The lengths of the arrays in the file.
    Lengths(Vec<usize>),
    Error(String),
}

/// Starts PyTorch in the interpreter that has it.
pub(super) fn start(python: Option<&Path>, threads: usize) -> Result<Option<Torch>, Failure> {
    let Some(python) = python else {
        return Ok(None);
    };
    let mut process = Process::start(python)?;
    let version = match process.ask(&Order::Describe { threads })? {
        Reply::Version(version) => version,
        _ => return Err(unexpected()),
    };
    Ok(Some(Torch {
        process: Rc::new(RefCell::new(process)),
        version,
    }))
}

impl Peer for Torch {
    fn name(&self) -> &'static str {
        "PyTorch"
    }

    fn version(&self) -> String {
        self.version.clone()
    }

    fn prepare(&self, work: Work, inputs: &Rc<Inputs>) -> Result<Option<Box<dyn Run>>, Failure> {
        let mut process = self.process.borrow_mut();
        let folder = process.folder.path().to_owned();
        write_inputs(&folder, inputs)?;
        let order = Order::Prepare {
            work,
            folder: &folder,
            training: Network {
                widths: Training::WIDTHS,
                batch: Training::BATCH,
                input_rate: Training::INPUT_RATE,
                learning_rate: Training::LEARNING_RATE,
                momentum: Training::MOMENTUM,
                steps: Training::STEPS,
            },
        };
        match process.ask(&order)? {
            Reply::Prepared(true) => Ok(Some(Box::new(Prepared(self.process.clone())))),
            Reply::Prepared(false) => Ok(None),
            _ => Err(unexpected()),
        }
    }
}

fn write_inputs(folder: &Path, inputs: &Inputs) -> Result<(), Failure> {
    let labels: Vec<f32> = inputs.labels.iter().map(|&label| label as f32).collect();
    let arrays = [
        ("x", &inputs.x),
        ("w", &inputs.w),
        ("bias", &inputs.bias),
        ("g", &inputs.g),
        ("labels", &labels),
    ];
    for (name, numbers) in arrays {
        let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(Failure::at(&path))?;
    }
    Ok(())
}

/// The work that the child holds.
struct Prepared(Rc<RefCell<Process>>);

impl Run for Prepared {
    fn seconds(&mut self, calls: u32) -> Result<f64, Failure> {
        match self.0.borrow_mut().ask(&Order::Run { calls })? {
            Reply::Seconds(seconds) => Ok(seconds),
            _ => Err(unexpected()),
        }
    }

    fn answer(&mut self) -> Result<Answer, Failure> {
        let mut process = self.0.borrow_mut();
        let file: PathBuf = process.folder.path().join("answer");
        let Reply::Lengths(lengths) = process.ask(&Order::Answer { file: &file })? else {
            return Err(unexpected());
        };
        let bytes = std::fs::read(&file).map_err(Failure::at(&file))?;
        let mut numbers = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b));
        let mut take = |len| numbers.by_ref().take(len).collect();
        Ok(lengths.into_iter().map(&mut take).collect())
    }
}

struct Process {
    child: Child,
    orders: ChildStdin,
    replies: BufReader<ChildStdout>,
    /// Where arrays pass.
    folder: TempDir,
}

impl Process {
    fn start(python: &Path) -> Result<Self, Failure> {
        let mut child = Command::new(python)
            .args(["-u", "-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Failure::at(python))?;
        let (Some(orders), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(unexpected());
        };
        Ok(Self {
            child,
            orders,
            replies: BufReader::new(replies),
            folder: TempDir::new().map_err(Failure::system("a temporary folder"))?,
        })
    }

    fn ask(&mut self, order: &Order<'_>) -> Result<Reply, Failure> {
        let what = "PyTorch's process";
        let json = |source| Failure::Json { what, source };
        let line = serde_json::to_string(order).map_err(json)?;
        writeln!(self.orders, "{line}").map_err(Failure::system(what))?;
        let mut reply = String::new();
        let read = self.replies.read_line(&mut reply);
        if read.map_err(Failure::system(what))? == 0 {
            return Err(failure("the process has ended"));
        }
        match serde_json::from_str(&reply).map_err(json)? {
            Reply::Error(message) => Err(failure(&message)),
            reply => Ok(reply),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended by itself; there is nobody to tell either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn failure(message: &str) -> Failure {
    Failure::Peer {
        peer: "PyTorch",
        message: message.to_owned(),
    }
}

fn unexpected() -> Failure {
    failure("an unexpected reply")
}
