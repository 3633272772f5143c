"""The example of the documentation runs as it stands there."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "evaluator-python.md"


def test_the_example_runs_and_says_what_it_should(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, str(PAGE), "exec"), {})  # noqa: S102 - our own page
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "DSC 0.917, NSD at 1 mm 1.000, HD95 1.0 mm"
    assert second == "AUROC 0.865 [0.812, 0.918], p 9.4e-06"
    assert float(third.split()[3]) > 0.6
