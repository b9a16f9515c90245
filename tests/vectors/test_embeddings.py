from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision.models import VisionTransformer

import leakage
from leakage.pictures.photographs import PHOTOGRAPHS
from leakage.vectors import efficientnet_lite, layers
from leakage.vectors.efficientnet_lite import SIZES, build_network, lite_layers, stored_weights
from leakage.vectors.layers import BATCH_PIXELS


@pytest.mark.parametrize(("name", "label"), [("cat", 285), ("coffee", 967)])
def test_knows_what_it_sees(name, label):
    photograph = next(p for p in PHOTOGRAPHS if p.name == name)
    whole = leakage.load_images(photograph.file(), size=None, mode="rgb").images
    assert leakage.embed(whole, layer="classifier").argmax() == label


def reference(x, name):
    """The network from its stored weights, batch normalisation as such, TensorFlow's padding."""
    w = stored_weights(name)

    def conv(x, name, norm, stride=1, groups=1):
        weight = w[f"{name}.weight"]
        kernel = weight.shape[-1]
        pad = max((-(-x.shape[-1] // stride) - 1) * stride + kernel - x.shape[-1], 0)
        x = F.pad(x, (pad // 2, pad - pad // 2, pad // 2, pad - pad // 2))
        x = F.conv2d(x, weight, stride=stride, groups=groups)
        stats = [w[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *stats, eps=1e-3)

    x = F.relu6(conv(x, "_conv_stem", "_bn0", 2))
    small = name == "efficientnet_lite0"
    strides = dict.fromkeys((1, 3, 5, 11) if small else (1, 4, 7, 15), 2)
    i = 0
    while f"_blocks.{i}._project_conv.weight" in w:
        y, block = x, f"_blocks.{i}."
        if i:
            y = F.relu6(conv(y, block + "_expand_conv", block + "_bn0"))
        stride, channels = strides.get(i, 1), y.shape[1]
        y = F.relu6(conv(y, block + "_depthwise_conv", block + "_bn1", stride, channels))
        y = conv(y, block + "_project_conv", block + "_bn2")
        x = x + y if x.shape == y.shape else y
        i += 1
    x = F.relu6(conv(x, "_conv_head", "_bn1")).mean((2, 3))
    return x @ w["_fc.weight"].T + w["_fc.bias"]


def network_outputs(network, images):
    early = dict(network.early(images))
    return early | dict(network.late(early[efficientnet_lite.LAST_EARLY]))


def scaled(images):
    """As the weights expect them, (N, 3, H, W)."""
    mean, spread = (torch.tensor(v) for v in (efficientnet_lite.MEAN, efficientnet_lite.STD))
    color = images if images.ndim == 4 else images[..., None].expand(*images.shape, 3)
    return ((color / 255 - mean) / spread).permute(0, 3, 1, 2)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("name", "shape"),
    [*(("efficientnet_lite0", shape) for shape in [(2, 32, 32), (2, 57, 57), (2, 64, 64),
                                                   (2, 57, 57, 3)]),
     ("efficientnet_lite1", (2, 57, 57)), ("efficientnet_lite2", (2, 57, 57, 3))],
)  # fmt: skip
def test_against_unfolded_reference(name, shape, packed, rng):
    """Borders included: padding means a sample of the mean, not a sample of 0."""
    images = torch.from_numpy(rng.integers(0, 256, shape, np.uint8))
    network = build_network(name)
    if packed:
        network.pack()
    with torch.inference_mode():
        found = network(images)
        torch.testing.assert_close(found, reference(scaled(images), name), rtol=1e-3, atol=1e-3)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch is without oneDNN")
@pytest.mark.parametrize("shape", [(2, 57, 64), (3, 32, 47), (2, 57, 64, 3)])
def test_packed_is_the_same(shape, rng):
    images = torch.from_numpy(rng.integers(0, 256, shape, np.uint8))
    plain, packed = build_network(), build_network()
    packed.pack()
    assert packed.head.packed is not None
    with torch.inference_mode():
        expected, found = (network_outputs(network, images) for network in (plain, packed))
    assert list(found) == list(lite_layers("efficientnet_lite0"))
    for name in found:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("namespace", "gone"),
    [("mkldnn", "_convolution_pointwise"), ("mkldnn", "_is_mkldnn_bf16_supported"),
     ("aten", "mkldnn_reorder_conv2d_weight")],
)  # fmt: skip
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_without_oneDNNs_operators_the_plain_ones_do_the_same(
    namespace, gone, precision, photographs, monkeypatch
):
    """They are private to torch, which may rename them."""
    there = getattr(torch.ops, namespace)
    left = SimpleNamespace(**{name: getattr(there, name) for name in dir(there) if name != gone})
    monkeypatch.setattr(torch.ops, namespace, left)
    network = build_network()
    network.reduce(getattr(torch, precision))
    images = torch.from_numpy(photographs.images[:2])
    with torch.inference_mode():
        expected = network_outputs(network, images)
        network.pack()
        assert network.head.packed is None
        found = network_outputs(network, images)
    for name in found:
        assert torch.equal(found[name], expected[name])


def test_layers_and_shapes(photographs):
    images = photographs.images[:3]
    names = leakage.layer_names()
    found = leakage.embed_layers(images, names)
    assert tuple(found) == names
    for name, vectors in found.items():
        assert vectors.dtype == np.float32
        assert vectors.shape == (3, vectors.shape[1])
        assert np.array_equal(vectors, leakage.embed(images, layer=name))
    assert np.array_equal(found["head"], leakage.embed(images))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_vectors_do_not_depend_on_the_batch(photographs, precision, monkeypatch):
    """More images than one batch, which pass through the first blocks in parts, or few by few."""
    images = photographs.images[:40]
    names = ["stem", "blocks.2", "blocks.3", "head"]

    def embedded():
        return leakage.embed_layers(images, names, precision=precision, device="cpu", cache=False)

    together = embedded()
    monkeypatch.setitem(BATCH_PIXELS, "cpu", 7 * 64 * 64)
    monkeypatch.setattr("leakage.vectors.layers.EARLY_PIXELS", 3 * 64 * 64)
    for layer, vectors in embedded().items():
        assert np.allclose(vectors, together[layer], rtol=1e-4, atol=1e-5)


def test_gray_is_three_equal_channels(photographs):
    images = photographs.images[:3]
    colour = np.repeat(images[..., None], 3, -1)
    assert np.allclose(leakage.embed(images), leakage.embed(colour), rtol=1e-4, atol=1e-4)


def test_bfloat16_is_near(photographs):
    """Two digits, and the same neighbours: the vectors are good for what they are used for."""
    images = photographs.images[:100]
    exact, near = (leakage.embed(images, precision=p) for p in ("float32", "bfloat16"))
    assert near.dtype == np.float32
    assert 0 < np.linalg.norm(near - exact) < 0.05 * np.linalg.norm(exact)
    distance = np.linalg.norm(exact[:, None] - near[None], axis=-1)
    assert np.array_equal(distance.argmin(1), np.arange(100))


@pytest.mark.slow
def test_compiled_is_the_same(photographs):
    """For a second size of images too: with sizes left open its compilation did not end."""
    whole_and_part = photographs.images[:140]
    for images in (whole_and_part, whole_and_part[:20, :48, :56]):
        for names, model, weights in (
            (["stem", "head"], "efficientnet_lite0", "default"),
            (["features.1"], "mobilenet_v3_small", None),
        ):
            plain, compiled = (
                leakage.embed_layers(images, names, model, weights=weights, compiled=c, cache=False)
                for c in (False, True)
            )
            for layer in names:
                assert np.allclose(plain[layer], compiled[layer], rtol=1e-3, atol=1e-3)


def test_batches_do_not_matter(photographs):
    many = leakage.embed(photographs.images[:100])
    assert np.allclose(many[90:95], leakage.embed(photographs.images[90:95]), atol=1e-4)


def test_results_are_cached_by_content(photographs, monkeypatch):
    first = leakage.embed(photographs.images[10:14])

    def refuse(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(leakage.vectors.embeddings, "pooled_layers", refuse)
    assert np.array_equal(leakage.embed(photographs.images[10:14].copy()), first)
    changed = photographs.images[10:14].copy()
    changed[0, 0, 0] ^= 1
    with pytest.raises(AssertionError, match="computed again"):
        leakage.embed(changed)


def test_untrained_control(photographs):
    images = photographs.images[:2]
    state = torch.get_rng_state()
    first, again, other = (leakage.embed(images, weights=None, seed=s) for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    assert not np.allclose(first, leakage.embed(images))
    assert torch.equal(torch.get_rng_state(), state)


def test_torchvision_models(photographs):
    images = photographs.images[:2]
    state = torch.get_rng_state()
    last = leakage.embed(images, "mobilenet_v3_small", weights=None, seed=3)
    early = leakage.embed(images, "mobilenet_v3_small", layer="features.1", weights=None, seed=3)
    assert last.shape == (2, 1024)
    assert early.shape == (2, 16)
    assert torch.equal(torch.get_rng_state(), state)
    assert "features.0" in leakage.layer_names("mobilenet_v3_small")


def test_a_grid_of_tokens_is_refused(photographs, monkeypatch):
    """A vision transformer's layer is a row of tokens, of which one is no place at all."""

    def small(model, weights, seed):
        sizes = {"num_layers": 1, "num_heads": 1, "hidden_dim": 4, "mlp_dim": 4}
        network = VisionTransformer(image_size=224, patch_size=32, **sizes)
        return network.eval().requires_grad_(False)

    monkeypatch.setattr(layers, "_torchvision_model", small)
    layers._forward.cache_clear()
    images, tokens = photographs.images[:2], "encoder.layers.encoder_layer_0"
    of = {"model": "vit_b_32", "weights": None, "cache": False}
    assert leakage.embed_layers(images, [tokens], pooling="std", **of)[tokens].shape == (2, 4)
    assert leakage.embed_layers(images, ["conv_proj"], pooling="grid", **of)["conv_proj"].shape == (
        2, 64,
    )  # fmt: skip
    with pytest.raises(ValueError, match=f"layer '{tokens}' gives 50 tokens .*by 'mean' or 'std'"):
        leakage.embed_layers(images, [tokens], pooling="grid", **of)
    layers._forward.cache_clear()


def test_histogram(photographs):
    images = photographs.images[:3]
    expected = [np.bincount(x.ravel(), minlength=256) / 4096 for x in images]
    assert np.allclose(leakage.embed(images, "histogram"), expected)
    colour = leakage.load_images(count=2, mode="rgb").images
    assert leakage.embed(colour, "histogram").shape == (2, 768)
    red = np.bincount(colour[1, ..., 0].ravel(), minlength=256) / 4096
    assert np.allclose(leakage.embed(colour, "histogram")[1, :256], red)


def test_changed_weights_are_refused(monkeypatch):
    changed = SIZES["efficientnet_lite0"]._replace(sha256="0" * 64)
    monkeypatch.setitem(SIZES, "efficientnet_lite0", changed)
    with pytest.raises(ValueError, match="reinstall it"):
        build_network()


def test_no_network_for_weights(photographs, monkeypatch, tmp_path):
    def refuse(*args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    with pytest.raises(ValueError, match="could not be downloaded") as caught:
        leakage.embed(photographs.images[:2], "mobilenet_v3_small")
    assert "efficientnet_lite0" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"model": "resnet1000"}, "no model 'resnet1000'"),
        ({"layer": "block.1"}, "has no layer 'block.1'; it has stem"),
        ({"model": "histogram", "layer": "stem"}, "histogram has no layer 'stem'"),
        ({"device": "tpu"}, "device must be 'auto', 'cpu' or 'cuda', not 'tpu'"),
        ({"precision": "float16"}, "precision must be 'float32' or 'bfloat16', not 'float16'"),
        ({"weights": "imagenet"}, "weights must be 'default' or None, not"),
    ],
)
def test_bad_requests(arguments, says, photographs):
    with pytest.raises(ValueError, match=says):
        leakage.embed(photographs.images[:2], **arguments)


def test_bad_images():
    with pytest.raises(ValueError, match="must be uint8"):
        leakage.embed(np.zeros((2, 32, 32)))


def test_a_whole_photograph_is_read_as_pillow_reads_it():
    cat = next(p for p in PHOTOGRAPHS if p.name == "cat").file()
    with Image.open(cat) as picture:
        expected = np.asarray(picture.convert("RGB"))
    assert np.array_equal(leakage.load_images(cat, size=None, mode="rgb").images[0], expected)


def test_the_ladder(photographs):
    images = photographs.images[:20]
    found = leakage.representations(images)
    assert list(found)[:3] == ["histogram", "patch statistics", "stem"]
    assert all(len(v) == 20 and v.dtype == np.float32 for v in found.values())
    assert np.array_equal(found["stem"], leakage.embed(images, layer="stem"))


def test_patch_statistics_by_hand(rng):
    images = rng.integers(0, 256, (3, 8, 12), dtype=np.uint8)
    found = leakage.representations(images, ["patch statistics"])["patch statistics"]
    cell = images[:, 2:4, 3:6].astype(float).reshape(3, -1)  # second row and column of four
    assert found[:, 5] == pytest.approx(cell.mean(1), rel=1e-6)
    assert found[:, 16 + 5] == pytest.approx(cell.std(1), rel=1e-5)


def test_pooling_of_a_layer(photographs):
    images = photographs.images[:4]
    found = leakage.representations(images, ["stem", "stem:grid", "stem:std"])
    # a 64-pixel patch gives the stem a 32x32 map, which the grid divides evenly
    grid = found["stem:grid"].reshape(4, 32, 16)
    assert grid.mean(2) == pytest.approx(found["stem"], abs=1e-5)
    assert (found["stem:std"] >= 0).all()
    with pytest.raises(ValueError, match="pooling must be 'mean', 'std' or 'grid'"):
        leakage.representations(images, ["stem:max"])
    with pytest.raises(ValueError, match="no layer 'nonsense'"):
        leakage.representations(images, ["nonsense"])
    with pytest.raises(ValueError, match="name the rungs"):
        leakage.representations(images, model="resnet18")


@pytest.mark.parametrize("name", ["embed_layers", "representations"])
def test_one_name_is_no_list_of_names(name):
    with pytest.raises(TypeError, match=r"must be a list of names; write \['stem'\]"):
        getattr(leakage, name)(np.zeros((2, 32, 32), np.uint8), "stem")
