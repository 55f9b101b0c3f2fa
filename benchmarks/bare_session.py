"""The shipped model in a bare ONNX Runtime session: what no server can beat.

Run as `python -m benchmarks.bare_session THREADS SECONDS`; prints one line of JSON.
"""

import argparse
import json
import threading
import time

import onnxruntime

from benchmarks.load import window
from edgeinfer.model.card import default_folder, load_card


def main() -> None:
    """Run windows one after the other on each thread, and print the rate and the CPU time per window."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("threads", type=int, help="each with windows of its own")
    parser.add_argument("seconds", type=float, help="to continue")
    arguments = parser.parse_args()
    threads, seconds = arguments.threads, arguments.seconds
    file = load_card(default_folder()).file("cpu")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(file.read(), options, providers=["CPUExecutionProvider"])
    feed = {file.input_tensor.name: window()[None]}
    outputs = [file.latent_tensor.name, file.scores_tensor.name]
    counts = [0] * threads

    def work(number: int) -> None:
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            session.run(outputs, feed)
            counts[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    started, cpu = time.perf_counter(), time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    elapsed, used = time.perf_counter() - started, time.process_time() - cpu
    windows = sum(counts)
    print(json.dumps({"windows_per_second": windows / elapsed, "cpu_ms_per_window": 1e3 * used / windows}))


if __name__ == "__main__":
    main()
