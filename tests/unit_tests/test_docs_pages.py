"""Pages, reference and notebooks cover what there is."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import langchain_hfendpoint

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
REFERENCE = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
MODULES = [
    "document_loaders",
    "embeddings",
    "endpoints",
    "hub",
    "indexes",
    "indexing",
    "local",
    "record_manager",
    "vectorstores",
]


def _names(module: str) -> list[str]:
    found = importlib.import_module(f"langchain_hfendpoint.{module}")
    public = [name for name, home in langchain_hfendpoint._HOME.items() if home == module]
    return sorted({*getattr(found, "__all__", []), *public})


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_in_the_reference(module: str) -> None:
    dotted = f"langchain_hfendpoint.{module}"
    if f"::: {dotted}\n" not in REFERENCE:
        missing = [name for name in _names(module) if f"::: {dotted}.{name}\n" not in REFERENCE]
        # An error that lives beside what raises it has its entry in Troubleshooting.
        assert [name for name in missing if not name.endswith("Error")] == []


def test_every_benchmark_is_on_the_page_with_its_command() -> None:
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    scripts = {
        path.name
        for path in (ROOT / "benchmarks").glob("*.py")
        if "__main__" in path.read_text(encoding="utf-8")
        and not path.stem.startswith("simulated_")
        and not path.stem.endswith("_contenders")
    }
    shown = {line.split()[1] for line in page.splitlines() if line.startswith("python benchmarks/")}
    assert shown == {f"benchmarks/{name}" for name in scripts}


def test_the_notebooks_are_what_the_guides_say() -> None:
    script = str(ROOT / "scripts" / "notebooks.py")
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.ipynb")), ids=lambda p: p.stem)
def test_a_notebook_shows_that_all_of_it_has_run(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert "/site-packages/" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page", sorted((DOCS / "langchain").rglob("*.mdx")), ids=lambda page: page.parent.name
)
def test_pages_for_langchain_have_the_form_that_langchain_wants(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    head = re.match(r'---\ntitle: ".+ integrations?"\ndescription: "(.+)"\n', text)
    assert head is not None
    assert head[1].endswith("using LangChain Python.")
    assert not re.search(r"^# ", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), flags=re.M)
    for link in re.findall(r'href="/oss/integrations/([^"]+)"', text):
        assert (DOCS / "langchain" / f"{link}.mdx").exists()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_between_the_files_of_the_project_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (ROOT / link).exists(), link
