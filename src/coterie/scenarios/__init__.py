"""Scenarios: more than one item, more than one person, and the first questions to somebody who has rated nothing."""

from coterie.scenarios.bundles import Bundle, bundle, complete, score_bundle
from coterie.scenarios.cohorts import Cohorts, find_cohorts
from coterie.scenarios.elicitation import Elicitation
from coterie.scenarios.groups import GroupRecommendation, compare_strategies, recommend_to_group
from coterie.scenarios.question_curve import QuestionCurve, question_curve

__all__ = [
    "Bundle",
    "Cohorts",
    "Elicitation",
    "GroupRecommendation",
    "QuestionCurve",
    "bundle",
    "compare_strategies",
    "complete",
    "find_cohorts",
    "question_curve",
    "recommend_to_group",
    "score_bundle",
]
