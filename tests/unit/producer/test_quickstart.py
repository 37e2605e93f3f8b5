import re
from pathlib import Path

from producer.campaigns import read
from producer.plan import jobs
from schemas.campaigns import Kind

PAGE = Path("docs/quickstart.md")


def test_the_campaign_of_the_quickstart_is_the_one_whose_output_it_shows(tmp_path: Path):
    page = PAGE.read_text(encoding="utf-8")
    block = re.search(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    assert block
    (tmp_path / "soap.yaml").write_text(block[1], encoding="utf-8")

    source = read(tmp_path / "soap.yaml")

    assert f"{source.id}: {sum(1 for _ in jobs(source, {Kind.COPY: 'starter'}))} jobs submitted" in page
