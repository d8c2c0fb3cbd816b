#!/usr/bin/env python3
"""Write detection_coco.json and detection_voc.json: invented detections, and what peers measure.

A scene is an image: `truth` has seven numbers a thing (class, standing, x, y, width, height, area),
`found` six a detection (class, score, x, y, width, height). Standings are 0 for what counts, 1 for
what is difficult, 2 for a crowd. Figures are in percent, by metric: the whole one, and one a class,
null where the class has nothing to be found.

COCO's figures are pycocotools' own. It knows nothing of difficult things: where there are any, they
are crowds to it but for the overlap, which is the ordinary one. VOC's are of an implementation
below, written after the published algorithm (voc_eval of py-faster-rcnn), with equal scores in the
order of the detections, where the published code leaves the order to numpy's quicksort.

Made with numpy 1.24.2 and pycocotools 2.0.11. Examples:
    python3 detection_metrics.py
    python3 detection_metrics.py --errors    # standard errors by bootstrap, written nowhere
"""

from __future__ import annotations

import argparse
import contextlib
import io
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from common import HERE, write_json

CLASSES = 12
# Nothing is there of the first two, and nothing is found of the second. The third has nothing but
# crowds and difficult things, the fourth nothing but small ones.
ABSENT, UNSEEN, UNWANTED, TINY = 3, 8, 5, 6
COUNTS, DIFFICULT, CROWD = 0, 1, 2
SCENES = 360

Box = Tuple[float, float, float, float]


class Thing(NamedTuple):
    kind: int
    standing: int
    box: Box
    area: float


class Found(NamedTuple):
    kind: int
    score: float
    box: Box


class Scene(NamedTuple):
    truth: List[Thing]
    found: List[Found]


class Maker:
    """Makes scenes with many ties, of scores and overlaps, and overlaps at the thresholds.

    `pixel` is what is added to the distance of edges for a width: 1 in VOC.
    """

    def __init__(self, seed: int, standings: List[int], pixel: int) -> None:
        self.rng = np.random.RandomState(seed)
        self.standings = standings
        self.pixel = pixel

    def box(self, kind: int) -> Box:
        longest = 20 if kind == TINY else self.rng.choice([31, 33, 95, 97, 300])
        sides = self.rng.uniform(6, longest, 2)
        corner = self.rng.uniform(0, 200, 2)
        # Sides that are multiples of 20 have overlaps at a threshold exactly.
        if self.rng.rand() < 0.5:
            corner, sides = np.round(corner), 20 * np.ceil(sides / 20) - self.pixel
        return rounded(*corner, *sides)

    def thing(self, kind: int) -> Thing:
        standing = int(self.rng.choice(self.standings))
        if kind == UNWANTED and standing == COUNTS:
            standing = self.standings[-1]
        box = self.box(kind)
        area = box[2] * box[3] * self.rng.choice([1.0, 0.6])
        # Things on the border between two sizes belong to both.
        if self.rng.rand() < 0.1:
            area = 32.0**2 if kind == TINY else self.rng.choice([32.0**2, 96.0**2])
        return Thing(kind, standing, box, round(float(area), 2))

    def near(self, box: Box) -> Box:
        """A box that overlaps another more or less, or by a threshold."""
        x, y, width, height = box
        way = self.rng.randint(5)
        share = self.rng.choice([0.5, 0.55, 0.6, 0.75, 0.8, 0.9, 0.95])
        if way == 0:
            return box
        if way == 1:
            return rounded(x, y, share * (width + self.pixel) - self.pixel, height)
        if way == 2:
            shift = (width + self.pixel) * (1 - share) / (1 + share)
            return rounded(x + shift, y, width, height)
        noise = self.rng.normal(0, 0.04 * way, 4) * [width, height, width, height]
        return rounded(*(np.array(box) + noise))

    def score(self, mean: float) -> float:
        return round(float(np.clip(self.rng.normal(mean, 0.2), 0.01, 1.0)), 2)

    def truth(self) -> List[Thing]:
        kinds = [kind for kind in range(CLASSES) if kind not in (ABSENT, UNSEEN)]
        # Few classes an image, so that things compete for detections.
        kinds = list(self.rng.choice(kinds, 3))
        truth = [self.thing(self.rng.choice(kinds)) for _ in range(2 + self.rng.poisson(4))]
        if self.rng.rand() < 0.4:
            twin = truth[self.rng.randint(len(truth))]
            truth.append(self.thing(twin.kind)._replace(box=twin.box))
        return truth

    def found(self, truth: List[Thing], crowded: bool) -> List[Found]:
        found = []
        for thing in truth:
            for _ in range(self.rng.choice([0, 1, 1, 2, 3])):
                box, kind = self.near(thing.box), thing.kind
                kind = kind if self.rng.rand() < 0.9 else self.wrong()
                found.append(Found(kind, self.score(0.6), box))
        for _ in range(self.rng.poisson(4)):
            kind = self.wrong()
            found.append(Found(kind, self.score(0.4), self.box(kind)))
        if crowded:
            boxes = [self.near(truth[i % 2].box) for i in range(130)]
            found += [Found(truth[0].kind, self.score(0.5), box) for box in boxes]
        order = self.rng.permutation(len(found))
        return [found[i] for i in order]

    def wrong(self) -> int:
        return int(self.rng.choice([kind for kind in range(CLASSES) if kind != UNSEEN]))

    def scene(self, index: int) -> Scene:
        truth = self.truth()
        found = self.found(truth, crowded=index % 60 == 7)
        # Some images are empty, some have nothing to be detected, some no detections.
        return Scene([] if index % 9 in (0, 1) else truth, [] if index % 9 in (0, 2) else found)


def rounded(*box: float) -> Box:
    x, y, width, height = (round(float(value), 2) for value in box)
    return x, y, max(width, 1.0), max(height, 1.0)


class Evaluation(COCOeval):
    """pycocotools' evaluation, in which difficult things are crowds of ordinary overlap."""

    def computeIoU(self, image: int, category: int) -> Any:
        truth, found = self._gts[image, category], self._dts[image, category]
        if not truth or not found:
            return []
        order = np.argsort([-one["score"] for one in found], kind="mergesort")
        boxes = [found[i]["bbox"] for i in order[: self.params.maxDets[-1]]]
        crowds = [int(one["standing"] == CROWD) for one in truth]
        return mask.iou(boxes, [one["bbox"] for one in truth], crowds)


def evaluate_coco(scenes: List[Scene], difficult: bool) -> COCOeval:
    annotations: List[Dict[str, Any]] = []
    results: List[Dict[str, Any]] = []
    for image, scene in enumerate(scenes):
        for thing in scene.truth:
            annotations.append({
                "id": len(annotations) + 1,
                "image_id": image,
                "category_id": thing.kind,
                "bbox": list(thing.box),
                "area": thing.area,
                "iscrowd": int(thing.standing != COUNTS),
                "standing": thing.standing,
            })
        for kind, score, box in scene.found:
            row = {"image_id": image, "category_id": kind, "score": score, "bbox": list(box)}
            results.append(row)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": image} for image in range(len(scenes))],
            "categories": [{"id": kind} for kind in range(CLASSES)],
            "annotations": annotations,
        }
        truth.createIndex()
        evaluation = (Evaluation if difficult else COCOeval)(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def coco(scenes: List[Scene], difficult: bool) -> Dict[str, Any]:
    """COCO's figures: those of the summary, and the same by class."""
    evaluation = evaluate_coco(scenes, difficult)
    # Thresholds, recalls, classes, areas; of the three numbers of detections the largest.
    precision = evaluation.eval["precision"][..., -1]
    figures = {}
    for row, (name, thresholds, area) in enumerate([
        ("map", slice(None), 0),
        ("map50", slice(0, 1), 0),
        ("map75", slice(5, 6), 0),
        ("map-small", slice(None), 1),
        ("map-medium", slice(None), 2),
        ("map-large", slice(None), 3),
    ]):
        classes = [precision[thresholds, :, kind, area] for kind in range(CLASSES)]
        figures[name] = {
            "whole": 100 * evaluation.stats[row],
            "classes": [None if np.all(p == -1) else 100 * float(p.mean()) for p in classes],
        }
    return figures


def overlaps(box: Box, others: np.ndarray) -> np.ndarray:
    """Intersection over union of one box with others, where edges are pixels of the box."""
    corners = others.copy()
    corners[:, 2:] += corners[:, :2]
    left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
    width = np.minimum(right, corners[:, 2]) - np.maximum(left, corners[:, 0]) + 1.0
    height = np.minimum(bottom, corners[:, 3]) - np.maximum(top, corners[:, 1]) + 1.0
    shared = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    areas = (corners[:, 2] - corners[:, 0] + 1.0) * (corners[:, 3] - corners[:, 1] + 1.0)
    return shared / ((right - left + 1.0) * (bottom - top + 1.0) + areas - shared)


def voc_curve(scenes: List[Scene], kind: int) -> Optional[Tuple[np.ndarray, np.ndarray]]:
    """Recall and precision after each detection of a class, from the highest score down."""
    truth = [[thing for thing in scene.truth if thing.kind == kind] for scene in scenes]
    wanted = sum(thing.standing == COUNTS for things in truth for thing in things)
    if wanted == 0:
        return None
    found = [(i, one) for i, scene in enumerate(scenes) for one in scene.found if one.kind == kind]
    found.sort(key=lambda pair: -pair[1].score)  # stable
    taken = [[False] * len(things) for things in truth]
    right, wrong = np.zeros(len(found)), np.zeros(len(found))
    for rank, (image, one) in enumerate(found):
        things = truth[image]
        shares = overlaps(one.box, np.array([thing.box for thing in things]).reshape(-1, 4))
        best = int(np.argmax(shares)) if things else -1
        if best < 0 or not shares[best] > 0.5:
            wrong[rank] = 1
        elif things[best].standing == COUNTS:
            (wrong if taken[image][best] else right)[rank] = 1
            taken[image][best] = True
    right, wrong = np.cumsum(right), np.cumsum(wrong)
    return right / wanted, right / np.maximum(right + wrong, np.finfo(np.float64).eps)


def voc_precision(recall: np.ndarray, precision: np.ndarray, eleven: bool) -> float:
    if eleven:
        points = [precision[recall >= point] for point in np.arange(0.0, 1.1, 0.1)]
        return float(np.mean([above.max() if len(above) else 0.0 for above in points]))
    recall = np.concatenate([[0.0], recall, [1.0]])
    precision = np.concatenate([[0.0], precision, [0.0]])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * precision[1:]))


def voc(scenes: List[Scene]) -> Dict[str, Any]:
    """VOC's figures, means over the classes that have any."""
    curves = [voc_curve(scenes, kind) for kind in range(CLASSES)]
    figures = {}
    for name, eleven in [("voc-map", False), ("voc-map11", True)]:
        classes = [curve and 100 * voc_precision(*curve, eleven) for curve in curves]
        whole = float(np.mean([value for value in classes if value is not None]))
        figures[name] = {"whole": whole, "classes": classes}
    return figures


def document(scenes: List[Scene], figures: Dict[str, Any]) -> Dict[str, Any]:
    def numbers(rows: List[Any]) -> List[float]:
        flat = [value for row in rows for part in row for value in np.atleast_1d(part).tolist()]
        return [int(value) if value == int(value) else value for value in flat]

    rows = [{"truth": numbers(scene.truth), "found": numbers(scene.found)} for scene in scenes]
    return {"classes": CLASSES, "figures": figures, "scenes": rows}


def print_errors(scenes: List[Scene], rounds: int = 40) -> None:
    """Print the standard deviation of each figure over samples of the scenes, with repetition."""
    rng = np.random.RandomState(0)
    samples = [rng.randint(len(scenes), size=len(scenes)) for _ in range(rounds)]
    drawn = [[scenes[i] for i in sample] for sample in samples]
    figures = [{**coco(sample, difficult=False), **voc(sample)} for sample in drawn]
    for name in figures[0]:
        values = [figure[name]["whole"] for figure in figures]
        print(f"{name}: {np.mean(values):.2f}, standard error {np.std(values, ddof=1):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--errors", action="store_true", help="print standard errors instead")
    coco_maker = Maker(1, [COUNTS, COUNTS, COUNTS, COUNTS, CROWD], 0)
    coco_scenes = [coco_maker.scene(index) for index in range(SCENES)]
    voc_maker = Maker(2, [COUNTS, COUNTS, COUNTS, COUNTS, CROWD, DIFFICULT], 1)
    voc_scenes = [voc_maker.scene(index) for index in range(SCENES)]
    if parser.parse_args().errors:
        print_errors(coco_scenes)
        return
    figures = coco(coco_scenes, difficult=False)
    write_json(HERE / "detection_coco.json", document(coco_scenes, figures))
    figures = {**coco(voc_scenes, difficult=True), **voc(voc_scenes)}
    write_json(HERE / "detection_voc.json", document(voc_scenes, figures))


if __name__ == "__main__":
    main()
