import json
from pathlib import Path

from edgeinfer.model.card import CARD_NAME, default_folder
from training.page import PAGE, insert, render

REPOSITORY = Path(__file__).parents[2]


def test_the_page_about_the_model_shows_the_figures_of_its_card() -> None:
    card = json.loads((default_folder() / CARD_NAME).read_text(encoding="utf-8"))
    page = (REPOSITORY / PAGE).read_text(encoding="utf-8")
    assert insert(page, render(card)) == page, "run: python -m training.page"
