"""Parts things into small sets of which each takes the same from every row."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence


def balanced_sets(rows: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield sets that any number of can go, and the rows are still of the same length.

    Things that are in each row equally often make a set of their own. To another, one is added
    after the other, each time the one that evens the rows most, until they are even. As all rows
    are of the same length, what is left for the last set makes one, too.

    Parameters
    ----------
    rows
        Rows of the same length, of things that may be in several rows or several times in one.
    """
    counts = [Counter(row) for row in rows]
    alike: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for thing in sorted(set().union(*counts), reverse=True):
        alike[_excess([count[thing] for count in counts])].append(thing)
    for thing in alike.pop((0,) * len(rows), []):
        yield [thing]
    while alike:
        excess, found = (0,) * len(rows), list[int]()
        while any(excess) or not found:
            best = min(alike, key=lambda kind: (_size(excess, kind), -alike[kind][-1]))
            found.append(alike[best].pop())
            if not alike[best]:
                del alike[best]
            excess = _sum(excess, best)
        yield found


def _excess(counts: Sequence[int]) -> tuple[int, ...]:
    """Return how much more than the mean each row has, times the number of rows."""
    return tuple(count * len(counts) - sum(counts) for count in counts)


def _sum(some: Sequence[int], more: Sequence[int]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(some, more, strict=True))


def _size(excess: Sequence[int], kind: Sequence[int]) -> int:
    return sum(map(abs, _sum(excess, kind)))
