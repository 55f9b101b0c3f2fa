"""Run the shipped model on a recorded session, then compare it with its 8-bit variant."""

from edgeinfer.backends.base import Backend
from edgeinfer.backends.onnx import OnnxBackend
from edgeinfer.model.card import default_folder, load_card
from edgeinfer.parity import compare, recorded_windows

card = load_card(default_folder())
windows = list(recorded_windows(["walking-upper-leg"], length=card.window.length, hop=100))[:20]

backend: Backend = OnnxBackend(card)
print(backend.open())
scores = backend.infer(windows[0]).motif_scores
backend.close()
top = int(scores.argmax())
print(f"motif {card.motif_names[top]}: {scores[top]:.2f}")

report = compare(OnnxBackend(card), OnnxBackend(card, "cpu_int8"), windows)
print(f"same top motif in {report.agreement:.0%} of {report.windows} windows; cosine {report.cosine_mean:.4f}")
