#!/usr/bin/env python3
"""Write impressions.json, a kernel inception distance and an Inception score by torch-fidelity.

Needs numpy, torch and torch-fidelity (0.3).
"""

from __future__ import annotations

import numpy as np
import torch
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from common import HERE, write_json

IMAGES, FEATURES, CLASSES = 33, 5, 7


def main() -> None:
    random = np.random.default_rng(3)
    sets = [random.standard_normal((IMAGES, FEATURES)) + shift for shift in (0.0, 0.5)]
    logits = 2 * random.standard_normal((IMAGES, CLASSES))
    # One subset of all images, in whatever order, is the estimate itself.
    kernel = kid_features_to_metric(
        *(torch.from_numpy(features) for features in sets),
        kid_subsets=1,
        kid_subset_size=IMAGES,
        kid_degree=3,
        kid_gamma=None,
        kid_coef0=1,
        rng_seed=0,
        verbose=False,
    )
    score = isc_features_to_metric(torch.from_numpy(logits), splits=10, shuffle=False)
    write_json(
        HERE / "impressions.json",
        {
            "source": "tests/reference/impressions.py",
            "features": [features.tolist() for features in sets],
            "kernel_distance": kernel["kernel_inception_distance_mean"],
            "logits": logits.tolist(),
            "inception_score": score["inception_score_mean"],
        },
    )


if __name__ == "__main__":
    main()
