"""What glibc is told about freed memory, seen by the pages a process has to get from the system."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
from langchain_hfendpoint.local import _malloc
{setting}
def batch():
    return [bytearray(4 << 20) for _ in range(8)]
batch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    batch()
    {each}
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
ALL_PAGES = 10 * 8 * (4 << 20) // 4096


def faults(setting: str = "", each: str = "") -> int:
    program = PROGRAM.format(setting=setting, each=each)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_memory_that_is_kept_is_not_asked_for_again() -> None:
    assert faults("_malloc.keep_freed_memory()") < ALL_PAGES / 10


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_memory_that_is_given_back_has_to_be_asked_for_again() -> None:
    kept = "_malloc.keep_freed_memory()"
    assert faults(kept, each="_malloc.give_back_freed_memory()") > ALL_PAGES / 2
