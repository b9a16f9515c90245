"""How every figure looks: the book's, a report's, a session's."""

STYLE = {
    "figure.facecolor": "white", "savefig.facecolor": "white", "figure.dpi": 110,
    "axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 2,
    "axes.grid": True, "grid.alpha": 0.3, "font.size": 10, "legend.frameon": False,
}  # fmt: skip
# Okabe and Ito (2008): told apart by readers with any colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
