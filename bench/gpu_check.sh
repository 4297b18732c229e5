#!/usr/bin/env bash
# Everything that takes a GPU to be known, in about ten minutes: run it from the repository's root on a machine with one.
#
#   bash bench/gpu_check.sh            with the project's packages installed (extras gpu, local, dev), and a CUDA toolkit
#   WHEELS=folder bash bench/gpu_check.sh    installs these first, in front of what is there, without a network
#   PYTHON=path/to/python bash bench/gpu_check.sh
#
# It compiles gsplat's kernels, looks again (which takes seconds), runs the tests that need a GPU, and prints what a
# picture and an embedding cost. A step that fails is named at the end, and the others go on. Exit code 0: none failed.
set -u
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
export PYTHONUNBUFFERED=1
failed=()

step() { # NAME SECONDS COMMAND...: run it within the time, and say how long it took
    local name=$1 limit=$2 began=$SECONDS
    shift 2
    echo "== $name"
    timeout --kill-after=10 "$limit" "$@" || failed+=("$name")
    echo "== $name: $((SECONDS - began)) s"
}

if [ -n "${WHEELS:-}" ]; then
    site=$(mktemp -d)
    step "install" 120 "$PYTHON" -m pip install -q --no-index --no-deps --no-compile --target "$site" "$WHEELS"/*.whl
    export PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}"
fi
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"

step "machine" 30 sh -c 'nvidia-smi -L; nvcc --version | tail -2; nproc'
step "versions" 60 "$PYTHON" -c 'import importlib.metadata as m
for name in ("torch", "gsplat", "transformers", "moderngl", "numba", "numpy", "pillow"): print(name, m.version(name))'
step "warm-up" 300 "$PYTHON" -m gpu.command
step "warm-up again" 60 "$PYTHON" -m gpu.command
# without the tests' own conftest, which wants the whole platform's packages
step "tests" 150 "$PYTHON" -m pytest -q -p no:cacheprovider --noconftest -p tests.gpu.rendering.conftest \
    tests/gpu/rendering/test_gpu.py tests/gpu/rendering/test_splats_cuda.py
step "tests of distance" 90 "$PYTHON" -m pytest -q -p no:cacheprovider --noconftest tests/gpu/distance/test_dinov3.py
step "pictures" 180 "$PYTHON" -m bench.render
step "distances" 60 "$PYTHON" -m bench.distance --pictures 128

if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}"
    exit 1
fi
echo "all is well"
