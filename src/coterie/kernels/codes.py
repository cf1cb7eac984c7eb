"""Numbers by which kernels know the measures in each reading; `measures` says what they are."""

JACCARD, COSINE, PEARSON, PEARSON_CORATED = 0, 1, 2, 3
MANHATTAN, MANHATTAN_MEAN, EUCLIDEAN, EUCLIDEAN_MEAN, CHEBYSHEV, CHEBYSHEV_SCALED = 4, 5, 6, 7, 8, 9
FIRST_DISTANCE = MANHATTAN
