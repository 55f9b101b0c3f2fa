"""The sidecar answers, and the answers are not those of the model for these sensors."""

from edgeinfer.catalog import gateway, sidecar
from edgeinfer.monitoring.causes.cause import Action, Cause, Evidence
from edgeinfer.monitoring.causes.commands import Verb
from edgeinfer.monitoring.causes.signs import CALLS_FAIL, GATEWAY, SIDECAR, Q, condition, either, violations
from edgeinfer.monitoring.promql import other_than

_BAD = ("HailoOutputContractViolation", *CALLS_FAIL)
_MODEL_CHANGED = f"count(count by (sha256) (last_over_time({sidecar.MODEL_INFO.name}[1d]))) > 1"
_MODEL = "curl -s localhost:9000/status"


def create() -> list[Cause]:
    """The entries that diagnosis and reference are made from."""
    return [_shape(), _nan(), _scores(), _stub(), _undecided(), _other_signal(), _sensor(), _silence(), _refused()]


def _shape() -> Cause:
    return Cause(
        name="model-of-another-shape",
        title="The sidecar serves a model whose outputs have other lengths than the gateway's",
        service=GATEWAY,
        alerts=_BAD,
        evidence=(
            Evidence("answers have a wrong length, {value} a second", violations("latent_shape", "motif_shape")),
        ),
        confused_with=("answers-corrupted",),
        leads_to=("answers-corrupted",),
        remedy=(
            Action("Compare the model that the sidecar serves with the gateway's card.", command=_MODEL),
            Action("Give both the same model folder, and restart the sidecar.", verb=Verb.RESTART, process="sidecar"),
        ),
    )


def _nan() -> Cause:
    return Cause(
        name="model-answers-nan",
        title="The model's answers hold values that are no finite numbers",
        service=GATEWAY,
        alerts=_BAD,
        evidence=(Evidence("answers hold NaN or infinity, {value} a second", violations("not_finite")),),
        confused_with=("model-of-another-shape",),
        leads_to=("answers-corrupted",),
        remedy=(
            Action("Roll back to the previous model if it was changed.", command=_MODEL),
            Action(
                "Restart the sidecar; if it stays so on the chip, compare with the CPU.", command="edgeinfer parity"
            ),
        ),
    )


def _scores() -> Cause:
    return Cause(
        name="model-scores-invalid",
        title="The model's scores are no probabilities",
        service=GATEWAY,
        alerts=_BAD,
        evidence=(
            Evidence(
                "scores leave 0 to 1 or do not sum to 1, {value} a second", violations("score_range", "score_sum")
            ),
        ),
        confused_with=("model-of-another-shape",),
        leads_to=("answers-corrupted",),
        remedy=(Action("Serve the model with its last layer, or that of the card.", command=_MODEL),),
    )


def _stub() -> Cause:
    return Cause(
        name="stub-answers",
        title="A stub answers with synthetic values, not a model",
        service=SIDECAR,
        alerts=(
            "HailoStubAnswers",
            "HailoMotifCollapse",
            "HailoMotifConfidenceLow",
            "HailoLatentDrift",
            "HailoMotifDrift",
        ),
        evidence=(Evidence("the sidecar says that its backend is a stub", condition("HailoStubAnswers")),),
        leads_to=("model-undecided", "input-changed"),
        remedy=(
            Action(
                "Set EDGEINFER_SIDECAR_BACKEND to onnx or hailort, and restart it.",
                verb=Verb.RESTART,
                process="sidecar",
            ),
        ),
    )


def _undecided() -> Cause:
    return Cause(
        name="model-undecided",
        title="The model is much less sure of its motifs than it was",
        service=GATEWAY,
        alerts=("HailoMotifConfidenceLow", "HailoMotifCollapse", "HailoMotifDrift"),
        evidence=(Evidence("the mean score of the top motif fell to {value}", condition("HailoMotifConfidenceLow")),),
        unless=(Evidence("the latent vectors drifted as well", condition("HailoLatentDrift")),),
        confused_with=("input-changed",),
        is_trend=True,
        remedy=(
            Action("See what people do and how the sensors sit: the page Sessions of the console."),
            Action("See when it began, and whether a deploy or a new model was near."),
            Action("Roll back to the previous model.", command=_MODEL),
        ),
    )


def _other_signal() -> Cause:
    drift = either(condition("HailoLatentDrift"), condition("HailoMotifDrift"))
    return Cause(
        name="input-changed",
        title="The sensors send something else than what the model was made for",
        service=GATEWAY,
        alerts=("HailoLatentDrift", "HailoMotifDrift", "HailoMotifConfidenceLow", "HailoMotifCollapse"),
        evidence=(Evidence("answers moved away from the model's baseline: drift of {value}", drift),),
        unless=(Evidence("a stub answers", condition("HailoStubAnswers")),),
        doubts=(Evidence("the sidecar's model was another one within the day", _MODEL_CHANGED),),
        confused_with=("model-undecided", "stub-answers"),
        is_trend=True,
        remedy=(
            Action("Ask where the sensors are worn, and whether their app was changed: place, rate, units, axes."),
            Action("Record a session and compare it with a shipped one.", command="edgeinfer replay --list"),
        ),
    )


def _sensor() -> Cause:
    return Cause(
        name="sensor-fault",
        title="A sensor sends samples that cannot be right",
        service=GATEWAY,
        alerts=("EdgeInferInputQualityPoor",),
        evidence=(
            Evidence("stream {role} of session {session} shows {problem}", condition("EdgeInferInputQualityPoor")),
        ),
        confused_with=("input-changed",),
        remedy=(
            Action(
                "See what else its stream shows, on the console's page /sessions/SESSION or here; the session is "
                "named by its first eight characters.",
                command="curl -s 'localhost:8080/api/v1/analysis/session?sessionId=SESSION'",
            ),
            Action("Fix the sensor, its rate or its units as the runbook says for that problem."),
        ),
    )


def _silence() -> Cause:
    return Cause(
        name="nobody-asks",
        title="No phone asks for anything",
        service=GATEWAY,
        alerts=("HailoNoTraffic",),
        evidence=(Evidence("no call came, although some did within the last day", condition("HailoNoTraffic")),),
        unless=(
            Evidence("the gateway is down", 'up{job="edge-infer"} == 0'),
            Evidence(
                "the gateway refuses callers for want of a valid API key, {value} a second",
                f"{Q.rate(gateway.PROBLEMS, by=('job',), where={'error_type': 'unauthorized'})} > 0",
            ),
        ),
        remedy=(
            Action(
                "Ask the gateway from where the phones are; a firewall or an address may have changed.",
                command="curl -si -m 5 localhost:8080/healthz",
            ),
        ),
    )


def _refused() -> Cause:
    return Cause(
        name="callers-refused",
        title="A caller sends what the HTTP server refuses before it reads it",
        service=GATEWAY,
        alerts=("EdgeInferRequestsRefused",),
        evidence=(
            Evidence(
                "{value} requests or connections a second are refused unread", condition("EdgeInferRequestsRefused")
            ),
        ),
        remedy=(
            Action(
                "See which kind it is; invalid_head is a caller that does not speak HTTP/1.1.",
                command="curl -s localhost:8080/metrics",
            ),
            Action(
                "Find who has the connections, and fix that client or keep it out.",
                command="ss -Htn state established '( sport = :8080 )'",
            ),
        ),
    )


def backend_fails() -> str:
    """Windows that the backend failed on, per second."""
    where = {"status": other_than("success", "abandoned", "shed", "not_ready", "invalid_input")}
    return f"{Q.rate(sidecar.INFERENCES, by=('job', 'instance'), where=where)} > 0"
