#!/usr/bin/env bash
# The Python package as a user installs it, in a virtual environment of its own: pytest, mypy, and a wheel.
# WITH_TORCH=1 installs PyTorch, too, without which the tests of elision.torch are skipped, and runs those tests a second
# time with the compiled core.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR=$PWD/target
# The dev profile, which is checked here, takes a fifth of the time of a release build.
export MATURIN_PEP517_ARGS="--profile dev"
package=integrations/python
env=$PWD/target/python
command -v cargo-clippy >/dev/null || rustup component add clippy
command -v rustfmt >/dev/null || rustup component add rustfmt
[ -x "$env/bin/pip" ] || python3 -m venv "$env"
export PATH=$env/bin:$PATH PYO3_PYTHON=$env/bin/python
"$env/bin/pip" install --quiet 'maturin>=1.9,<2' 'numpy>=1.23' pytest hypothesis mypy
if [ -n "${WITH_TORCH:-}" ]; then "$env/bin/pip" install --quiet torch==2.13.0; fi

cargo fmt --manifest-path $package/Cargo.toml --check
cargo clippy --quiet --locked --manifest-path $package/Cargo.toml -- -D warnings
# maturin is installed above: a build environment of pip's own would fetch it once more.
"$env/bin/pip" install --quiet --no-build-isolation --force-reinstall --no-deps ./$package

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# Away from the sources, so that the package which was installed is the one that is found.
cp -r $package/tests $package/README.md $package/TORCH.md $package/pyproject.toml "$out"
tests=$PWD/$package
cd "$out"
# No compiled core but the one that is made here.
export XDG_CACHE_HOME=$out/cache
ELISION_GOLDEN=$tests/../../tests/golden "$env/bin/python" -m pytest -q -p no:cacheprovider tests | tee log
echo "skipped: $(grep -oE '[0-9]+ skipped' log | grep -oE '[0-9]+' || echo 0)"
if [ -n "${WITH_TORCH:-}" ]; then
  core=$("$env/bin/python" -m elision.torch.build)
  "$env/bin/python" -c 'from elision.torch import native; assert native()'
  echo "elision.torch with its compiled core: $core"
  "$env/bin/python" -m pytest -q -p no:cacheprovider tests/pytorch
fi
MYPYPATH="" "$env/bin/mypy" --strict --no-error-summary --cache-dir=/dev/null -p elision
# The compiled module lists its names, which stubs do not.
echo 'elision._native.__all__' >allowed
"$env/bin/python" -m mypy.stubtest elision._native --ignore-disjoint-bases --allowlist allowed
cd "$tests"
"$env/bin/maturin" build --quiet --locked --profile dev --out "$out/wheels"
basename "$out"/wheels/*.whl
ls "$out"/wheels/*-abi3-*.whl >/dev/null
