"""A stand-in for HailoRT's Python package, faithful to its source in both major lines, with knobs for failures."""
