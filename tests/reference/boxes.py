#!/usr/bin/env python3
"""Write boxes.json: the boxes that torchvision's detectors make of outputs that any program can make.

Each case has a model with ``img_size`` and ``num_classes``, and for each of two images the boxes, labels and
scores that torchvision's postprocessing gives, the best first. The network does not run: its outputs for
image N (0 or 1) come from the generator of ``models.py`` called ``MODEL.N.OUTPUT``, in row-major order of
[anchors, columns]. With u in [0, 1) and p = u squared ``squarings`` times,

* ``cls_logits``: 0 in column 0 where scores are a softmax (SSD), else -100 there, for no box is of the
  background; -7 + 10 p in the others, so that few of many are likely;
* ``bbox_regression``: 4 u where it says distances (FCOS), else ``stretch`` (2 u - 1);
* ``bbox_ctrness``: 4 u - 1.

All of this is computed in f64 and rounded to f32 at the end. Labels are columns of ``cls_logits``. Where a case
has a ``selection``, it replaces what it names in the model's own, for limits to be met by few boxes:
``score_threshold``, ``candidates`` (of each class for SSD, of each level for others), ``nms_threshold`` and
``detections``. Images fill the canvas.

A decoder agrees if it gives as many boxes, with the same labels in the same order, scores within 1e-5 and
edges within 1e-2 pixels: no two scores that matter are closer than ``gap``, which is checked here, and no
overlap is closer to ``nms_threshold`` than 1e-5.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np
import torch
from torch import Tensor
from torchvision.models import detection
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou

from common import HERE, digits, write_json
from reference import uniform


class Case(NamedTuple):
    """A model and what its outputs are made with."""

    model: str
    side: int
    squarings: int
    stretch: float
    selection: Optional[Dict[str, float]] = None


CASES = [
    Case("ssd300_vgg16", 300, 8, 3.0),
    Case("ssd300_vgg16", 300, 6, 3.0, {"candidates": 30, "detections": 40, "nms_threshold": 0.3}),
    Case("ssdlite320_mobilenet_v3_large", 320, 6, 3.0),
    Case("retinanet_resnet50_fpn", 128, 6, 0.3),
    Case("retinanet_resnet50_fpn", 128, 4, 0.3, {"candidates": 20, "detections": 30}),
    Case("fcos_resnet50_fpn", 256, 4, 0.0),
    Case("fcos_resnet50_fpn", 256, 3, 0.0, {"candidates": 15, "nms_threshold": 0.3}),
]
CLASSES = 4
# The names of a selection, as torchvision has them.
OPTIONS = {
    "score_threshold": "score_thresh",
    "candidates": "topk_candidates",
    "nms_threshold": "nms_thresh",
    "detections": "detections_per_img",
}


def made(case: Case, image: int, output: str, rows: int, columns: int) -> Tensor:
    """An output of the network for one image."""
    u = uniform(f"{case.model}.{image}.{output}", rows * columns).reshape(rows, columns)
    if output == "cls_logits":
        p = u
        for _ in range(case.squarings):
            p = p * p
        values = -7.0 + 10.0 * p
        values[:, 0] = 0.0 if case.model.startswith("ssd") else -100.0
    elif output == "bbox_ctrness":
        values = 4.0 * u - 1.0
    else:
        fcos = case.model.startswith("fcos")
        values = 4.0 * u if fcos else case.stretch * (2.0 * u - 1.0)
    return torch.from_numpy(values.astype(np.float32))


def detections(case: Case, model: torch.nn.Module, image: int) -> Dict[str, Tensor]:
    """What torchvision makes of one image's outputs."""
    canvas = torch.zeros(1, 3, case.side, case.side)
    with torch.no_grad():
        maps = list(model.backbone(canvas).values())
    (anchors,) = model.anchor_generator(ImageList(canvas, [(case.side, case.side)]), maps)
    columns = {"cls_logits": CLASSES, "bbox_regression": 4}
    if case.model.startswith("fcos"):
        columns["bbox_ctrness"] = 1
    outputs = {n: made(case, image, n, len(anchors), k)[None] for n, k in columns.items()}
    sizes = [(case.side, case.side)]
    if case.model.startswith("ssd"):
        return model.postprocess_detections(outputs, [anchors], sizes)[0]
    cells = [features.shape[2] * features.shape[3] for features in maps]
    each = len(anchors) // sum(cells)
    rows = [each * count for count in cells]
    split = {name: list(output.split(rows, dim=1)) for name, output in outputs.items()}
    return model.postprocess_detections(split, [list(anchors.split(rows))], sizes)[0]


def margins(found: Dict[str, Tensor]) -> float:
    """The least difference between two scores in a row."""
    scores = found["scores"].double()
    return float((scores[:-1] - scores[1:]).min()) if len(scores) > 1 else 1.0


def describe(case: Case) -> Dict[str, Any]:
    """The fixture of one case."""
    options = {OPTIONS[name]: value for name, value in (case.selection or {}).items()}
    build = getattr(detection, case.model)
    model = build(weights=None, weights_backbone=None, num_classes=CLASSES, **options).eval()
    images: List[Dict[str, Any]] = []
    for image in range(2):
        found = detections(case, model, image)
        print(f"{case.model} {case.selection}: {len(found['labels'])} boxes, gap {margins(found):.1e}")
        images.append(
            {
                "boxes": [digits(box.numpy()) for box in found["boxes"]],
                "labels": found["labels"].tolist(),
                "scores": digits(found["scores"].numpy()),
            }
        )
    return {
        "model": case.model,
        "img_size": case.side,
        "num_classes": CLASSES,
        "squarings": case.squarings,
        "stretch": case.stretch,
        **({"selection": case.selection} if case.selection else {}),
        "images": images,
    }


def main() -> None:
    """Write the fixture beside this script."""
    torch.set_num_threads(1)
    document = {
        "source": f"tests/reference/boxes.py, torchvision 0.14, PyTorch {torch.__version__}",
        "cases": [describe(case) for case in CASES],
    }
    write_json(HERE / "boxes.json", document)


if __name__ == "__main__":
    main()
