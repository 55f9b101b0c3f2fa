"""The shipped model: its files, its card, and what the host does around its graphs."""
