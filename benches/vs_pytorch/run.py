#!/usr/bin/env python3
"""Time the same work in PyTorch and in ptsbench, and print ratios of medians.

Both sides take turns in every round, with the same number of threads, so that whatever else the
machine does falls on both alike. A ratio is ptsbench / PyTorch: below 1, ptsbench is faster.

Needs PyTorch 1.13 or newer and NumPy (Debian: ``python3-torch``) and a Rust toolchain; networks
besides the embedded ones need torchvision. Run it on an idle machine.

Examples:
    benches/vs_pytorch/run.py --threads 1 2
    benches/vs_pytorch/run.py --only job --data cifar10:PATH --weights PATH/resnet20.safetensors
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor
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

# Name, input, batches: one evaluation of 2,000 images, or one batch at 224 pixels.
NETWORKS: List[Tuple[str, List[int], int]] = [
    ("resnet20", [50, 1, 28, 28], 40),
    ("mobilenetv2_x0_25", [50, 1, 28, 28], 40),
    ("vit_micro_patch4_28", [50, 1, 28, 28], 40),
    ("resnet18", [8, 3, 224, 224], 1),
    ("mobilenet_v2", [8, 3, 224, 224], 1),
]


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
        """Compute ``request`` once."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"ptsbench failed on {request}")
        return float(line)

    def close(self) -> None:
        """Stop it."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


class Row(NamedTuple):
    """One line of the table: what it is, and its two sides."""

    group: str
    name: str
    ours: Callable[[], float]
    theirs: Callable[[], float]


def timed(work: Callable[[], Any]) -> Callable[[], float]:
    """What returns the seconds that ``work`` takes."""

    def run() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return run


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


def network(name: str, shape: List[int], batches: int) -> Callable[[], Any]:
    """The PyTorch side of a network in evaluation mode."""
    if shape[2] == 224:
        import torchvision

        net = getattr(torchvision.models, name)(weights=None)
    else:
        net = models.build(name, shape[1], 10)
    net.eval()
    x = torch.randn(*shape)

    def run() -> None:
        with torch.no_grad():
            for _ in range(batches):
                net(x)

    return run


def rows(worker: Worker, only: str) -> Iterator[Row]:
    """Everything to time."""
    for group, shapes in CONVOLUTIONS.items():
        for shape in shapes:
            batch, inputs, outputs, side, kernel, stride, groups = shape
            for gradients in ("none", "weight", "both"):
                request = {
                    "work": "conv",
                    "input": [batch, inputs, side, side],
                    "weight": [outputs, inputs // groups, kernel, kernel],
                    "stride": stride,
                    "groups": groups,
                    "gradients": gradients,
                }
                what = {"none": "fwd", "weight": "fwd+dW", "both": "fwd+dW+dX"}[gradients]
                name = f"{batch} {inputs}->{outputs} {side} k{kernel} s{stride} g{groups} {what}"
                if only in f"{group} {name}":
                    theirs = timed(convolution(shape, gradients))
                    yield Row(group, name, lambda r=request: worker.seconds(r), theirs)
    for name, shape, batches in NETWORKS:
        label = f"{name} {shape} x {batches}"
        if only in f"network {label}":
            request = {"work": "model", "model": full_name(name, shape), "input": shape, "batches": batches}
            theirs = timed(network(name, shape, batches))
            yield Row("network", label, lambda r=request: worker.seconds(r), theirs)


def full_name(name: str, shape: List[int]) -> str:
    """The name with what the input and ten classes change."""
    if shape[2] == 224:
        return name
    return f"{name}(in_chans={shape[1]},img_size={shape[2]},num_classes=10)"


def job(arguments: argparse.Namespace, binary: Path, threads: int) -> Row:
    """Block reconstruction of ResNet-20 on CIFAR-10, the whole job."""
    folder = arguments.data.split(":", 1)[1]
    command = [
        str(binary), "sparsify", "--model", "resnet20", "--weights", arguments.weights,
        "--data", arguments.data, "--allocator", "l2norm", "--sparsity", "0.8",
        "--reconstruction", "block-sparse-weight+bias-adam(lr=1e-3)", "--iterations", str(arguments.iterations),
        "--calibration", "256", "--batch-size", "32", "--limit", "2000", "--overwrite",
        "--output", "/dev/shm/vs_pytorch.safetensors",
    ]  # fmt: skip
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}

    def ours() -> None:
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def theirs() -> None:
        reconstruct_resnet20(Path(folder), Path(arguments.weights), arguments.iterations)

    name = f"block reconstruction of ResNet-20, {arguments.iterations} iterations a unit"
    return Row("job", name, timed(ours), timed(theirs))


def built(what: List[str]) -> Path:
    """Build an executable of ours and return its path."""
    command = ["cargo", *what, "--message-format=json"]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in output.splitlines()]
    return Path([m["executable"] for m in messages if m.get("executable")][-1])


def measure(row: Row, rounds: int, least: float) -> Tuple[float, float, int]:
    """Median seconds of both sides over interleaved rounds, at least ``least`` seconds of them."""
    if row.group != "job":
        row.ours()
        row.theirs()
    ours: List[float] = []
    theirs: List[float] = []
    while len(ours) < rounds or (sum(ours) + sum(theirs) < least and len(ours) < 20 * rounds):
        ours.append(row.ours())
        theirs.append(row.theirs())
    return statistics.median(ours), statistics.median(theirs), len(ours)


def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def main(argv: Optional[List[str]] = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="numbers of threads (default: 1)")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each line, at least (default: 9)")
    parser.add_argument("--seconds", type=float, default=0.5, help="time on each line, at least (default: 0.5)")
    parser.add_argument("--only", default="", help="only lines that contain this; `job` is only run when asked for")
    parser.add_argument("--data", default="", help="for the job: cifar10:DIR")
    parser.add_argument("--weights", default="", help="for the job: a ResNet-20 for CIFAR-10, .safetensors")
    parser.add_argument("--iterations", type=int, default=300, help="for the job: iterations a unit")
    arguments = parser.parse_args(argv)
    print(f"{processor()}, PyTorch {torch.__version__}, {platform.system()}\n")
    print("| threads | work | ptsbench ms | PyTorch ms | ratio | rounds |")
    print("| --- | --- | --- | --- | --- | --- |")
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        if arguments.only == "job":
            every: Iterator[Row] = iter([job(arguments, built(["build", "--release"]), threads)])
            close: Callable[[], None] = lambda: None
        else:
            worker = Worker(built(["bench", "--no-run", "--bench", "vs_pytorch"]), threads)
            every, close = rows(worker, arguments.only), worker.close
        for row in every:
            ours, theirs, rounds = measure(row, arguments.rounds, arguments.seconds)
            cells = [threads, f"{row.group}: {row.name}", f"{ours * 1e3:.2f}", f"{theirs * 1e3:.2f}"]
            print("| " + " | ".join(map(str, [*cells, f"{ours / theirs:.2f}", rounds])) + " |", flush=True)
        close()


if __name__ == "__main__":
    main()
