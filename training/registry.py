"""The data sets that can be trained on; add yours here."""

from training import hapt
from training.dataset import Dataset

DATASETS: dict[str, Dataset] = {dataset.key: dataset for dataset in (hapt.DATASET,)}
