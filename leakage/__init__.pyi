# The public face: what `import leakage` offers, and where each name is written. lazy_loader reads
# this file at run time and imports a name when it is first used; type checkers read it too.
from . import (
    attacks,
    audits,
    estimators,
    evidence,
    metrics,
    notebook,
    pictures,
    schemes,
    studies,
    truth,
    vectors,
)
from .audits.auditing import audit
from .audits.comparing import Comparison, compare
from .audits.planning import plan
from .audits.report import Audit
from .audits.tables import audit_table
from .estimate import Estimate
from .estimators.canonical import canonical_test, spiked_cca
from .estimators.certified import certified_mi
from .estimators.counting import plug_in
from .estimators.cross_fitting import estimate_mi, mine
from .estimators.leak_maps import LeakMap, leak_map
from .estimators.nearest_neighbours import ksg
from .estimators.neighbourhoods import neighbourhood_mi, neighbourhood_mi_in_batches
from .estimators.patches import patch_mi, patch_mi_in_batches
from .estimators.pixels import pixel_mi, pixel_mi_in_batches
from .estimators.spatial import spatial_share
from .pictures.batches import image_batches
from .pictures.image_sets import ImageSet, load_images
from .schemes import decrypt_jpeg, encrypt_jpeg, get_scheme, list_schemes
from .schemes.batches import encrypt_batches
from .studies.board_runs import board_score, board_summary, run_board
from .studies.running import study
from .truth.board import board_tasks
from .truth.closed_forms import capacity, exact_leakage, maximal_leakage
from .vectors.embeddings import embed, embed_layers, layer_names, representations

__version__: str

__all__ = [
    "Audit",
    "Comparison",
    "Estimate",
    "ImageSet",
    "LeakMap",
    "__version__",
    "attacks",
    "audit",
    "audit_table",
    "audits",
    "board_score",
    "board_summary",
    "board_tasks",
    "canonical_test",
    "capacity",
    "certified_mi",
    "compare",
    "decrypt_jpeg",
    "embed",
    "embed_layers",
    "encrypt_batches",
    "encrypt_jpeg",
    "estimate_mi",
    "estimators",
    "evidence",
    "exact_leakage",
    "get_scheme",
    "image_batches",
    "ksg",
    "layer_names",
    "leak_map",
    "list_schemes",
    "load_images",
    "maximal_leakage",
    "metrics",
    "mine",
    "neighbourhood_mi",
    "neighbourhood_mi_in_batches",
    "notebook",
    "patch_mi",
    "patch_mi_in_batches",
    "pictures",
    "pixel_mi",
    "pixel_mi_in_batches",
    "plan",
    "plug_in",
    "representations",
    "run_board",
    "schemes",
    "spatial_share",
    "spiked_cca",
    "studies",
    "study",
    "truth",
    "vectors",
]
