"""Drawings as inline SVG, for the report and for the server's pages alike.

A `Picture` is a drawing with its title, description, how to read it, and the same as a table; the plots of rows are
drawings alone. Colours and letters come from classes that `STYLES` defines, so they follow light, dark and paper, and
no policy of a page has to allow styles of elements. Every mark that a colour tells apart has a shape, texture or text
of its own as well. All text is escaped; equal arguments give equal drawings.
"""

from evaluator.charts._differences import TeamsDifference, difference
from evaluator.charts._distribution import CaseValues, TeamSpread, distribution
from evaluator.charts._forecast import QueuedDay, forecast
from evaluator.charts._groups import GroupValue, groups
from evaluator.charts._marks import SHAPES, mark
from evaluator.charts._outcomes import OUTCOMES, DayOutcomes, outcomes
from evaluator.charts._picture import STYLES, Picture, standalone
from evaluator.charts._plots import MOST_DOTS, PlotRow, box_plot, group_plot, interval_plot
from evaluator.charts._rank_sets import MOST_TEAMS, PlacedTeam, rank_sets
from evaluator.charts._scale import WIDTH, Scale, is_drawn
from evaluator.charts._scatter import scatter
from evaluator.charts._significance import MOST_IN_MAP, ComparedPair, Order, significance_map
from evaluator.charts._slope import MovedTeam, slope
from evaluator.charts._timeline import TimelinePhase, timeline
from evaluator.charts._weights import FirstShare, weights

__all__ = [
    "MOST_DOTS",
    "MOST_IN_MAP",
    "MOST_TEAMS",
    "OUTCOMES",
    "SHAPES",
    "STYLES",
    "WIDTH",
    "CaseValues",
    "ComparedPair",
    "DayOutcomes",
    "FirstShare",
    "GroupValue",
    "MovedTeam",
    "Order",
    "Picture",
    "PlacedTeam",
    "PlotRow",
    "QueuedDay",
    "Scale",
    "TeamSpread",
    "TeamsDifference",
    "TimelinePhase",
    "box_plot",
    "difference",
    "distribution",
    "forecast",
    "group_plot",
    "groups",
    "interval_plot",
    "is_drawn",
    "mark",
    "outcomes",
    "rank_sets",
    "scatter",
    "significance_map",
    "slope",
    "standalone",
    "timeline",
    "weights",
]
