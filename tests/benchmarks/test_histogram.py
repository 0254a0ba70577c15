"""The generator's histogram: are its quantiles as right as it promises?"""

import ctypes
import random
import subprocess

import pytest

from benchmarks.build import HERE
from tools import programs


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    out = tmp_path_factory.mktemp("histogram") / "histogram.so"
    source = HERE / "generator" / "histogram.c"
    flags = ["-std=c11", "-O2", "-shared", "-fPIC"]
    subprocess.run([programs.LINUX.compiler, *flags, source, "-o", out], check=True)
    found = ctypes.CDLL(str(out))
    found.histogram_quantile.restype = ctypes.c_double
    found.histogram_quantile.argtypes = [ctypes.c_void_p, ctypes.c_double]
    found.histogram_add.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
    found.histogram_clear.argtypes = [ctypes.c_void_p]
    return found


@pytest.fixture
def histogram(library):
    """Adds values; quantiles of them can be asked for."""

    class Histogram:
        def __init__(self):
            self._memory = ctypes.create_string_buffer(64 * 1024)
            library.histogram_clear(self._memory)

        def add(self, *values):
            for value in values:
                library.histogram_add(self._memory, value)

        def quantile(self, share):
            return library.histogram_quantile(self._memory, share)

    return Histogram()


def test_empty(histogram):
    assert histogram.quantile(0.5) == 0


def test_small_values_are_exact(histogram):
    histogram.add(*range(1, 64))
    assert histogram.quantile(0.5) == 32
    assert histogram.quantile(1.0) == 63
    assert histogram.quantile(0.0) == 1


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("scale", [10, 10_000, 10_000_000_000])
def test_quantiles_are_right_to_1_6_percent(histogram, share, scale):
    numbers = random.Random(scale)
    values = sorted(int(numbers.lognormvariate(0, 2) * scale) for _ in range(20_000))
    histogram.add(*values)
    exact = values[max(0, -(-int(share * 1e6 * len(values)) // 1_000_000) - 1)]
    assert histogram.quantile(share) == pytest.approx(exact, rel=0.016, abs=1)


def test_the_largest_values_have_a_bucket(histogram):
    histogram.add(2**64 - 1)
    assert histogram.quantile(0.5) == pytest.approx(2**64, rel=0.016)
