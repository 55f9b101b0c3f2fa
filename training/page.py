"""Writes the card's figures into the page about the model: `python -m training.page`; standard library only."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CARD = Path("src/edgeinfer/model/default/card.json")
PAGE = Path("docs/concepts/model.md")
BEGIN = "<!-- figures: generated from the model card by python -m training.page -->"
END = "<!-- end of figures -->"

Card = Mapping[str, Any]


def render(card: Card) -> str:
    """Return the figures of a card as Markdown."""
    sections = (_results, _motifs, _sampling, _selection, _seeds, _mounting, _int8, _elsewhere, _files)
    return "\n\n".join(section(card) for section in sections)


def insert(page: str, figures: str) -> str:
    """Return the page with the part between its two marks replaced."""
    before, rest = page.split(BEGIN)
    _old, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}"


def _results(card: Card) -> str:
    results = card["results"]
    rows = [(row["model"], row) for row in results["baselines_on_test_people"]]
    rows.append(("**the shipped model**", results["test_people"]["nominal"]))
    rows.append(("the shipped model with a simulated magnetometer", results["test_people"]["with_magnetometer"]))
    people = results["test_people"]["accuracy_per_person"]
    calibration = results["calibration"]
    reconstruction = results["reconstruction_r2"]
    table = _table(
        ("model", "accuracy", "macro-F1", "accuracy without transitions", "mean F1 of transitions"),
        [(name, *_classification(row)) for name, row in rows],
    )
    return (
        f"### Results on 9 people never seen\n\n"
        f"{results['test_people']['windows']} windows of one second, 12 motifs.\n\n{table}\n\n"
        f"Accuracy per person: lowest {people['minimum']:.3f}, mean {people['mean']:.3f}, "
        f"highest {people['maximum']:.3f}.\n"
        f"Expected calibration error: {calibration['expected_calibration_error_raw']:.3f} as trained, "
        f"{calibration['expected_calibration_error']:.3f} with the temperature {calibration['temperature']}.\n"
        f"Reconstruction R² of the decoder: {reconstruction['accelerometer']:.2f} for the accelerometer and "
        f"{reconstruction['gyroscope']:.2f} for the gyroscope; without each window's mean "
        f"{reconstruction['accelerometer_within_window']:.2f} and {reconstruction['gyroscope_within_window']:.2f}."
    )


def _classification(row: Mapping[str, float]) -> tuple[str, ...]:
    keys = ("accuracy", "macro_f1", "accuracy_without_transitions", "mean_f1_of_transitions")
    return tuple(f"{row[key]:.3f}" for key in keys)


def _motifs(card: Card) -> str:
    test = card["results"]["test_people"]
    rows = [
        (
            f"`{motif['name']}`",
            motif["group"],
            str(test["windows_per_motif"][motif["name"]]),
            f"{test['f1_per_motif'][motif['name']]:.3f}",
        )
        for motif in card["motifs"]
    ]
    return "### Motifs\n\n" + _table(("motif", "group", "test windows", "F1"), rows)


def _sampling(card: Card) -> str:
    measured = card["sampling"]
    titles = ("rate", "jitter", "lost", "newest 100 samples: accuracy, macro-F1", "newest second: the same", "answered")
    table = _table(
        titles,
        [
            (f"{row['rate_hz']:g} Hz", _jitter(row), f"{row['loss']:.0%}", *_before_and_after(row))
            for row in measured["table"]
        ],
    )
    limits = _table(
        ("rate", "hole in each second", *titles[3:5]),
        [
            (
                f"{row['rate_hz']:g} Hz",
                f"{row['hole_ms']} ms" if row["hole_ms"] else "none",
                *_before_and_after(row)[:2],
            )
            for row in measured["limits"]
        ],
    )
    return (
        f"### Other sampling rates\n\n"
        f"The movement of the {measured['people']} people never seen, resampled, in {measured['windows']} windows.\n"
        f"The newest 100 samples, whatever their times, are what a gateway sees that does not look at `t`; "
        f"the newest second is what this one does.\n"
        f"Jitter is of the moment of sampling, with true times; what is lost is lost at random.\n\n{table}\n\n"
        f"The limits of the gateway, 16 Hz and 120 ms, were chosen from this, measured without them:\n\n{limits}"
    )


def _jitter(row: Mapping[str, Any]) -> str:
    return f"±{row['jitter_ms']:g} ms" if row["jitter_ms"] else "none"


def _before_and_after(row: Mapping[str, Any]) -> tuple[str, str, str]:
    before, after = row["before"], row["after"]
    pairs = (f"{one['accuracy']:.3f}, {one['macro_f1']:.3f}" for one in (before, after))
    return (*pairs, f"{after['answered']:.1%}")  # type: ignore[return-value]  # two pairs and the share


def _selection(card: Card) -> str:
    selection = card["training"]["selection"]
    rows = [
        (
            f"{row['turned_share']:.2f}",
            str(row["epochs"]),
            " ".join(map(str, row["widths"])),
            f"{row['nominal']['accuracy']:.3f}",
            f"{row['nominal']['macro_f1']:.3f}",
            f"{row['random_mounting']['identifiable']:.3f}",
            f"{row['score']:.4f}",
            str(row["cpu_seconds"]),
        )
        for row in selection["candidates"]
    ]
    titles = ("turned share", "epochs", "widths", "accuracy", "macro-F1", "identifiable", "score", "CPU seconds")
    return f"### Selection on 4 validation people\n\nScore: {selection['rule']}.\n\n{_table(titles, rows)}"


def _seeds(card: Card) -> str:
    seeds = card["results"]["seeds"]
    figures = [_seed_figures(row) for row in seeds]
    means = tuple(sum(column) / len(column) for column in zip(*figures, strict=True))
    names = [*(str(row["seed"]) for row in seeds), "mean"]
    rows = [
        (name, f"{values[0]:.4f}", *(f"{value:.3f}" for value in values[1:]))
        for name, values in zip(names, [*figures, means], strict=True)
    ]
    titles = ("seed", "validation score", "test accuracy", "test macro-F1", "test identifiable")
    return (
        "### Seeds\n\nThe selected settings, trained on 17 people.\n\n"
        f"{_table(titles, rows)}\n\nSeed {card['training']['settings']['seed']} has the best validation score; "
        "the shipped model is that seed trained again on the 17 training and the 4 validation people."
    )


def _seed_figures(row: Mapping[str, Any]) -> tuple[float, ...]:
    test = row["test"]
    nominal = test["nominal"]
    identifiable = test["random_mounting"]["identifiable"]
    return row["validation"]["score"], nominal["accuracy"], nominal["macro_f1"], identifiable


def _mounting(card: Card) -> str:
    test = card["results"]["test_people"]
    turned = test["random_mounting"]
    rows = [
        ("group (move, static, transition), nominal mounting", f"{test['nominal']['accuracy_of_groups']:.3f}"),
        ("group, random mounting", f"{turned['accuracy_of_groups']:.3f}"),
        ("which of three locomotions, random mounting", f"{turned['accuracy_of_locomotions']:.3f}"),
        ("all 12 motifs, random mounting (a posture cannot be known then)", f"{turned['accuracy']:.3f}"),
    ]
    return "### Mounting\n\n" + _table(("question, on test people", "accuracy"), rows)


def _int8(card: Card) -> str:
    keys = ("cosine_mean", "cosine_p1", "cosine_minimum", "motif_agreement", "accuracy_int8", "accuracy_drop")
    report = card["int8"]["on_test_people"]
    rows = [
        (case.replace("_", " "), *(f"{report[case][key]:.4f}" for key in keys))
        for case in ("without_magnetometer", "with_magnetometer")
    ]
    titles = ("test people", "mean cosine", "1st percentile", "minimum", "same motif", "accuracy", "drop")
    watch = card["int8"]["on_watch_exercises"]
    return (
        f"### Int8 against float\n\n{_table(titles, rows)}\n\nMethod: {card['int8']['method']}.\n\n"
        f"On the watch exercises, whose swings run out of the calibrated ranges: mean cosine "
        f"{watch['cosine_mean']:.4f}, 1st percentile {watch['cosine_p1']:.4f}, minimum "
        f"{watch['cosine_minimum']:.4f}, same motif {watch['motif_agreement']:.4f}."
    )


def _elsewhere(card: Card) -> str:
    legs = card["elsewhere"]["walking_with_sensor_on_the_leg"]
    watch = card["elsewhere"]["watch_exercises"]
    rows = [
        (
            place,
            f"{leg['share_named_walking']:.2f}",
            f"{leg['share_named_any_locomotion']:.2f}",
            f"{leg['with_and_without_real_magnetometer']['cosine_p50']:.3f}",
            f"{leg['with_and_without_real_magnetometer']['motif_agreement']:.2f}",
        )
        for place, leg in legs.items()
    ]
    titles = ("walking, sensor on", "named walking", "any locomotion", "cosine with/without field", "same motif")
    return (
        f"### Where it fails\n\n{_table(titles, rows)}\n\n"
        f"Seven shoulder exercises with a watch, distinguished by a linear model that never saw the person: "
        f"{watch['accuracy_from_latent']:.3f} from the latent vector, "
        f"{watch['accuracy_from_mean_and_std']:.3f} from mean and standard deviation."
    )


def _files(card: Card) -> str:
    latency = card["latency"]["batch_1_on_1_thread"]
    rows = [
        (
            f"`{variant}`",
            f"`{file['file']}`",
            f"{file['size_bytes']:,}",
            _shape(file["input_tensor"]),
            _milliseconds(latency.get(file["file"])),
        )
        for variant, file in card["files"].items()
    ]
    parity = card["results"]["export_parity_max_difference"]
    titles = ("variant", "file", "bytes", "input", "one window, 1 thread, p50")
    return (
        f"### Files\n\n{_table(titles, rows)}\n\n"
        f"Largest difference from torch over {parity['windows']} windows: {parity['latent_cpu_graph']:.1e} in the "
        f"latent vector, {parity['scores_cpu_graph']:.1e} in the scores.\n"
        f"Latency was measured on {card['latency']['machine']}, with other work on it at the time."
    )


def _shape(tensor: Mapping[str, Any]) -> str:
    return "[" + ", ".join(map(str, tensor["shape"])) + "]"


def _milliseconds(latency: Mapping[str, float] | None) -> str:
    return "not measured" if latency is None else f"{latency['p50_milliseconds']:.2f} ms"


def _table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [titles, tuple("---" for _title in titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Replace the generated part of the page with the card's figures."""
    card = json.loads(CARD.read_text(encoding="utf-8"))
    PAGE.write_text(insert(PAGE.read_text(encoding="utf-8"), render(card)), encoding="utf-8")


if __name__ == "__main__":
    main()
