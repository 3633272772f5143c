"""How sure a ranking is: intervals of places, tests between submissions, and what would change it."""

from evaluator.comparison._behind import MOST_WHOLE, PlacesBehind, WithoutBoard, places_behind
from evaluator.comparison._centres import centres
from evaluator.comparison._challenger import challenger_csv
from evaluator.comparison._compare import certain_places, compare_track
from evaluator.comparison._differences import Superiority, influence_test, superiority
from evaluator.comparison._entrants import Entrant, bootstraps_of, datasets_of, paired_replicates, rows_of
from evaluator.comparison._errors import Errors, errors_of, influence_of
from evaluator.comparison._pairwise import (
    holm,
    permutation_test,
    signed_rank_test,
    step_down,
)
from evaluator.comparison._places import (
    kendall_tau,
    probability_of_top,
    rank_intervals,
    tie_groups,
)
from evaluator.comparison._prizes import awarded
from evaluator.comparison._published import (
    BoardComparison,
    CaseChange,
    CertainPlaces,
    ComparisonFile,
    LeftOut,
    PrizeAward,
    PrizeDecision,
    RankFile,
    Rule,
    RuleVariant,
    TeamPlace,
    TrackComparison,
    WeightChange,
    schemas,
)
from evaluator.comparison._published_pairs import MetricTests, PairTest, RankLead
from evaluator.comparison._rank_sets import RankSets, rank_sets
from evaluator.comparison._read import read_entrants, read_report
from evaluator.comparison._resamples import case_counts, rank_resamples
from evaluator.comparison._rule_words import change_in_words
from evaluator.comparison._sure import SurePlaces, sure_places
from evaluator.comparison._track import Track
from evaluator.comparison._warnings import PlaceWarning, seed_warnings
from evaluator.comparison._what_if import Reordering, Variant, WithoutTeam, leave_one_out, rule_sensitivity

__all__ = [
    "MOST_WHOLE",
    "BoardComparison",
    "CaseChange",
    "CertainPlaces",
    "ComparisonFile",
    "Entrant",
    "Errors",
    "LeftOut",
    "MetricTests",
    "PairTest",
    "PlaceWarning",
    "PlacesBehind",
    "PrizeAward",
    "PrizeDecision",
    "RankFile",
    "RankLead",
    "RankSets",
    "Reordering",
    "Rule",
    "RuleVariant",
    "Superiority",
    "SurePlaces",
    "TeamPlace",
    "Track",
    "TrackComparison",
    "Variant",
    "WeightChange",
    "WithoutBoard",
    "WithoutTeam",
    "awarded",
    "bootstraps_of",
    "case_counts",
    "centres",
    "certain_places",
    "challenger_csv",
    "change_in_words",
    "compare_track",
    "datasets_of",
    "errors_of",
    "holm",
    "influence_of",
    "influence_test",
    "kendall_tau",
    "leave_one_out",
    "paired_replicates",
    "permutation_test",
    "places_behind",
    "probability_of_top",
    "rank_intervals",
    "rank_resamples",
    "rank_sets",
    "read_entrants",
    "read_report",
    "rows_of",
    "rule_sensitivity",
    "schemas",
    "seed_warnings",
    "signed_rank_test",
    "step_down",
    "superiority",
    "sure_places",
    "tie_groups",
]
