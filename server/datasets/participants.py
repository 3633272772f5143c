"""participants.tsv: who the subjects are, which decides groups, strata and the labels of a probe."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from evaluator.tables import decimal
from server.datasets.findings import Findings, no_file, some
from server.datasets.names import SESSION, SUBJECT, Key, plain
from server.datasets.tables import Row, Table, read_table

GROUPS = ("cohort", "sex", "age", "site", "scanner")
_COLUMNS = ("participant_id", "session_id", *GROUPS)
_NEAR = {
    "gender": "sex",
    "sexe": "sex",
    "ages": "age",
    "age_at_scan": "age",
    "age_years": "age",
    "years": "age",
    "session": "session_id",
    "ses": "session_id",
    "center": "site",
    "centre": "site",
    "hospital": "site",
    "site_id": "site",
    "scanner_model": "scanner",
    "group": "cohort",
    "diagnosis": "cohort",
    "class": "cohort",
}
"""Columns that are often meant to be one of ours."""
_UNKNOWN = frozenset({"", "n/a", "nan"})
_NO_VALUE = _UNKNOWN | {"na", "n.a.", "none", "null", "unknown", "missing", "-", "?", ".", "--"}
"""Sex and age; a site or a cohort may well be called NA."""
_SEX = {"f": "F", "female": "F", "woman": "F", "m": "M", "male": "M", "man": "M", "o": "O", "other": "O"}
_OLDEST = 130


@dataclass(frozen=True)
class Participant:
    """The groups of one subject, or of one session of it, and the line they stand on."""

    line: int
    groups: dict[str, str]


def read_participants(path: Path, cases: Iterable[Key], findings: Findings) -> dict[Key, Participant]:
    """The groups of each case, (subject, session); rows that belong to no case and cases without one are named."""
    if not path.is_file():
        _other_name(path, findings)
        return {}
    table = read_table(path, findings)
    if table is None:
        return {}
    columns = _columns(path, table, findings)
    if columns is None:
        return {}
    rows = _rows(path, table, columns, findings)
    _normalise(path, rows, columns, findings)
    _spellings(path, rows, columns, findings)
    return _matched(path, rows, list(cases), findings)


def _other_name(path: Path, findings: Findings) -> None:
    others = [other for other in sorted(path.parent.iterdir()) if is_table_of_participants(other)]
    for other in others:
        what = "is not read; save it as participants.tsv, tab-separated text in UTF-8"
        if other.name == path.name:
            what = f"{no_file(path)}; save it as tab-separated text in UTF-8"
        findings.error(other, what)
    if not others:
        findings.note(path, "is not there, so no case has sex, age, site, scanner or cohort")


def is_table_of_participants(path: Path) -> bool:
    """Whether this is probably meant to be the table, whatever its form and capitals."""
    return path.stem.lower() == "participants" and path.suffix.lower() != ".json"


def _columns(path: Path, table: Table, findings: Findings) -> dict[str, str] | None:
    """The columns that are read, as {our name: name in the file}; case does not matter."""
    found = {name.casefold(): name for name in table.columns if name}
    columns = {ours: found[ours] for ours in _COLUMNS if ours in found}
    if "participant_id" not in columns:
        there = ", ".join(table.columns)
        findings.error(
            f"{path}:1", f"there is no column participant_id, which holds sub-01 and so on; it has {there}"
        )
        return None
    for name, ours in _NEAR.items():
        if name in found and ours not in columns:
            findings.warn(
                f"{path}:1", f"the column {found[name]} is not read; if it is meant, call it {ours}"
            )
    return columns


def _rows(path: Path, table: Table, columns: dict[str, str], findings: Findings) -> dict[Key, Participant]:
    found: dict[Key, Participant] = {}
    for row in table.rows:
        key = _key(path, row, columns, findings)
        if key is None:
            continue
        groups = {name: _known(row.cells[columns[name]]) for name in GROUPS if name in columns}
        one = Participant(row.line, groups)
        earlier = found.setdefault(key, one)
        if earlier.groups != groups:
            unlike = some(name for name in groups if groups[name] != earlier.groups[name])
            what = f"contradicts line {earlier.line} on {_name(key)}: {unlike}"
            findings.error(f"{path}:{row.line}", what)
    return found


def _key(path: Path, row: Row, columns: dict[str, str], findings: Findings) -> Key | None:
    text = row.cells[columns["participant_id"]]
    visit = _known(row.cells[columns["session_id"]]) if "session_id" in columns else ""
    subject, session = plain(text, SUBJECT), plain(visit, SESSION) if visit else ""
    if subject is None:
        findings.error(
            f"{path}:{row.line}", f"participant_id {text!r} is not sub- and letters or digits, as in sub-01"
        )
    elif session is None:
        findings.error(
            f"{path}:{row.line}", f"session_id {visit!r} is not ses- and letters or digits, as in ses-01"
        )
    else:
        return subject, session
    return None


def _known(text: str) -> str:
    """A cell's text; BIDS writes n/a for a missing value."""
    return "" if text.lower() in _UNKNOWN else text


def normal(column: str, text: str) -> str | None:
    """The value of a group as it is kept, "" for what is not known; None where it can be none."""
    value, fits = {"sex": _sex, "age": _age}.get(column, _any)("" if text.lower() in _UNKNOWN else text)
    return value if fits else None


def _any(text: str) -> tuple[str, bool]:
    return text, True


def _name(key: Key) -> str:
    return " ".join(part for part in key if part)


def _normalise(path: Path, rows: dict[Key, Participant], columns: dict[str, str], findings: Findings) -> None:
    """One spelling of sex, ages that are numbers of years; what is neither is named, the latter left out."""
    for name, known, what in (
        ("sex", _sex, "none of F, M and O, and taken as written"),
        ("age", _age, "no number of years up to 130, and taken as unknown"),
    ):
        if name not in columns:
            continue
        odd = []
        for row in rows.values():
            text = row.groups[name]
            value, fits = known("" if text.lower() in _NO_VALUE else text)
            row.groups[name] = value
            if not fits:
                odd.append(f"{text[:20]!r} on line {row.line}")
        if odd:
            findings.warn(path, f"{name} is {what}: {some(odd)}")


def _spellings(path: Path, rows: dict[Key, Participant], columns: dict[str, str], findings: Findings) -> None:
    """Names values that differ in capitals, blanks or the way to write one number, and would be groups of their own."""
    for name in ("cohort", "site", "scanner"):
        alike: dict[str | float, dict[str, None]] = {}
        for row in rows.values() if name in columns else ():
            text = row.groups[name]
            number = decimal(text)
            spelt = "".join(text.casefold().split()) if number is None else number
            alike.setdefault(spelt, {})[text] = None
        for texts in alike.values():
            if len(texts) > 1:
                findings.warn(
                    path, f"{name} is written in several ways that count apart: {some(map(repr, texts))}"
                )


_Known = Callable[[str], tuple[str, bool]]


def _sex(text: str) -> tuple[str, bool]:
    code = _SEX.get(text.lower())
    return code or text, code is not None or not text


def _age(text: str) -> tuple[str, bool]:
    if not text:
        return "", True
    years = decimal(text)
    return (text, True) if years is not None and 0 < years <= _OLDEST else ("", False)


def _matched(
    path: Path, rows: dict[Key, Participant], cases: list[Key], findings: Findings
) -> dict[Key, Participant]:
    """The row of each case: its session's, else its subject's. What is left over on either side is named."""
    found = {}
    for case in cases:
        row = rows.get(case) or rows.get((case[0], ""))
        if row is not None:
            found[case] = row
    bare = [case for case in cases if case not in found]
    subjects = {subject for subject, _ in cases}
    spare = {key: row for key, row in rows.items() if key not in found and (key[1] or key[0] not in subjects)}
    for key in _padded(path, spare, bare, findings):
        spare.pop(key)
    if spare:
        lines = some(f"{_name(key)} on line {row.line}" for key, row in spare.items())
        findings.warn(path, f"{_are(len(spare), 'row')} of no case in this folder: {lines}")
    if bare:
        findings.warn(
            path, f"{_are(len(bare), 'case')} without a row, and so without groups: {some(map(_name, bare))}"
        )
    return found


def _are(count: int, what: str) -> str:
    return f"1 {what} is" if count == 1 else f"{count:,} {what}s are"


def _padded(path: Path, spare: dict[Key, Participant], bare: list[Key], findings: Findings) -> list[Key]:
    """Names the rows that would be a case's if leading zeros and capitals did not count."""
    sessions = {_loose(case): case for case in bare}
    subjects = {_loose(case)[0]: case for case in bare}
    found = []
    for key, row in spare.items():
        case = sessions.get(_loose(key)) if key[1] else subjects.get(_loose(key)[0])
        if case is not None:
            what = f"{_name(key)} is no folder, but {_name(case)} is, and has no row; write it alike"
            findings.error(f"{path}:{row.line}", what)
            found.append(key)
    return found


def _loose(key: Key) -> Key:
    """The key without leading zeros and case."""
    return _bare(key[0]), _bare(key[1])


def _bare(name: str) -> str:
    kind, _, rest = name.casefold().partition("-")
    return f"{kind}-{rest.lstrip('0') or '0'}" if name else ""
