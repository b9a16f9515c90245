"""Encoders of the reader's own: networks of torch and functions of uint8 images."""

import numpy as np
import pytest
import torch
from torch import nn

import leakage
from leakage.vectors.encoders import encoder_digest
from leakage.vectors.vector_cache import cache_folder


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (6, 32, 32), np.uint8)


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(8, 5),
        )  # fmt: skip


@pytest.fixture
def cached(monkeypatch, tmp_path):
    monkeypatch.setenv("LEAKAGE_CACHE", str(tmp_path))
    return lambda: len(list(cache_folder().glob("*.npy")))


def test_a_network_gives_what_it_gives_by_hand(network, images):
    found = leakage.embed(images, network)
    given = torch.from_numpy(images)[:, None].expand(-1, 3, -1, -1).float() / 255
    with torch.no_grad():
        expected = network.eval()(given)
        first = network[0](given)
    assert np.allclose(found, expected.numpy(), atol=1e-6)
    assert leakage.layer_names(network) == (*map(str, range(7)), "output")
    layers = leakage.embed_layers(images, ["0", "output"], network)
    assert np.allclose(layers["0"], first.mean((2, 3)).numpy(), atol=1e-6)
    assert np.array_equal(layers["output"], found)
    rungs = leakage.representations(images, ["histogram", "0:std", "0:grid"], model=network)
    assert np.allclose(rungs["0:std"], first.std((2, 3)).numpy(), atol=1e-5)
    assert rungs["0:grid"].shape == (6, 128)


def test_colour_and_a_function_on_raw_bytes(images, rng):
    colour = rng.integers(0, 256, (4, 32, 32, 3), np.uint8)
    red = leakage.embed(colour, nn.Flatten())
    assert np.allclose(red[:, :1024], colour[..., 0].reshape(4, -1) / 255)
    assert np.array_equal(
        leakage.embed(images, lambda x: x.reshape(len(x), -1) & 1), images.reshape(6, -1) & 1
    )


def test_the_reader_s_network_and_images_stay_as_they_were(network, images):
    network[5].eval()
    modes = [module.training for module in network.modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    kept = images.copy()

    def greedy(batch):
        batch[:] = 0
        return batch[:, 0]

    leakage.embed(images, network)
    leakage.embed(images, greedy)
    assert np.array_equal(images, kept)
    assert [module.training for module in network.modules()] == modes
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not any(module._forward_hooks for module in network.modules())


def test_the_cache_follows_the_weights(network, images, cached):
    first = leakage.embed(images, network)
    assert cached() == 1
    assert np.array_equal(leakage.embed(images, network), first)
    with torch.no_grad():
        network[6].bias += 1
    assert np.allclose(leakage.embed(images, network), first + 1, atol=1e-6)
    assert cached() == 2


def test_what_its_weights_do_not_tell_is_not_kept(network, images, cached):
    class Scaled(nn.Module):
        factor = 1.0

        def forward(self, x):
            return self.factor * x.flatten(1)

    scaled = Scaled()
    one = leakage.embed(images, scaled)
    scaled.factor = 2.0
    assert np.allclose(leakage.embed(images, scaled), 2 * one)
    hook = network[0].register_forward_hook(lambda module, given, output: output * 0)
    assert encoder_digest(network) is None
    leakage.embed(images, network)
    leakage.embed(images, lambda x: x[:, 0])
    assert cached() == 0
    hook.remove()
    assert encoder_digest(network) is not None


def test_hooks_on_all_modules_and_changed_classes_are_not_kept(
    network, images, cached, monkeypatch
):
    relu = nn.modules.module.register_module_forward_hook(lambda module, given, output: output * 2)
    assert encoder_digest(network) is None
    relu.remove()
    assert encoder_digest(network) is not None
    with monkeypatch.context() as patch:
        patch.setattr(nn.ReLU, "forward", lambda self, x: x)
        assert encoder_digest(network) is None
    spoof = {"forward": lambda self, x: x, "__module__": nn.ReLU.__module__}
    network[2] = type("ReLU", (nn.ReLU,), spoof)()
    assert encoder_digest(network) is None


def test_a_plain_tensor_in_place_of_a_parameter(network, images, cached):
    weight = network[0]._parameters.pop("weight").data
    object.__setattr__(network[0], "weight", weight)
    before = leakage.embed(images, network)
    weight *= 2
    assert not np.allclose(leakage.embed(images, network), before)
    assert cached() == 0


@pytest.mark.parametrize("change", ["weights", "eps", "activation", "buffer"])
def test_the_digest_tells_networks_apart(network, change):
    before = encoder_digest(network)
    match change:
        case "weights":
            network[0].weight.data[0, 0, 0, 0] += 1e-6
        case "eps":
            network[1].eps = 1e-2
        case "activation":
            network[2] = nn.Sigmoid()
        case "buffer":
            network[1].running_mean += 1
    assert encoder_digest(network) not in (before, None)


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        (nn.Linear(7, 2), {}, "the encoder Linear failed on uint8 images of shape"),
        (lambda x: x.missing, {}, "the encoder <lambda> failed .* AttributeError"),
        (lambda x: np.zeros((1, 3)), {}, "one row for each of 6 images"),
        (lambda x: np.full((len(x), 3), np.nan), {}, "not finite"),
        (lambda x: np.zeros((len(x), 0)), {}, "holds no numbers"),
        (lambda x: ["a"] * len(x), {}, "not an array of numbers"),
        (nn.Flatten(), {"layer": "stem"}, "Flatten has no layer 'stem'; it has output"),
        (nn.Flatten(), {"weights": None}, "weights is for networks that are named"),
        (nn.Flatten(), {"precision": "bfloat16"}, "precision is for networks that are named"),
    ],
)
def test_errors_name_the_encoder(images, model, options, says):
    with pytest.raises(ValueError, match=says):
        leakage.embed(images, model, **options)


@pytest.mark.parametrize("model", [3, None, nn.Linear, [1]])
def test_no_encoder(images, model):
    with pytest.raises(TypeError, match="or a function of uint8 images"):
        leakage.embed(images, model)


def test_a_layer_that_takes_no_part(images):
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Flatten(), nn.Flatten()

        def forward(self, x):
            return self.used(x)

    with pytest.raises(ValueError, match="layer 'idle' took no part"):
        leakage.embed(images, Half(), layer="idle")
    with pytest.raises(ValueError, match=r"layer_names\(Half\)"):
        leakage.representations(images, model=Half())
