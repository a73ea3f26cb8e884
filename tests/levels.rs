//! Which instruction set a process really runs, for `.ci/tests-per-isa.sh`.

use elision::simd::{Kernel, Simd, dispatch};
use elision::{Isa, Level};

/// The level of the trampoline or backend that runs the kernel, not the one that was asked for.
struct Probe;

impl Kernel for Probe {
    type Output = Level;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Level {
        S::LEVEL
    }
}

#[test]
fn every_level_runs_its_own_kernels() {
    for &isa in Isa::available() {
        assert_eq!(dispatch(isa, Probe), isa.level());
    }
}

#[test]
fn the_cap_decides() {
    let best = Isa::best().expect("the cap is a known word");
    let level = dispatch(best, Probe);
    assert_eq!(level, best.level());
    println!("executed: {level}");
    if let Ok(expected) = std::env::var("ELISION_EXPECT_ISA") {
        assert_eq!(
            level.name(),
            expected,
            "the level that the environment asks for"
        );
    }
}
