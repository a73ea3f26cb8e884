//! The libraries that are measured, a file each.

mod blas;
#[cfg(feature = "candle")]
mod candle;
#[cfg(feature = "candle")]
mod candle_training;
mod elision;
mod elision_training;
mod gemm;
mod matrixmultiply;
mod mkl_random;
mod onednn;
mod torch;

use crate::failure::Failure;
use crate::peer::Peer;
use crate::places::Places;
use crate::record::Missing;

/// Ours, into given memory.
pub(crate) fn ours() -> Box<dyn Peer> {
    Box::new(elision::Elision { allocates: false })
}

/// The peers of this machine, ours first, and those that are not here.
pub(crate) fn all(places: &Places, threads: usize) -> (Vec<Box<dyn Peer>>, Vec<Missing>) {
    let mut all = Found {
        peers: vec![ours(), Box::new(elision::Elision { allocates: true })],
        missing: Vec::new(),
    };
    all.add("MKL", "mkl", blas::mkl(places.mkl.as_deref(), threads));
    all.add(
        "OpenBLAS",
        "scipy-openblas32",
        blas::openblas(places.openblas.as_deref(), threads),
    );
    all.add(
        "oneDNN",
        "onednn-cpu-gomp",
        onednn::load_library(places.onednn.as_deref()),
    );
    all.peers.push(Box::new(gemm::Gemm { threads }));
    all.peers.push(Box::new(matrixmultiply::MatrixMultiply));
    #[cfg(feature = "candle")]
    all.peers.push(Box::new(candle::Candle));
    #[cfg(not(feature = "candle"))]
    all.missing.push(Missing {
        name: "candle".to_owned(),
        why: "left out of this build".to_owned(),
        install: "cargo run without --no-default-features".to_owned(),
    });
    all.add(
        "PyTorch",
        "torch",
        torch::start(places.torch.as_deref(), threads),
    );
    (all.peers, all.missing)
}

struct Found {
    peers: Vec<Box<dyn Peer>>,
    missing: Vec<Missing>,
}

impl Found {
    /// A peer that pip installs as `package`; `Ok(None)` if it was not found.
    fn add<P: Peer + 'static>(
        &mut self,
        name: &str,
        package: &str,
        peer: Result<Option<P>, Failure>,
    ) {
        let why = match peer {
            Ok(Some(peer)) => return self.peers.push(Box::new(peer)),
            Ok(None) => "not found".to_owned(),
            Err(failure) => failure.to_string(),
        };
        self.missing.push(Missing {
            name: name.to_owned(),
            why,
            install: format!("python3 -m venv ~/peers && ~/peers/bin/pip install {package}"),
        });
    }
}
