"""The rows of the hostile suite: what somebody tries, the one defence it is aimed at, and the verdict it must get."""

from dataclasses import dataclass

VALID = "valid"
NOT_REGULAR = "output_invalid:not_a_regular_file"


@dataclass(frozen=True)
class Row:
    """`expected` is a verdict's code, or several between which a race decides, with " or " between them."""

    name: str
    defence: str
    expected: str

    def expects(self, code: str) -> bool:
        """Whether `code` is what this row must get."""
        return code in self.expected.split(" or ")


def markdown(title: str, rows: "list[Row]") -> str:
    """The rows as they stand in docs/hostile-suite.md."""
    lines = [f"| {title} | defence | verdict |", "|---|---|---|"]
    lines += [f"| {row.name.replace('_', ' ')} | {row.defence} | `{row.expected}` |" for row in rows]
    return "\n".join(lines) + "\n"
