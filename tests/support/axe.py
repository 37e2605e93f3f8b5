"""What axe finds wrong with a page, for people who see, hear or move otherwise."""

from pathlib import Path

from playwright.sync_api import Page

AXE = (Path(__file__).parent / "vendored" / "axe.min.js").read_text(encoding="utf-8")


def problems(page: Page, *rules: str) -> list[str]:
    """Return what axe finds wrong with a page, by these rules or by all."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    run_only = {"runOnly": {"type": "rule", "values": rules}} if rules else {}
    found = page.evaluate("options => axe.run(document, options)", {"resultTypes": ["violations"]} | run_only)
    return [f"{one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}" for one in found["violations"]]
