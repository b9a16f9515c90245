"""What may be exchanged if x tells nothing of y: rows, or whole groups of like size."""

import math
from collections.abc import Callable, Iterator
from itertools import permutations, product
from typing import Literal, NamedTuple, get_args

import numpy as np

from leakage.arguments import check_one_of

#: What a test exchanges: whole groups, or rows whatever their group.
Exchange = Literal["groups", "rows"]

#: A stratum holds groups of at least half the size of its largest, unless they are fewer than this.
FEWEST_ALIKE = 4
#: Groups of a stratum at most: all pairs of them are scored, and more would not fit into memory.
LARGEST = 1000
#: Arrangements that are gone through one by one; of more, random ones are drawn.
COUNTABLE = 720


class Strata(NamedTuple):
    """Groups of like size, cut to one size, so that any two of a stratum may change places.

    Attributes
    ----------
    blocks : list of ndarray of int, shape (G, m)
        Of each stratum the row numbers of its G groups, m rows each.
    """

    blocks: list[np.ndarray]

    @classmethod
    def of(cls, groups: np.ndarray, rng: np.random.Generator) -> "Strata":
        """Strata of these groups; of a larger group than others of its stratum, random rows.

        Rows of a group keep their order: the i-th row of one changes places with the i-th of
        another.

        Examples
        --------
        >>> strata = Strata.of(np.array([0, 0, 1, 1, 1]), np.random.default_rng(0))
        >>> [block.shape for block in strata.blocks]
        [(2, 2)]
        """
        order = np.argsort(groups, kind="stable")
        _, start, sizes = np.unique(groups[order], return_index=True, return_counts=True)
        if (sizes == 1).all():
            return cls(list(_cut(list(np.arange(len(groups))[:, None]), rng)))
        members = np.split(order, start[1:])
        by_size = np.argsort(-sizes, kind="stable")
        cuts = [0]
        ordered = sizes[by_size]
        for i in np.flatnonzero(np.diff(ordered)) + 1:
            if 2 * ordered[i] < ordered[cuts[-1]] and i - cuts[-1] >= FEWEST_ALIKE:
                cuts.append(int(i))
        if len(cuts) > 1 and len(sizes) - cuts[-1] < FEWEST_ALIKE:
            cuts.pop()
        return cls([
            block
            for stratum in np.split(by_size, cuts[1:])
            for block in _cut([members[g] for g in stratum], rng)
        ])  # fmt: skip

    @property
    def rows(self) -> np.ndarray:
        """The rows that are kept, stratum by stratum, group by group."""
        return np.concatenate([block.ravel() for block in self.blocks])

    @property
    def arrangements(self) -> float:
        """In how many ways they can change places; infinite where that is past counting."""
        if max(len(block) for block in self.blocks) > 20:
            return math.inf
        return math.prod(math.factorial(len(block)) for block in self.blocks)

    def attainable(self, count: int) -> float:
        """How many values the p-value of `orders` can take."""
        return self.arrangements if self.arrangements <= COUNTABLE else count + 1

    def orders(self, count: int, rng: np.random.Generator) -> Iterator[list[np.ndarray]]:
        """Orders of the groups of each stratum, their own first: all of them, or random ones.

        Examples
        --------
        >>> strata = Strata([np.array([[0], [1]])])
        >>> [order[0].tolist() for order in strata.orders(99, np.random.default_rng(0))]
        [[0, 1], [1, 0]]
        """
        if self.arrangements <= COUNTABLE:
            every = product(*(permutations(range(len(block))) for block in self.blocks))
            yield from ([np.array(order) for order in orders] for orders in every)
            return
        yield [np.arange(len(block)) for block in self.blocks]
        for _ in range(count):
            yield self.shuffled(rng)

    def shuffled(self, rng: np.random.Generator) -> list[np.ndarray]:
        """A random order of the groups of each stratum."""
        return [rng.permutation(len(block)) for block in self.blocks]

    def taken(self, order: list[np.ndarray]) -> np.ndarray:
        """Rows that take the places of `rows` when groups are put in this order."""
        return np.concatenate([
            block[places].ravel() for block, places in zip(self.blocks, order, strict=True)
        ])  # fmt: skip

    def summed(self, score: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
        """Of each stratum the scores of its groups with one another, summed over aligned rows.

        Parameters
        ----------
        score : callable
            Of row numbers, shape (k,), to the critic's values of all pairs of these, (k, k).

        Returns
        -------
        list of ndarray of float, shape (G, G)
            Their traces are the scores of own pairs.

        Examples
        --------
        >>> scores = np.eye(4)
        >>> Strata([np.array([[0, 1], [2, 3]])]).summed(lambda rows: scores[np.ix_(rows, rows)])
        [array([[2., 0.],
               [0., 2.]])]
        """
        return [
            sum((score(rows) for rows in block.T), np.zeros((len(block),) * 2))
            for block in self.blocks
        ]


def _cut(members: list[np.ndarray], rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Groups of a stratum as arrays of one size, at most so many at a time."""
    least = min(len(rows) for rows in members)
    kept = [rows if len(rows) == least else np.sort(rng.permutation(rows)[:least])
            for rows in members]  # fmt: skip
    stack = np.stack(kept)
    parts = -(-len(stack) // LARGEST)
    if parts == 1:
        yield stack
        return
    for part in np.array_split(rng.permutation(len(stack)), parts):
        yield stack[np.sort(part)]


class Units(NamedTuple):
    """What a test exchanges, whole.

    Attributes
    ----------
    labels : ndarray, shape (N,)
        Unit of each row.
    kinds : ndarray of int, shape (N,), or None
        Only units whose rows are of the same kinds change places, and each row with one of its
        own kind. None: all are of one kind.
    """

    labels: np.ndarray
    kinds: np.ndarray | None = None

    def strata(self, rows: np.ndarray, rng: np.random.Generator) -> Strata:
        """Which units of these rows may change places; blocks hold places within `rows`.

        Examples
        --------
        >>> units = Units(np.array([0, 1, 2, 3, 4]), np.array([0, 0, 1, 1, 1]))
        >>> units.strata(np.arange(5), np.random.default_rng(0)).blocks[1].ravel().tolist()
        [2, 3, 4]
        """
        labels = self.labels[rows]
        if self.kinds is None:
            return Strata.of(labels, rng)
        kinds = self.kinds[rows]
        order = np.lexsort((kinds, labels))
        start = np.flatnonzero(np.diff(labels[order])) + 1
        alike: dict[tuple[int, ...], list[np.ndarray]] = {}
        for members in np.split(order, start):
            alike.setdefault(tuple(kinds[members].tolist()), []).append(members)
        return Strata([block for some in alike.values() for block in _cut(some, rng)])


def exchangeable(groups: np.ndarray, exchange: str, kinds: np.ndarray | None = None) -> Units:
    """The units that a test exchanges: groups, or rows whatever their group.

    Raises
    ------
    ValueError
        `exchange` is neither of the two.

    Examples
    --------
    >>> exchangeable(np.array([7, 7, 8]), "rows").labels
    array([0, 1, 2])
    """
    check_one_of("exchange", exchange, get_args(Exchange))
    return Units(groups if exchange == "groups" else np.arange(len(groups)), kinds)
