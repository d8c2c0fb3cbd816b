"""Moving weights in and out of networks, and measuring what networks predict."""

from __future__ import annotations

from typing import Dict

import numpy as np
import torch
from torch import nn


def predict(model: nn.Module, inputs: np.ndarray, batch: int = 500) -> np.ndarray:
    """The logits of network inputs, computed in evaluation mode."""
    model.eval()
    with torch.no_grad():
        parts = [model(part).numpy() for part in torch.from_numpy(inputs).split(batch)]
    return np.concatenate(parts)


def top_k(logits: np.ndarray, labels: np.ndarray, k: int = 1) -> float:
    """The percentage of rows with the label among the ``k`` largest logits."""
    best = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return 100.0 * float((best == labels[:, None]).any(axis=1).mean())


def load_state(model: nn.Module, tensors: Dict[str, np.ndarray]) -> None:
    """Load tensors that lack only the batch counters of batch norms."""
    state = {name: torch.from_numpy(array) for name, array in tensors.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(f"missing {missing}, unexpected {unexpected}")


def state_arrays(model: nn.Module) -> Dict[str, np.ndarray]:
    """All parameters and buffers but the batch counters of batch norms, as f32."""
    return {
        name: tensor.detach().numpy()
        for name, tensor in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
