"""Every client version from 7 to 10 on the same tour, each in an environment of its own.

The environments are made on first use below the folder in HFENDPOINT_TEST_VENVS, or in pytest's
cache; `make test-pinecone-clients` runs this.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from langchain_hfendpoint.local.pinecone import LocalPinecone

TOUR = Path(__file__).parents[1] / "support" / "pinecone_client_tour.py"


def tour(python: str) -> subprocess.CompletedProcess[str]:
    with LocalPinecone() as server:
        return subprocess.run(
            [python, str(TOUR), server.host],
            env={**os.environ, "PINECONE_API_KEY": server.api_key},
            capture_output=True,
            text=True,
            timeout=120,
        )


def environment(root: Path, version: str) -> str:
    folder = root / f"pinecone-{version}"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", f"pinecone=={version}"]
        if subprocess.run(pip, timeout=280).returncode:
            pytest.skip(f"pinecone {version} cannot be installed here")
        (folder / "complete").touch()
    return str(folder / "bin" / "python")


def test_the_installed_client_passes_the_tour() -> None:
    finished = tour(sys.executable)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.slow
@pytest.mark.parametrize("version", ["8.1.2", "9.1.0", "10.2.0"])
def test_other_client_versions_pass_the_tour(version: str, pytestconfig: pytest.Config) -> None:
    root = os.environ.get("HFENDPOINT_TEST_VENVS")
    folder = Path(root) if root else Path(pytestconfig.cache.mkdir("venvs"))  # type: ignore[union-attr]
    finished = tour(environment(folder, version))
    assert finished.returncode == 0, finished.stderr
    assert version in finished.stdout
