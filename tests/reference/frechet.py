#!/usr/bin/env python3
"""Write frechet.json, distances of Frechet between Gaussians by SciPy, and statistics.npz, a file of NumPy's.

The root of the product of two covariances is ``scipy.linalg.sqrtm``. Where it is singular, SciPy is asked
again with covariances that a rotation has brought to the space that both share, so that the reference
does not suffer from what it is to check.

Needs numpy and scipy.
"""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np
from scipy import linalg

from common import HERE, write_json


def root_trace(first: np.ndarray, second: np.ndarray) -> float:
    """The trace of the root of a product."""
    return float(np.trace(linalg.sqrtm(first @ second).real))


def case(name: str, random: np.random.Generator, width: int, ranks: List[int]) -> Dict[str, Any]:
    """Two Gaussians, each in a space of so many dimensions that the first features span, rotated together."""
    means = [random.standard_normal(width) for _ in ranks]
    parts = []
    for rank in ranks:
        factor = random.standard_normal((rank, rank)) * np.linspace(0.2, 2.0, rank)
        parts.append(factor @ factor.T)
    shared = min(ranks)
    # Of the part beyond what both share, nothing is left in the product.
    trace = root_trace(*(part[:shared, :shared] for part in parts)) if shared else 0.0
    rotation = linalg.qr(random.standard_normal((width, width)))[0]
    covariances = []
    for rank, part in zip(ranks, parts):
        whole = np.zeros((width, width))
        whole[:rank, :rank] = part
        covariances.append(rotation @ whole @ rotation.T)
    spread = sum(np.trace(covariance) for covariance in covariances)
    gap = means[0] - means[1]
    return {
        "name": name,
        "means": [mean.tolist() for mean in means],
        "covariances": [((c + c.T) / 2).ravel().tolist() for c in covariances],
        "distance": float(gap @ gap + spread - 2 * trace),
    }


def main() -> None:
    random = np.random.default_rng(7)
    cases = [
        case("one feature", random, 1, [1, 1]),
        case("full rank", random, 12, [12, 12]),
        case("fewer images than features on one side", random, 12, [12, 5]),
        case("fewer images than features on both sides", random, 12, [4, 7]),
        case("no spread on one side", random, 6, [6, 0]),
    ]
    write_json(HERE / "frechet.json", {"source": "tests/reference/frechet.py", "cases": cases})
    np.savez(HERE / "statistics.npz", mu=np.array([1.0, 2.5]), sigma=np.array([[4.0, 1.0], [1.0, 3.0]]))


if __name__ == "__main__":
    main()
