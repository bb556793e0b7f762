"""Late interaction: each word of a query looks for its like in the parts of a passage.

One vector of a passage says what it is about and blurs the rest. So the model's states of its tokens are kept too, in
the same pass, as the means of WINDOW neighbours. A row of the index is the vector, and behind it these windows.
"""

import numpy as np

from rag.retrieval.types import Vectors

WINDOW = 16  # tokens; 8 found a little better and took twice the space, 32 no better than none
WINDOWS = 12  # of a passage of up to 192 tokens, its title included; what is longer is in the vector alone
_STEPS = 254  # an int8 holds -0.5 to 0.5: a value of a unit vector of 384 is rarely beyond 0.3


def packed(vector: Vectors, states: Vectors) -> Vectors:
    """A row for a passage, (dimensions + WINDOWS * dimensions / 4,): float32, the windows as bytes behind the vector.

    :param states: the last states of its tokens, (tokens, dimensions).
    """
    windows = np.zeros((WINDOWS, len(vector)), dtype=np.int8)
    starts = np.arange(0, len(states), WINDOW)[:WINDOWS]
    means = unit(np.add.reduceat(states[: WINDOW * WINDOWS], starts, axis=0))
    windows[: len(starts)] = np.clip(np.rint(means * _STEPS), -127, 127)
    return np.concatenate([vector, windows.reshape(-1).view(np.float32)])


def interaction(tokens: Vectors, rows: Vectors) -> Vectors:
    """For each row the mean over the query's tokens of the cosine to the nearest window, (rows,), in [-1, 1].

    MaxSim, as in ColBERT (Khattab and Zaharia, SIGIR 2020), but of the mean over tokens and with windows for words.

    :param tokens: unit vectors, (tokens, dimensions).
    """
    if not len(tokens) or not len(rows):
        return np.zeros(len(rows), dtype=np.float32)
    dimensions = tokens.shape[1]
    windows = np.ascontiguousarray(rows[:, dimensions:]).view(np.int8).reshape(len(rows), WINDOWS, dimensions)
    cosines = windows.astype(np.float32) @ tokens.T / _STEPS  # small products: BLAS's threads take ten times as long
    nearest: Vectors = cosines.max(axis=1).mean(axis=1)
    return nearest


def unit(rows: Vectors) -> Vectors:
    """The rows, each of length 1."""
    scaled: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
    return scaled
