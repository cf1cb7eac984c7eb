"""Looking: pictures of ratings and of comparisons, and a report that holds them all."""

from coterie.explore.cluster_figures import cluster_map
from coterie.explore.comparison_figures import (
    accuracy_against_popularity,
    accuracy_against_time,
    group_bars,
    leaderboard_bars,
)
from coterie.explore.comparison_page import write_comparison
from coterie.explore.content_figures import genome_heat_map, genre_cooccurrence, tag_bars
from coterie.explore.data_figures import lorenz_curves, ratings_matrix
from coterie.explore.exploration import Exploration, explore_dataset
from coterie.explore.figures import genre_bars, long_tail, rating_histogram, ratings_over_time
from coterie.explore.map_figures import item_map
from coterie.explore.model_figures import calibration, convergence, nmf_parts, singular_values
from coterie.explore.neighbor_figures import neighbor_graph
from coterie.explore.question_figures import question_curves
from coterie.explore.reasons import reason
from coterie.explore.report import typical_user, write_report
from coterie.explore.similarity_figures import quiet_typical_busy, similarity_panel
from coterie.explore.style import to_svg

__all__ = [
    "Exploration",
    "accuracy_against_popularity",
    "accuracy_against_time",
    "calibration",
    "cluster_map",
    "convergence",
    "explore_dataset",
    "genome_heat_map",
    "genre_bars",
    "genre_cooccurrence",
    "group_bars",
    "item_map",
    "leaderboard_bars",
    "long_tail",
    "lorenz_curves",
    "neighbor_graph",
    "nmf_parts",
    "question_curves",
    "quiet_typical_busy",
    "rating_histogram",
    "ratings_matrix",
    "ratings_over_time",
    "reason",
    "similarity_panel",
    "singular_values",
    "tag_bars",
    "to_svg",
    "typical_user",
    "write_comparison",
    "write_report",
]
