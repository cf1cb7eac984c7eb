"""How wide a scale of ratings is, so that hyper-parameters mean the same on all of them."""

from __future__ import annotations

import math


def unit_of(low: float, high: float) -> float:
    r"""How many five-star scales wide the ratings from `low` to `high` are, :math:`u = 2^{[\log_2((h - l) / 4)]}`.

    1 from 1 to 5 or from 0.5 to 5, 2 from 1 to 10, 32 from 0 to 100; 1 where all ratings are equal. A model that keeps
    it in `unit_` learns from ratings in this unit, so that its λ, its first factors and its learning rate suit any
    scale. It is a power of two because floats are multiplied by one, and divided, without rounding: other ratings of
    the same width give the same model but for the unit, and one star more or less on the scale changes nothing.
    """
    return 2.0 ** round(math.log2((high - low) / 4)) if high > low else 1.0
