"""docs/metrics.md is generated from the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.catalogue import DIMENSIONS, KPIS, SERVING_METRICS, docs, metrics_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_page_is_current() -> None:
    """The committed page equals the generated one; if not, run ``python -m streams.catalogue.docs``."""
    assert docs.main(["--check"]) == 0


def test_the_page_names_everything() -> None:
    """Every KPI in both languages and every metric is on the page."""
    page = docs.page()
    for kpi in KPIS:
        assert all(text in page for text in (f"| `{kpi.id}` |", kpi.ja, kpi.meaning_ja, kpi.text.replace("|", "\\|")))
        assert all(f"`{metric.name}`" in page for metric in metrics_of(kpi))
        details = next(line for line in page.splitlines() if line.startswith(f"| `{kpi.id}` | value"))
        assert all(part in details for part in kpi.parts)
        for dimension in DIMENSIONS:
            section = page.split(f"#### By {dimension} ")[1].split("\n#")[0]
            assert (f"`{kpi.id}`" in section) is (dimension in kpi.dimensions)
    assert all(f"`{metric.name}`" in page for metric in SERVING_METRICS)


def test_check_sees_a_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page that is missing or was edited by hand fails the check with the command that mends it, and writing it mends it."""
    page = tmp_path / "metrics.md"
    check = ["--check", "--page", str(page)]
    assert docs.main(check) == 1
    assert "python -m streams.catalogue.docs" in capsys.readouterr().err

    assert docs.main(["--page", str(page)]) == 0
    assert docs.main(check) == 0

    page.write_text(page.read_text(encoding="utf-8") + "by hand\n", encoding="utf-8")
    assert docs.main(check) == 1
