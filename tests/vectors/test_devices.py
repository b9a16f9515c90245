"""Processor and GPU: the same vectors, and float32 means float32."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import leakage
from leakage.vectors import layers
from leakage.vectors.layers import Run, pooled_layers

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@needs_gpu
@pytest.mark.parametrize(
    ("model", "weights"), [("efficientnet_lite0", "default"), ("mobilenet_v3_small", None)]
)
def test_gpu_gives_what_the_cpu_gives(photographs, model, weights):
    images = photographs.images[:300]
    options = {"weights": weights, "cache": False}
    layer = leakage.layer_names(model)[-1]
    cpu, gpu, auto = (
        leakage.embed_layers(images, [layer], model, device=device, **options)[layer]
        for device in ("cpu", "cuda", "auto")
    )
    assert np.array_equal(gpu, auto)
    assert np.allclose(cpu, gpu, rtol=1e-3, atol=1e-3)


@needs_gpu
def test_a_gpu_does_not_round_float32(photographs):
    """The caller allows TensorFloat-32: of ours nothing changes, and the setting stays."""
    images, tf32 = photographs.images[:50], layers._tf32_switches()
    default = leakage.embed(images, device="cuda")
    before = [getattr(where, name) for where, name, _ in tf32]
    allowed = "tf32" if tf32[0][1] == "fp32_precision" else True
    try:
        for where, name, _ in tf32:
            setattr(where, name, allowed)
        run = Run("efficientnet_lite0", ("head",), "default", 0, "mean", "cuda", "float32", False)
        found = pooled_layers(images, run)["head"]
        assert [getattr(where, name) for where, name, _ in tf32] == [allowed, allowed]
    finally:
        for (where, name, _), setting in zip(tf32, before, strict=True):
            setattr(where, name, setting)
    assert np.array_equal(found, default)
    assert np.allclose(found, leakage.embed(images, device="cpu"), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_tf32_is_off_for_float32_on_a_gpu_alone_and_comes_back(precision, fails, monkeypatch):
    """What happens on a GPU, shown on a device that is not there."""
    places = [SimpleNamespace(allow_tf32=value) for value in (True, False)]
    seen = []

    def forward(batch):
        seen.append([place.allow_tf32 for place in places])
        if fails:
            raise OverflowError
        return {"head": batch.float()}

    monkeypatch.setattr(
        layers, "_tf32_switches", lambda: [(place, "allow_tf32", False) for place in places]
    )
    monkeypatch.setattr(layers, "_forward", lambda run: forward)
    monkeypatch.setattr(layers, "_on_device", lambda images, *_: [torch.from_numpy(images)])
    run = Run("efficientnet_lite0", ("head",), "default", 0, "mean", "cuda", precision, False)
    with pytest.raises(OverflowError) if fails else nullcontext():
        pooled_layers(np.zeros((2, 4, 4), np.uint8), run)
    assert seen == [[precision == "bfloat16", False]]
    assert [place.allow_tf32 for place in places] == [True, False]


def test_torchs_own_switches_of_tf32_come_back():
    def state():
        return [getattr(where, name) for where, name, _ in layers._tf32_switches()]

    before = state()
    assert before[1] in ("tf32", True), "of convolutions, torch's default"
    with layers._whole_float32():
        assert all(value in ("none", "ieee", False) for value in state())
    assert state() == before


@needs_gpu
def test_gpu_takes_bfloat16_and_colour():
    images = leakage.load_images(count=20, mode="rgb").images
    exact = leakage.embed(images, device="cpu")
    near = leakage.embed(images, device="cuda", precision="bfloat16")
    assert np.linalg.norm(near - exact) < 0.08 * np.linalg.norm(exact)


def test_auto_is_the_cpu_where_there_is_no_gpu(photographs, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    images = photographs.images[:2]
    assert np.array_equal(leakage.embed(images), leakage.embed(images, device="cpu"))
    with pytest.raises(ValueError, match="torch sees no GPU; use device='cpu'"):
        leakage.embed(images, device="cuda:1")


def test_batches_go_to_the_device_pinned_and_in_order(photographs, monkeypatch):
    """What happens on a GPU, shown on a device that is not there."""
    sent = []

    class Sent(torch.Tensor):
        def pin_memory(self):
            sent.append("pinned")
            return self

        def to(self, device, non_blocking):
            sent.append((device, non_blocking))
            return self

    monkeypatch.setattr(torch, "from_numpy", lambda x: torch.tensor(x).as_subclass(Sent))
    found = list(layers._on_device(photographs.images[:5], 2, "cuda"))
    assert sent == ["pinned", ("cuda", True)] * 3
    assert np.array_equal(torch.cat(found).numpy(), photographs.images[:5])
