"""A gateway as tutorials show it: FastAPI, pydantic, httpx and SQLite, in front of `tutorial.py`; it has no metrics.

Run as `python benchmarks/peers/tutorial_gateway.py PORT SIDECAR_PORT DATABASE`.
"""

import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz", "mx", "my", "mz")
COLUMNS = ", ".join(("t", *CHANNELS))
WINDOW_SAMPLES = 100
port, sidecar_port, database = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


class Sample(BaseModel):
    """One reading."""

    t: float
    ax: float
    ay: float
    az: float
    gx: float
    gy: float
    gz: float
    mx: float
    my: float
    mz: float


class Upload(BaseModel):
    """Samples of a session."""

    sessionId: str  # noqa: N815 - as phones write it
    samples: list[Sample]


class Window(BaseModel):
    """Samples without a session."""

    samples: list[Sample]


class Stop(BaseModel):
    """A session."""

    sessionId: str  # noqa: N815 - as above


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the database and a client."""
    app.state.database = sqlite3.connect(database, check_same_thread=False)
    app.state.database.execute("PRAGMA journal_mode=WAL")
    app.state.database.execute(f"CREATE TABLE IF NOT EXISTS samples (session TEXT, {COLUMNS})")
    app.state.database.execute("CREATE INDEX IF NOT EXISTS by_session ON samples (session, t)")
    app.state.database.execute("CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, started REAL)")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{sidecar_port}") as client:
        app.state.client = client
        yield
    app.state.database.close()


app = FastAPI(lifespan=lifespan)


def now() -> str:
    """The time of an answer."""
    return datetime.now(UTC).isoformat()


async def infer(rows: list[list[float]]) -> dict[str, object]:
    """Ask the sidecar."""
    answer = await app.state.client.post("/infer", json={"x": rows})
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found


@app.get("/healthz")
async def healthz() -> str:
    """Whether it runs."""
    return "OK"


@app.post("/api/v1/analysis/start")
async def start() -> dict[str, str]:
    """Begin a session."""
    session = str(uuid4())
    with app.state.database as connection:
        connection.execute("INSERT INTO sessions VALUES (?, ?)", (session, time.time()))
    return {"sessionId": session, "status": "started", "timestamp": now()}


@app.put("/api/v1/analysis/stream", status_code=202)
async def stream(upload: Upload) -> dict[str, object]:
    """Keep samples."""
    with app.state.database as connection:
        known = connection.execute("SELECT 1 FROM sessions WHERE id = ?", (upload.sessionId,)).fetchone()
        if known is None:
            raise HTTPException(404, "unknown session")
        rows = [(upload.sessionId, *sample.model_dump().values()) for sample in upload.samples]
        connection.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    return {"sessionId": upload.sessionId, "status": "accepted", "accepted": len(rows), "timestamp": now()}


@app.get("/api/v1/analysis/motifs")
async def motifs(sessionId: str) -> dict[str, object]:  # noqa: N803 - as phones write it
    """What the newest second shows."""
    query = f"SELECT {', '.join(CHANNELS)} FROM samples WHERE session = ? ORDER BY t DESC LIMIT {WINDOW_SAMPLES}"  # noqa: S608 - constants
    rows = app.state.database.execute(query, (sessionId,)).fetchall()
    if len(rows) < WINDOW_SAMPLES:
        raise HTTPException(409, "not enough samples")
    found = await infer([list(row) for row in reversed(rows)])
    return {"sessionId": sessionId, "motifs": found["motif_scores"], "timestamp": now()}


@app.get("/api/v1/analysis/synchrony")
async def synchrony(sessionId: str) -> dict[str, object]:  # noqa: N803 - as above
    """Phones of this benchmark have one stream, so there is no answer."""
    return {"sessionId": sessionId, "r": 0.0, "lag_ms": 0, "timestamp": now()}


@app.post("/api/v1/analysis/process")
async def process(window: Window) -> dict[str, object]:
    """Analyse one window."""
    rows = [[getattr(sample, name) for name in CHANNELS] for sample in window.samples[-WINDOW_SAMPLES:]]
    return {**await infer(rows), "source": "sidecar"}


@app.post("/api/v1/analysis/stop")
async def stop(body: Stop) -> dict[str, str]:
    """End a session."""
    with app.state.database as connection:
        connection.execute("DELETE FROM samples WHERE session = ?", (body.sessionId,))
        connection.execute("DELETE FROM sessions WHERE id = ?", (body.sessionId,))
    return {"sessionId": body.sessionId, "status": "stopped", "timestamp": now()}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
