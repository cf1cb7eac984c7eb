"""Looking: pictures of ratings and of comparisons, and a report that holds them all."""

from coterie.explore.cluster_figures import cluster_map
from coterie.explore.comparison_figures import (
    accuracy_against_popularity,
    accuracy_against_time,
    group_bars,
    leaderboard_bars,
)
from coterie.explore.comparison_page import write_comparison
from coterie.explore.figures import genre_bars, long_tail, rating_histogram, ratings_over_time
from coterie.explore.question_figures import question_curves
from coterie.explore.reasons import reason
from coterie.explore.report import typical_user, write_report
from coterie.explore.similarity_figures import quiet_typical_busy, similarity_panel
from coterie.explore.style import to_svg

__all__ = [
    "accuracy_against_popularity",
    "accuracy_against_time",
    "cluster_map",
    "genre_bars",
    "group_bars",
    "leaderboard_bars",
    "long_tail",
    "question_curves",
    "quiet_typical_busy",
    "rating_histogram",
    "ratings_over_time",
    "reason",
    "similarity_panel",
    "to_svg",
    "typical_user",
    "write_comparison",
    "write_report",
]
