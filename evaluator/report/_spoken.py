"""What the intervals of a page speak of, and what they are silent about."""

from collections.abc import Iterator, Sequence

from evaluator.spec import Board

_CASES = "An interval says how far a number moves when other test cases of the same kind are drawn."
_SITES = "{where}, whole sites are drawn, so there it speaks of other hospitals like these, too."
_SEEDS = "{where}, seeds of the probe are drawn, too, so there it speaks of another training of the probe."
_SPLITS = "{where}, seeds and splits of the probe are drawn, too, so there it speaks of another training of the probe."


def spoken_of(boards: Sequence[Board]) -> str:
    """What the intervals of some boards, which are as they were scored, say and do not say."""
    more = list(_more(boards))
    places = [] if _all_sites(boards) else ["other hospitals", "other scanners"]
    silent = " or ".join(filter(None, [", ".join(places), "another training of the model"]))
    probed = any(board.bootstrap.sources != "test_cases" for board in boards)
    return " ".join(
        [
            _CASES,
            *more,
            f"{'Otherwise it' if more else 'It'} does not speak of {silent}{' itself' if probed else ''}.",
        ]
    )


def _all_sites(boards: Sequence[Board]) -> bool:
    return all(board.bootstrap.unit == "site" for board in boards)


def _more(boards: Sequence[Board]) -> Iterator[str]:
    drawn = (
        (_SITES, [board for board in boards if board.bootstrap.unit == "site"]),
        (_SEEDS, [board for board in boards if board.bootstrap.sources == "test_cases_and_seeds"]),
        (_SPLITS, [board for board in boards if board.bootstrap.sources == "test_cases_seeds_and_split"]),
    )
    for sentence, concerned in drawn:
        if concerned:
            titles = " and ".join(board.title for board in concerned)
            yield sentence.format(
                where="For all boards" if len(concerned) == len(boards) else f"For {titles}"
            )
