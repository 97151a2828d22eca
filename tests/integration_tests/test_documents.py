"""The code in README and docs runs, on the local servers instead of somebody's account."""

import re
from pathlib import Path

import pytest

from langchain_hfendpoint.local import LocalEndpoint, LocalPinecone

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```python\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def _with_code() -> list[Path]:
    return [page for page in PAGES if _FENCE.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", _with_code(), ids=lambda page: page.stem)
def test_the_code_blocks_of_a_page_run_in_order(
    page: Path,
    local_endpoint: LocalEndpoint,
    local_pinecone: LocalPinecone,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT_URL", local_endpoint.url)
    names: dict[str, object] = {"__name__": "docs"}
    for block in _FENCE.findall(page.read_text(encoding="utf-8")):
        code = re.sub(r"https://<[^>\"]+>[^\"]*", local_endpoint.url, block)
        code = code.replace("stanfordnlp/snli", "sample").replace("50_000", "300")
        exec(compile(code, str(page), "exec"), names)
