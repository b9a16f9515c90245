"""The bundled photographs: files that dependencies install, with their authors and licences."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Photograph:
    """A photograph that a dependency carries: where it lies, who made it, on what terms."""

    name: str
    package: str
    path: str
    subject: str
    author: str
    licence: str

    def file(self) -> Path:
        """Path of the file inside the installed package."""
        # find_spec of a top-level name does not import the package
        spec = find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise ValueError(f"{self.name} lies in {self.package}, which is not installed")
        return Path(spec.submodule_search_locations[0], self.path)


def _skimage(name: str, path: str, subject: str, author: str, licence: str) -> Photograph:
    return Photograph(name, "skimage", f"data/{path}", subject, author, licence)


def _sklearn(name: str, path: str, subject: str, author: str, licence: str) -> Photograph:
    return Photograph(name, "sklearn", f"datasets/images/{path}", subject, author, licence)


_NO_RESTRICTION = "no known copyright restrictions"
#: All of them, in the order of the set "photographs".
#: What `load_images` reads by default: where each photograph lies, who made it, on what terms.
PHOTOGRAPHS = (
    _skimage("astronaut", "astronaut.png", "Eileen Collins, astronaut", "NASA", "public domain"),
    _skimage("brick", "brick.png", "brick wall", "CC0Textures", "CC0"),
    _skimage("camera", "camera.png", "photographer with a camera", "Lav Varshney", "CC0"),
    _skimage("cat", "chelsea.png", "Chelsea the cat", "Stefan van der Walt", "CC0"),
    _skimage(
        "clock", "clock_motion.png", "wall clock, camera moved", "Stefan van der Walt",
        "public domain",
    ),
    _skimage("coffee", "coffee.png", "cup of espresso", "Rachel Michetti", "CC0"),
    _skimage("coins", "coins.png", "Greek coins from Pompeii", "Brooklyn Museum", _NO_RESTRICTION),
    _skimage("grass", "grass.png", "lawn", "linolafett", "CC0"),
    _skimage("gravel", "gravel.png", "gravel", "CC0Textures", "CC0"),
    _skimage(
        "hubble", "hubble_deep_field.jpg", "Hubble eXtreme Deep Field", "NASA", "public domain"
    ),
    _skimage(
        "tissue", "ihc.png", "stained colonic tissue under the microscope",
        "Center for Microscopy and Molecular Imaging", _NO_RESTRICTION,
    ),
    _skimage(
        "moon", "moon.png", "surface of the moon", "not stated by scikit-image",
        "distributed with scikit-image",
    ),
    _skimage(
        "motorcycle", "motorcycle_left.png", "motorcycle in a workshop, left of a stereo pair",
        "Nesic, Westling, Wang, Kitajima, Krathwohl, Scharstein (Middlebury 2014)",
        "distributed with scikit-image",
    ),
    _skimage(
        "page", "page.png", "photographed page of print", "not stated by scikit-image",
        "distributed with scikit-image",
    ),
    _skimage("retina", "retina.jpg", "retina of a left eye", "Mikael Häggström", "CC0"),
    _skimage("rocket", "rocket.jpg", "launch of a Falcon 9", "SpaceX", "public domain"),
    _skimage(
        "text", "text.png", "handwriting on a board", "Wikipedia, File:Corner.png",
        "public domain",
    ),
    _sklearn("china", "china.jpg", "Chinese temple roof", "danielbuechele", "CC BY 2.0"),
    _sklearn("flower", "flower.jpg", "dahlia", "vultilion", "CC BY 2.0"),
)  # fmt: skip
