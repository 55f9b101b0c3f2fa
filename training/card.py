"""Measures the shipped graphs and writes the card: what the code reads, and what people should know."""

# ruff: noqa: TID253  (torch is what this folder is for)

import platform
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from training import card_json, elsewhere, metrics, quantize
from training.augment import with_magnetometer, without_magnetometer
from training.dataset import FloatArray
from training.evaluate import EVALUATION_SEED, judge, reconstruction
from training.graph import LENGTH
from training.network import CHANNELS, LATENT
from training.outputs import Outputs, open_graph, run_graph, run_network, softmax
from training.prepare import load_windows
from training.ship import CPU, CPU_INT8, DEVICE, Shipment
from training.statistics import CONFIDENCE_EDGES, DECILES, population_stability_index, shares, usual_windows
from training.train import to_network
from training.windows import WindowSet

TIMED_CALLS = 2000

MAGNETOMETER = {
    "rule": "An absent magnetometer is three zeros in µT; mean 0 and std 30 make that zero for the network.",
    "training": "No magnetometer was recorded. One was simulated from orientation (dip 45 to 75 degrees, "
    "35 to 60 µT, hard iron 8 µT, noise 0.5 µT) and left out of half of the windows.",
    "meaning": "A magnetometer is tolerated; it adds nothing to accuracy.",
}
BASELINE_NOTE = (
    "Outputs on all windows of the validation people, once without and once with a simulated magnetometer. "
    "The shipped network was trained on these people too; how far unseen people lie from it is given under results."
)


def measure(shipment: Shipment) -> dict[str, Any]:
    """Return every figure of the shipped graphs, on the people who were never trained on."""
    test = load_windows(shipment.dataset, shipment.work).of(shipment.dataset.test_people)
    labelled = test.labelled()
    windows = without_magnetometer(labelled.motion)
    cpu = shipment.folder / CPU
    outputs = run_graph(cpu, windows)
    print("measuring the shipped graphs", flush=True)
    return {
        "test": _test_figures(shipment, labelled, outputs),
        "calibration": _calibration(shipment, labelled, outputs),
        "reconstruction_r2": reconstruction(shipment.run, labelled),
        "export_parity": _export_parity(shipment, windows),
        "int8": _int8(shipment, labelled),
        "latent": _latent(shipment, test),
        "drift_between_baseline_and_test_people": _drift(cpu, shipment, test),
        "elsewhere": elsewhere.measure(cpu, shipment.dataset, shipment.work),
        "latency": {variant: _latency(shipment.folder / variant, windows) for variant in (CPU, CPU_INT8)},
        "parameters": _parameters(shipment),
        "operations": {file: _operations(shipment.folder / file) for file in (CPU, CPU_INT8, DEVICE)},
    }


def _test_figures(shipment: Shipment, source: WindowSet, outputs: Outputs) -> dict[str, Any]:
    names = [name for name, _group, _description in shipment.dataset.motifs]
    f1 = metrics.class_f1(source.labels, outputs.motifs, len(names))
    counts = np.bincount(source.labels, minlength=len(names))
    return {
        **judge(shipment.run, source, shipment.dataset),
        "windows": len(source),
        "windows_per_motif": dict(zip(names, counts.tolist(), strict=True)),
        "f1_per_motif": dict(zip(names, f1.tolist(), strict=True)),
        "accuracy_per_person": metrics.per_person(source.labels, outputs.motifs, source.people),
        "confusion_matrix": metrics.confusion(source.labels, outputs.motifs, len(names)),
    }


def _calibration(shipment: Shipment, source: WindowSet, outputs: Outputs) -> dict[str, float]:
    raw = softmax(outputs.logits * shipment.temperature, 1.0)
    scores = np.exp(outputs.logits)
    return {
        "temperature": shipment.temperature,
        "expected_calibration_error_raw": metrics.expected_calibration_error(raw, source.labels),
        "expected_calibration_error": metrics.expected_calibration_error(scores, source.labels),
    }


def _export_parity(shipment: Shipment, windows: FloatArray) -> dict[str, float]:
    """Return the largest differences between torch, the CPU graph and the device graph."""
    reference = run_network(shipment.run, windows)
    outputs = run_graph(shipment.folder / CPU, windows)
    scores = softmax(reference.logits, shipment.temperature)
    some = windows[:: max(1, len(windows) // 500)]
    latent, logits = _run_device(shipment, some)
    device_graph = run_network(shipment.run, some)
    return {
        "windows": len(windows),
        "latent_cpu_graph": float(np.abs(reference.latent - outputs.latent).max()),
        "scores_cpu_graph": float(np.abs(scores - np.exp(outputs.logits)).max()),
        "windows_device_graph": len(some),
        "latent_device_graph": float(np.abs(device_graph.latent - latent).max()),
        "logits_device_graph": float(np.abs(device_graph.logits - logits).max()),
    }


def _run_device(shipment: Shipment, windows: FloatArray) -> tuple[FloatArray, FloatArray]:
    session = open_graph(shipment.folder / DEVICE)
    x = to_network(windows, shipment.run.scale).contiguous().numpy()
    results = [session.run(["latent", "motif_logits"], {"window": x[i : i + 1]}) for i in range(len(x))]
    latent = np.concatenate([result[0] for result in results]).reshape(len(x), LATENT)
    return latent, np.concatenate([result[1] for result in results]).reshape(len(x), -1)


def _int8(shipment: Shipment, source: WindowSet) -> dict[str, Any]:
    random = np.random.default_rng(EVALUATION_SEED)
    inputs = {
        "without_magnetometer": without_magnetometer(source.motion),
        "with_magnetometer": with_magnetometer(source.motion, source.quaternions, random),
    }
    report: dict[str, Any] = {}
    for name, windows in inputs.items():
        exact, reduced = (run_graph(shipment.folder / file, windows) for file in (CPU, CPU_INT8))
        report[name] = quantize.parity(exact, reduced, source.labels)
        failures = quantize.gate_failures(report[name])
        if failures:
            raise ValueError(f"the int8 graph misses its gate {name}: {failures} in {report[name]}")
    vigorous = elsewhere.watch_windows(shipment.work)
    exact, reduced = (run_graph(shipment.folder / file, vigorous) for file in (CPU, CPU_INT8))
    strange = quantize.parity(exact, reduced, exact.motifs)
    kept = {key: value for key, value in strange.items() if "accuracy" not in key}
    return {"on_test_people": report, "on_watch_exercises": kept, "gate": quantize.GATE}


def _latent(shipment: Shipment, source: WindowSet) -> dict[str, Any]:
    """Return how many dimensions carry information, and the effective rank of the latent space."""
    with torch.inference_mode():
        x = to_network(without_magnetometer(source.motion), shipment.run.scale)
        mean, log_variance = (part.flatten(1) for part in shipment.run.network.encoder(x))
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).mean(dim=0)
    variance = np.linalg.eigvalsh(np.cov(mean.numpy().T))
    parts = np.maximum(variance / variance.sum(), 1e-12)
    return {
        "dimensions": LATENT,
        "active_dimensions": int((divergence > 0.01).sum()),
        "effective_rank": float(np.exp(-(parts * np.log(parts)).sum())),
    }


def _drift(cpu: Path, shipment: Shipment, test: WindowSet) -> dict[str, float]:
    """Return how far test people lie from the baseline of validation people: the noise floor of drift."""
    validation = load_windows(shipment.dataset, shipment.work).of(shipment.dataset.validation_people)
    usual, other = (run_graph(cpu, usual_windows(source)) for source in (validation, test))
    latent = [_decile_psi(usual.latent[:, i], other.latent[:, i]) for i in range(LATENT)]
    lengths = [np.linalg.norm(outputs.latent, axis=1) for outputs in (usual, other)]
    confidence = [shares(np.exp(x.logits).max(axis=1), CONFIDENCE_EDGES) for x in (usual, other)]
    motifs = [np.bincount(x.motifs, minlength=len(shipment.dataset.motifs)) / len(x.motifs) for x in (usual, other)]
    return {
        "latent_psi_median": float(np.median(latent)),
        "latent_psi_maximum": float(np.max(latent)),
        "latent_norm_psi": _decile_psi(lengths[0], lengths[1]),
        "confidence_psi": population_stability_index(confidence[0], confidence[1]),
        "motif_psi": population_stability_index(motifs[0], motifs[1]),
    }


def _decile_psi(usual: FloatArray, other: FloatArray) -> float:
    edges = np.quantile(usual, DECILES)
    return population_stability_index(shares(usual, edges), shares(other, edges))


def _latency(path: Path, windows: FloatArray) -> dict[str, float]:
    session = open_graph(path)
    seconds = []
    for i in range(TIMED_CALLS):
        window = windows[i % len(windows)][None]
        started = time.perf_counter()
        session.run(None, {"window": window})
        seconds.append(time.perf_counter() - started)
    p50, p95 = np.quantile(seconds, (0.5, 0.95)) * 1e3
    return {"p50_milliseconds": float(p50), "p95_milliseconds": float(p95)}


def _parameters(shipment: Shipment) -> dict[str, int]:
    def count(module: nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    graph = onnx.load(shipment.folder / DEVICE).graph
    return {
        "in_the_graph": sum(int(np.prod(tensor.dims)) for tensor in graph.initializer),
        "in_training": count(shipment.run.network),
        "of_the_decoder_used_in_training_only": count(shipment.run.network.decoder),
    }


def _operations(path: Path) -> dict[str, int]:
    return dict(sorted(Counter(node.op_type for node in onnx.load(path).graph.node).items()))


def write(path: Path, fields: dict[str, Any], report: dict[str, Any], shipment: Shipment) -> None:
    """Write the card: the fields for the code first, then the documentation."""
    document = {**fields, **_documentation(report, shipment)}
    path.write_text(card_json.render(document) + "\n", encoding="utf-8")


def _documentation(report: dict[str, Any], shipment: Shipment) -> dict[str, Any]:
    shipped = report["shipped"]
    return {
        **shipment.dataset.documentation,
        "architecture": _architecture(shipped, shipment),
        "magnetometer": MAGNETOMETER,
        "people": {
            "validation": sorted(shipment.dataset.validation_people),
            "test": sorted(shipment.dataset.test_people),
        },
        "training": _training(report, shipment),
        "results": {
            "test_people": shipped["test"],
            "seeds": report["seeds"],
            "baselines_on_test_people": report["baselines"],
            "calibration": shipped["calibration"],
            "calibration_on_validation_people": report["validation_calibration"],
            "reconstruction_r2": shipped["reconstruction_r2"],
            "export_parity_max_difference": shipped["export_parity"],
            "drift_between_baseline_and_test_people": shipped["drift_between_baseline_and_test_people"],
        },
        "int8": {
            "method": "ONNX Runtime static quantization, QDQ, weights int8 per channel, activations uint8, "
            "moving average of minimum and maximum over "
            f"{quantize.CALIBRATION_WINDOWS} windows of training people, half with a magnetometer, and the same "
            f"turned at random; kept in float: {', '.join(quantize.KEPT_IN_FLOAT)}, normalization and softmax",
            **shipped["int8"],
            "meaning": "Says nothing about a compiled HEF: Hailo's compiler quantizes by its own scheme, "
            "the first layer included.",
        },
        "elsewhere": shipped["elsewhere"],
        "latency": {
            "batch_1_on_1_thread": shipped["latency"],
            "machine": f"{platform.machine()}, ONNX Runtime {onnxruntime.__version__}, shared virtual machine",
        },
        "baseline_note": BASELINE_NOTE,
        "rebuild": "python -m training.build (docs/guides/train-your-own-model.md); on another machine compare "
        "figures, not hashes",
    }


def _architecture(shipped: dict[str, Any], shipment: Shipment) -> dict[str, Any]:
    widths = ", ".join(map(str, shipment.run.settings.architecture.widths))
    return {
        "kind": "temporal convolution variational autoencoder, encoder and motif head",
        "layers": "stem Conv 1x5 stride 2; 4 residual blocks of two Conv 1x3 with dilation 1, 2, 4, 8 "
        f"and widths {widths}; global average pool; Conv 1x1 to {LATENT} latents; Conv 1x1 to "
        f"{len(shipment.dataset.motifs)} motif logits; batch normalization folded",
        "input_layout": f"[batch, {LENGTH}, {CHANNELS}] raw units in the CPU graphs, normalized "
        f"[1, {CHANNELS}, 1, {LENGTH}] in the device graph",
        "parameters": shipped["parameters"],
        "operations": shipped["operations"],
        "latent": shipped["latent"],
    }


def _training(report: dict[str, Any], shipment: Shipment) -> dict[str, Any]:
    settings = shipment.run.settings
    return {
        "settings": {
            "seed": settings.seed,
            "turned_share": settings.turned_share,
            "epochs": settings.epochs,
            "batch": 128,
            "threads": 1,
        },
        "turned_share": "share of windows turned into a random mounting, with a target that asks only for what "
        "can be known then",
        "selection": {
            "rule": "0.5 macro-F1 + 0.25 accuracy + 0.25 identifiable in random mounting, on validation people",
            "candidates": report["selection"],
        },
        "shipped": "seed with the best validation score, trained again with the same settings on training and "
        "validation people together; the temperature is the one fitted on validation people before that",
        "cpu_seconds": round(shipment.run.cpu_seconds),
        "torch": torch.__version__.split("+")[0],
    }
