"""The rows of the hostile suite: what somebody tries, the one defence it is aimed at, and the verdict it must get."""

from dataclasses import dataclass

VALID = "valid"
NOT_REGULAR = "output_invalid:not_a_regular_file"
ON_PODMAN = {
    "fills_hosts_file": "exit_code",
    "fills_a_file_of_the_engine": "exit_code",
    "/etc that is a link to a folder with pipes": "no_start",
    "/etc that is a link into /proc": "no_start",
    "/run that is a link into /proc": "no_start",
    "/run/podman-init that is a folder": "no_start",
    **dict.fromkeys(("/sbin that is a link into /proc", "/sbin/docker-init that is a folder"), VALID),
    **dict.fromkeys(("/proc that is a link", "/sys that is a link"), "no_start"),
    **dict.fromkeys(("/dev that is a file", "/etc that is a file", "/proc that is a file"), "no_start"),
}
"""Where Podman's verdict is another: files of ours stand in /etc of a container there, which cannot be written to, nor
lie behind a link; its init stands in /run; and it replaces no file or link of the image's where it mounts."""


@dataclass(frozen=True)
class Row:
    """`expected` is a verdict's code, or several between which a race decides, with " or " between them."""

    name: str
    defence: str
    expected: str

    def expects(self, code: str, engine: str = "docker") -> bool:
        """Whether `code` is what this row must get on an engine."""
        expected = ON_PODMAN.get(self.name, self.expected) if engine == "podman" else self.expected
        return code in expected.split(" or ")

    @property
    def verdicts(self) -> str:
        """What it must get, as a cell of a table."""
        other = ON_PODMAN.get(self.name)
        return f"`{self.expected}`" + (f"; on Podman `{other}`" if other else "")


def markdown(title: str, rows: "list[Row]") -> str:
    """The rows as they stand in docs/hostile-suite.md."""
    lines = [f"| {title} | defence | verdict |", "|---|---|---|"]
    lines += [f"| {row.name.replace('_', ' ')} | {row.defence} | {row.verdicts} |" for row in rows]
    return "\n".join(lines) + "\n"
