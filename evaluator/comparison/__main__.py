"""`python -m evaluator.comparison DIR`: write the JSON schemas of the published files."""

import json
import sys
from pathlib import Path

from evaluator.comparison._published import schemas


def main(directory: str) -> None:
    """Write every schema into `directory`."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / name).write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/schemas")
