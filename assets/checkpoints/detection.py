"""Boxes for the training of small detectors: default boxes, their matching, coding and loss.

As in SSD (Liu et al. 2016) with the choices of torchvision's. Boxes are ``[x1, y1, x2, y2]`` in
pixels of the input. Labels of objects begin with 1, for 0 is the background.

For a batch::

    boxes = default_boxes(64)
    outputs = model(images)
    parts = [
        ssd_loss(logits, regression, boxes, *target)
        for logits, regression, target in zip(*outputs.values(), targets)
    ]
    classes, places, matched = (sum(part) for part in zip(*parts))
    loss = (classes + places) / max(matched, 1)

and for what a trained network sees::

    detections = detect(outputs["cls_logits"][0], outputs["bbox_regression"][0], boxes, 64)
"""

from __future__ import annotations

import math
from typing import List, Tuple

import torch
from torch import Tensor
from torch.nn import functional

# The feature maps of ``ssd_resnet20``: their strides, and the sides of their square boxes in parts of
# the image's: of the smaller, and of what the larger is the geometric mean of.
LEVELS: List[Tuple[int, float, float]] = [(4, 0.22, 0.34), (8, 0.34, 0.52), (16, 0.52, 0.8)]
# How much wider than tall a box is, or taller than wide, besides the squares.
RATIO = 2.0
# What the regression is multiplied by: for the centre, and for the logarithms of the sides.
CODING = (10.0, 10.0, 5.0, 5.0)


def default_boxes(side: int) -> Tensor:
    """The boxes [n, 4] of square images, in the order of the network's outputs."""
    levels = []
    for stride, scale, following in LEVELS:
        square, larger = scale, math.sqrt(scale * following)
        long, short = scale * math.sqrt(RATIO), scale / math.sqrt(RATIO)
        sides = torch.tensor([[square] * 2, [larger] * 2, [long, short], [short, long]]) * side
        middles = (torch.arange(-(-side // stride)) + 0.5) * stride
        y, x = torch.meshgrid(middles, middles, indexing="ij")
        centres = torch.stack([x, y], dim=-1).reshape(-1, 1, 2)
        levels.append(torch.cat([centres - sides / 2, centres + sides / 2], dim=-1).reshape(-1, 4))
    return torch.cat(levels)


def overlaps(a: Tensor, b: Tensor) -> Tensor:
    """The intersection over union [n, m] of boxes [n, 4] and [m, 4]."""
    upper = torch.maximum(a[:, None, :2], b[None, :, :2])
    lower = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (lower - upper).clamp(min=0).prod(dim=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(dim=-1) for boxes in (a, b)]
    return shared / (areas[0][:, None] + areas[1][None, :] - shared)


def match(objects: Tensor, boxes: Tensor, threshold: float = 0.5) -> Tensor:
    """The object of each box, or -1: the one it overlaps most if by ``threshold``.

    The best box of each object belongs to it however little they overlap.
    """
    if len(objects) == 0:
        return torch.full((len(boxes),), -1)
    table = overlaps(objects, boxes)
    best, found = table.max(dim=0)
    found[best < threshold] = -1
    found[table.argmax(dim=1)] = torch.arange(len(objects))
    return found


def encode(objects: Tensor, boxes: Tensor) -> Tensor:
    """What the regression should say of ``boxes`` [n, 4] for each to become its object."""
    sides, wanted = boxes[:, 2:] - boxes[:, :2], objects[:, 2:] - objects[:, :2]
    way = (objects[:, :2] + objects[:, 2:] - boxes[:, :2] - boxes[:, 2:]) / 2
    return torch.cat([way / sides, (wanted / sides).log()], dim=1) * torch.tensor(CODING)


def decode(regression: Tensor, boxes: Tensor) -> Tensor:
    """What ``boxes`` [n, 4] become by the regression: the inverse of :func:`encode`."""
    offsets = regression / torch.tensor(CODING)
    sides, centres = boxes[:, 2:] - boxes[:, :2], (boxes[:, :2] + boxes[:, 2:]) / 2
    centres = centres + offsets[:, :2] * sides
    # torchvision's bound, against overflow.
    sides = sides * offsets[:, 2:].clamp(max=math.log(1000 / 16)).exp()
    return torch.cat([centres - sides / 2, centres + sides / 2], dim=1)


def ssd_loss(
    logits: Tensor, regression: Tensor, boxes: Tensor, objects: Tensor, labels: Tensor
) -> Tuple[Tensor, Tensor, int]:
    """The losses of classes and of places, summed over one image, and its number of boxes matched.

    Divide the sums over a batch by the number of boxes matched in it. Of the boxes without an
    object, only the worst count: three for each that has one.
    """
    found = match(objects, boxes)
    positive = found >= 0
    count = int(positive.sum())
    targets = torch.zeros(len(boxes), dtype=torch.int64)
    if count == 0:
        return logits.sum() * 0, regression.sum() * 0, 0
    targets[positive] = labels[found[positive]]
    losses = functional.cross_entropy(logits, targets, reduction="none")
    negative = losses[~positive].sort(descending=True).values[: 3 * count]
    wanted = encode(objects[found[positive]], boxes[positive])
    places = functional.smooth_l1_loss(regression[positive], wanted, reduction="sum")
    return losses[positive].sum() + negative.sum(), places, count


def suppress(boxes: Tensor, scores: Tensor, threshold: float) -> List[int]:
    """The indices of the boxes that no better box overlaps by more than ``threshold``, the best first."""
    kept: List[int] = []
    order = scores.argsort(descending=True, stable=True).tolist()
    table = overlaps(boxes, boxes)
    for index in order:
        if not kept or table[index, kept].max() <= threshold:
            kept.append(index)
    return kept


def detect(
    logits: Tensor,
    regression: Tensor,
    boxes: Tensor,
    side: int,
    score: float = 0.01,
    overlap: float = 0.45,
    candidates: int = 400,
    detections: int = 200,
) -> Tuple[Tensor, Tensor, Tensor]:
    """The boxes, labels and scores of what a network sees in one image, the best first."""
    scores = logits.softmax(dim=1)
    places = decode(regression, boxes).clamp(0, side)
    parts = []
    for label in range(1, scores.shape[1]):
        column = scores[:, label]
        likely = (column > score).nonzero()[:, 0]
        likely = likely[column[likely].argsort(descending=True, stable=True)[:candidates]]
        likely = likely[suppress(places[likely], column[likely], overlap)]
        parts.append((places[likely], torch.full_like(likely, label), column[likely]))
    found, labels, confidences = (torch.cat(part) for part in zip(*parts))
    best = confidences.argsort(descending=True, stable=True)[:detections]
    return found[best], labels[best], confidences[best]
