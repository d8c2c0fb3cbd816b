#!/usr/bin/env python3
"""Time the same work in PyTorch and in ptsbench, and print ratios of medians.

Both sides take turns in every round, with the same number of threads, so that whatever else the
machine does falls on both alike. A ratio is ptsbench / PyTorch: below 1, ptsbench is faster.
README.md beside this file says what is needed and how to read the table.

Examples:
    benches/vs_pytorch/run.py --threads 1 2
    benches/vs_pytorch/run.py --only "network resnet20" --json FILE
    benches/vs_pytorch/run.py --only job --rounds 3 --data cifar10:DIR --weights FILE
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse
from torch.nn import functional

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "assets" / "checkpoints"))

import models  # noqa: E402  (beside the checkpoints)
from reconstruct import reconstruct_resnet20  # noqa: E402

# Batch, input channels, output channels, side, kernel, stride, groups.
Shape = Tuple[int, int, int, int, int, int, int]
CONVOLUTIONS: Dict[str, List[Shape]] = {
    "3x3": [
        (8, 64, 64, 56, 3, 1, 1),
        (8, 128, 128, 28, 3, 1, 1),
        (8, 256, 256, 14, 3, 1, 1),
        (8, 64, 128, 56, 3, 2, 1),
        (8, 128, 256, 28, 3, 2, 1),
    ],
    "1x1": [
        (8, 256, 64, 56, 1, 1, 1),
        (8, 64, 256, 56, 1, 1, 1),
        (8, 24, 144, 56, 1, 1, 1),
        (8, 96, 576, 14, 1, 1, 1),
        (8, 256, 512, 28, 1, 2, 1),
    ],
    "depthwise": [
        (8, 96, 96, 56, 3, 1, 96),
        (8, 144, 144, 56, 3, 2, 144),
        (8, 384, 384, 14, 3, 1, 384),
        (8, 240, 240, 14, 5, 1, 240),
        (8, 72, 72, 28, 5, 2, 72),
    ],
    "CIFAR": [
        (64, 16, 16, 32, 3, 1, 1),
        (64, 16, 32, 32, 3, 2, 1),
        (64, 32, 32, 16, 3, 1, 1),
        (64, 32, 64, 16, 3, 2, 1),
        (64, 64, 64, 8, 3, 1, 1),
    ],
    "other": [
        (8, 3, 64, 112, 7, 2, 1),
        (8, 128, 128, 28, 3, 1, 32),
        (1, 64, 64, 56, 3, 1, 1),
    ],
}

# Convolutions of pruned networks, with the share of weights that is left. PyTorch computes all of
# them, and so it does where a mask says that gradients of the others are of no use.
PRUNED: List[Tuple[Shape, float]] = [
    ((8, 64, 64, 56, 3, 1, 1), 0.1),
    ((64, 16, 16, 32, 3, 1, 1), 0.4),
    ((64, 32, 32, 16, 3, 1, 1), 0.2),
    ((64, 64, 64, 8, 3, 1, 1), 0.1),
    ((8, 256, 64, 56, 1, 1, 1), 0.1),
]

# The side at which networks are those for ImageNet: torchvision's, with a thousand classes.
IMAGENET = 224
# Name, input, batches: one evaluation of 2,000 images, or one batch at 224 pixels.
NETWORKS: List[Tuple[str, List[int], int]] = [
    ("resnet20", [50, 1, 28, 28], 40),
    ("mobilenetv2_x0_25", [50, 1, 28, 28], 40),
    ("vit_micro_patch4_28", [50, 1, 28, 28], 40),
    ("resnet18", [8, 3, 224, 224], 1),
    ("mobilenet_v2", [8, 3, 224, 224], 1),
]

# Threads that PyTorch has finished with spin for some milliseconds, on cores that the other side
# would like to have.
SETTLE_SECONDS = 0.01


class Skipped(Exception):
    """A line that cannot be measured here, and why."""


class Worker:
    """ptsbench, computing what it is told line by line."""

    def __init__(self, executable: Path, threads: int) -> None:
        environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            [str(executable)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def seconds(self, request: Dict[str, Any]) -> float:
        """The seconds that ``request`` takes."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"ptsbench failed on {request}")
        if line.startswith("error: "):
            raise Skipped(line[len("error: ") :].strip())
        return float(line)

    def close(self) -> None:
        """Stop it."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


class Row(NamedTuple):
    """One line of the table: what it is, and its two sides.

    Ours computes once and returns the seconds. Theirs is made first, then computes once.
    """

    group: str
    name: str
    ours: Callable[[], float]
    theirs: Callable[[], Callable[[], Any]]


def seconds(work: Callable[[], Any]) -> float:
    """The seconds that ``work`` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def convolution(shape: Shape, gradients: str) -> Callable[[], Any]:
    """The PyTorch side of a convolution."""
    batch, inputs, outputs, side, kernel, stride, groups = shape
    x = torch.randn(batch, inputs, side, side)
    w = torch.randn(outputs, inputs // groups, kernel, kernel) * 0.1

    def forward() -> Tensor:
        return functional.conv2d(x, w, None, stride, kernel // 2, 1, groups)

    wanted = {"none": [], "weight": [w], "both": [w, x]}[gradients]
    for tensor in wanted:
        tensor.requires_grad_()
    seed = torch.ones_like(forward().detach())

    def run() -> None:
        if wanted:
            torch.autograd.grad(forward(), wanted, seed)
        else:
            forward()

    return run


def network(name: str, size: List[int], batches: int) -> Callable[[], Any]:
    """The PyTorch side of a network in evaluation mode, its batch norms folded as ours are."""
    if size[2] == IMAGENET:
        try:
            import torchvision
        except ImportError as error:
            raise Skipped(f"needs torchvision ({error})") from error
        net = getattr(torchvision.models, name)()
    else:
        net = models.build(name, size[1], 10)
    net.eval()
    if any(isinstance(module, nn.BatchNorm2d) for module in net.modules()):
        net = fuse(net)
    x = torch.randn(*size)

    def run() -> None:
        with torch.no_grad():
            for _ in range(batches):
                net(x)

    return run


def rows(worker: Worker, only: str) -> Iterator[Row]:
    """Everything to time."""
    dense = [(group, shape, 1.0) for group, shapes in CONVOLUTIONS.items() for shape in shapes]
    for group, shape, density in dense + [("pruned", *pruned) for pruned in PRUNED]:
        batch, inputs, outputs, side, kernel, stride, groups = shape
        for gradients in ("none", "weight", "both"):
            request = {
                "work": "conv",
                "input": [batch, inputs, side, side],
                "weight": [outputs, inputs // groups, kernel, kernel],
                "stride": stride,
                "groups": groups,
                "density": density,
                "gradients": gradients,
            }
            what = {"none": "fwd", "weight": "fwd+dW", "both": "fwd+dW+dX"}[gradients]
            left = f" {density:.0%} left" if density < 1 else ""
            name = f"{batch} {inputs}->{outputs} {side} k{kernel} s{stride} g{groups}{left} {what}"
            if only in f"{group} {name}":
                ours = partial(worker.seconds, request)
                yield Row(group, name, ours, partial(convolution, shape, gradients))
    for name, size, batches in NETWORKS:
        label = f"{name} {size} x {batches}"
        if only in f"network {label}":
            model = full_name(name, size)
            request = {"work": "model", "model": model, "input": size, "batches": batches}
            ours = partial(worker.seconds, request)
            yield Row("network", label, ours, partial(network, name, size, batches))


def full_name(name: str, size: List[int]) -> str:
    """The name with what the input and ten classes change."""
    if size[2] == IMAGENET:
        return name
    return f"{name}(in_chans={size[1]},img_size={size[2]},num_classes=10)"


def job(arguments: argparse.Namespace, binary: Path, threads: int) -> Row:
    """Block reconstruction of ResNet-20 on CIFAR-10, the whole job."""
    output = Path(tempfile.gettempdir()) / f"vs_pytorch-{os.getpid()}.safetensors"
    command = [
        str(binary), "sparsify", "--model", "resnet20", "--weights", arguments.weights,
        "--data", arguments.data, "--allocator", "l2norm", "--sparsity", "0.8",
        "--reconstruction", "block-sparse-weight+bias-adam(lr=1e-3)",
        "--iterations", str(arguments.iterations), "--calibration", "256", "--batch-size", "32",
        "--limit", "2000", "--format", "json", "--output", str(output),
    ]  # fmt: skip
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    folder, weights = Path(arguments.data.split(":", 1)[1]), Path(arguments.weights)

    def ours() -> None:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"{binary} failed")
        output.unlink()
        record = json.loads(done.stdout)
        found, most = record["metrics"]["top1"], record["peak_rss_bytes"] >> 20
        found = f"dense {found['dense']:.2f}, sparse {found['sparse']:.2f}"
        print(f"ptsbench  top1: {found}, at most {most} MiB", file=sys.stderr)

    name = f"block reconstruction of ResNet-20, {arguments.iterations} iterations a unit"
    def theirs() -> None:
        reconstruct_resnet20(folder, weights, arguments.iterations)
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"PyTorch   at most {most} MiB", file=sys.stderr)

    return Row("job", name, partial(seconds, ours), lambda: theirs)


def built(what: List[str], target: str) -> Path:
    """Build an executable of ours and return its path."""
    command = ["cargo", *what, "--message-format=json"]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for message in map(json.loads, output.splitlines()):
        # Benches build the program too.
        if message.get("executable") and message["target"]["name"] == target:
            return Path(message["executable"])
    sys.exit(f"cargo {' '.join(what)} made no executable called {target}")


def measure(row: Row, rounds: int, least: float) -> Tuple[List[float], List[float]]:
    """Seconds of both sides over interleaved rounds, after one to warm up unless it is the job.

    There are ``rounds`` of them or more, until they add up to ``least`` seconds.
    """
    work = row.theirs()

    def turns() -> Tuple[float, float]:
        time.sleep(SETTLE_SECONDS)
        ours = row.ours()
        time.sleep(SETTLE_SECONDS)
        return ours, seconds(work)

    if row.group != "job":
        turns()
    every: List[Tuple[float, float]] = []
    while len(every) < rounds or (sum(map(sum, every)) < least and len(every) < 20 * rounds):
        every.append(turns())
    return [ours for ours, _ in every], [theirs for _, theirs in every]


def report(row: Row, threads: int, rounds: int, least: float) -> Optional[Dict[str, Any]]:
    """Measure a line, print it and return it, or say why not."""
    try:
        ours, theirs = measure(row, rounds, least)
    except Skipped as why:
        print(f"skipped {row.group}: {row.name}: {why}", file=sys.stderr)
        return None
    medians = statistics.median(ours), statistics.median(theirs)
    ratio = medians[0] / medians[1]
    cells = [f"{median * 1e3:.2f}" for median in medians] + [f"{ratio:.2f}", str(len(ours))]
    print(f"| {threads} | {row.group}: {row.name} | {' | '.join(cells)} |", flush=True)
    return {
        "threads": threads,
        "group": row.group,
        "name": row.name,
        "ptsbench_seconds": ours,
        "pytorch_seconds": theirs,
        "ratio": ratio,
    }


def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = (line.split(":", 1)[1] for line in lines if line.startswith("model name"))
        return next(names).strip()
    except (OSError, StopIteration):
        return platform.processor()


def parsed(argv: Optional[List[str]]) -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--threads", type=int, nargs="+", default=[1], help="numbers of threads (default: 1)")
    add("--rounds", type=int, default=9, help="rounds of each line, at least (default: 9)")
    add("--seconds", type=float, default=0.5, help="time on each line, at least (default: 0.5)")
    add("--only", default="", help="only lines that contain this; `job` runs the job alone")
    add("--json", type=Path, metavar="FILE", help="write the lines here too, with all times")
    add("--data", default="", help="for the job: cifar10:DIR")
    add("--weights", default="", help="for the job: a ResNet-20 for CIFAR-10")
    add("--iterations", type=int, default=300, help="for the job: steps a unit (default: 300)")
    arguments = parser.parse_args(argv)
    if arguments.only == "job":
        if not arguments.data.startswith("cifar10:") or not arguments.weights:
            parser.error("the job needs --data cifar10:DIR and --weights FILE")
    return arguments


def main(argv: Optional[List[str]] = None) -> None:
    """Print the table."""
    arguments = parsed(argv)
    alone = arguments.only == "job"
    if alone:
        executable = built(["build", "--release", "--bin", "ptsbench"], "ptsbench")
    else:
        executable = built(["bench", "--no-run", "--bench", "vs_pytorch"], "vs_pytorch")
    machine = {"processor": processor(), "pytorch": torch.__version__, "system": platform.system()}
    print(f"{machine['processor']}, PyTorch {machine['pytorch']}, {machine['system']}\n")
    print("| threads | work | ptsbench ms | PyTorch ms | ratio | rounds |")
    print("| --- | --- | --- | --- | --- | --- |")
    lines: List[Dict[str, Any]] = []
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        worker = None if alone else Worker(executable, threads)
        work = rows(worker, arguments.only) if worker else [job(arguments, executable, threads)]
        for row in work:
            line = report(row, threads, arguments.rounds, arguments.seconds)
            lines += [line] if line else []
        if worker:
            worker.close()
    if arguments.json:
        arguments.json.write_text(json.dumps({**machine, "lines": lines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
