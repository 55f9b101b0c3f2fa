"""Other model servers on the same work, each a small file with its recommended settings and its own environment.

Each runs as `python benchmarks/peers/NAME.py MODEL PORT`, MODEL an ONNX file or "constant" (no network), and answers
POST /infer with the sidecar's JSON contract. They import nothing of this project.
"""
