"""What can go wrong, by who can fix it; knows nothing of HTTP.

EdgeInferError
├── InputError                  the caller can fix it
│   ├── InvalidBody             not JSON, truncated, or not the documented object
│   ├── InvalidWindow           not 100 rows of 9 finite numbers
│   ├── InvalidSamples          a sample out of time order, not finite, or incomplete
│   ├── BodyTooLarge
│   ├── UnsupportedContentType
│   │   └── UnsupportedContentEncoding
│   ├── UnknownSession
│   ├── StoppedSession
│   ├── NotEnoughSamples        a session without a whole window yet
│   ├── UnusableWindow          samples too rare, or with a hole, in the newest second
│   ├── UnknownRecording
│   ├── UnknownDashboard
│   ├── UnknownIncident
│   ├── UnknownModel
│   └── Unauthorized
├── Overloaded                  come back after `retry_after_seconds`
├── RateLimited                 this caller sends too many requests; come back after `retry_after_seconds`
├── NotReady                    the model is not loaded, or the service is draining
├── BackendError                the model or the device failed; carries an `error_class`
│   └── InvalidOutput           the backend answered outside the model's contract
├── SidecarError               a call to the sidecar failed; carries an `error_type`
│   └── ContractViolation       its answer breaks the model's contract; carries the `check`
├── MonitoringError             what the console asks did not answer; carries a `kind`
├── StorageError                samples could not be stored
├── StackError                  a process of the native stack did not start, or gave up
└── ConfigurationError          the operator can fix it, before the service starts
    ├── SettingsError
    ├── ModelFileError
    ├── PortInUse
    ├── DataFolderError
    └── BinaryNotFound          no Prometheus or Alertmanager to run
"""

from collections.abc import Mapping

__all__ = [
    "BackendError",
    "BinaryNotFound",
    "BodyTooLarge",
    "ConfigurationError",
    "ContractViolation",
    "DataFolderError",
    "EdgeInferError",
    "InputError",
    "InvalidBody",
    "InvalidOutput",
    "InvalidSamples",
    "InvalidWindow",
    "ModelFileError",
    "MonitoringError",
    "NotEnoughSamples",
    "NotReady",
    "Overloaded",
    "PortInUse",
    "RateLimited",
    "SettingsError",
    "SidecarError",
    "StackError",
    "StoppedSession",
    "StorageError",
    "Unauthorized",
    "UnknownDashboard",
    "UnknownIncident",
    "UnknownModel",
    "UnknownRecording",
    "UnknownSession",
    "UnsupportedContentEncoding",
    "UnsupportedContentType",
    "UnusableWindow",
]


class EdgeInferError(Exception):
    """A failure that names the thing, the fault and the remedy.

    Args:
        thing: what is affected, such as "sample 12" or "port 9000".
        fault: what is wrong with it.
        remedy: what the reader can do about it.
        fields: the same for programs, by name; they are in the answer.
    """

    def __init__(self, thing: str, fault: str, remedy: str, *, fields: Mapping[str, object] | None = None) -> None:
        super().__init__(f"{thing}: {fault}. {remedy}")
        self.thing = thing
        self.fault = fault
        self.remedy = remedy
        self.fields = dict(fields or {})


class InputError(EdgeInferError):
    """The caller sent something that cannot be used."""


class InvalidBody(InputError):
    """The body is not the documented JSON object."""


class InvalidWindow(InputError):
    """The window is not 100 rows of 9 finite numbers."""


class InvalidSamples(InputError):
    """A sample is out of time order, not finite, or incomplete."""


class BodyTooLarge(InputError):
    """The body is larger than the service reads."""


class UnsupportedContentType(InputError):
    """The body is of a type that the route does not read."""


class UnsupportedContentEncoding(UnsupportedContentType):
    """The body is compressed in a way that is not undone."""


class UnknownSession(InputError):
    """No session has this id."""


class StoppedSession(InputError):
    """The session was stopped, expired or evicted."""


class NotEnoughSamples(InputError):
    """The session does not hold a whole window yet."""


class UnusableWindow(InputError):
    """The newest second of the samples makes no window: they come too rarely, or it has a gap."""


class UnknownRecording(InputError):
    """No shipped recording has this name."""


class UnknownDashboard(InputError):
    """No dashboard file has this uid."""


class UnknownIncident(InputError):
    """No incident of the last thirty days has this id."""


class UnknownModel(InputError):
    """The service has no model of this name and version."""


class Unauthorized(InputError):
    """The API key is missing or not valid."""


class Overloaded(EdgeInferError):
    """The service sheds this request to keep its promises to others."""

    def __init__(self, thing: str, fault: str, remedy: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(thing, fault, remedy)
        self.retry_after_seconds = retry_after_seconds


class RateLimited(EdgeInferError):
    """This caller sends more requests than its rate limit allows."""

    def __init__(self, thing: str, fault: str, remedy: str, *, retry_after_seconds: int) -> None:
        super().__init__(thing, fault, remedy)
        self.retry_after_seconds = retry_after_seconds


class NotReady(EdgeInferError):
    """The service is up and cannot answer yet, or no longer."""


class BackendError(EdgeInferError):
    """The model or the device failed.

    Args:
        error_class: one of `edgeinfer.catalog.labels.HARDWARE_ERROR_CLASSES`.
        is_repeated: an earlier failure reported again without trying the device: not to be counted twice.
    """

    def __init__(self, thing: str, fault: str, remedy: str, *, error_class: str, is_repeated: bool = False) -> None:
        super().__init__(thing, fault, remedy)
        self.error_class = error_class
        self.is_repeated = is_repeated


class InvalidOutput(BackendError):
    """The backend answered outside the model's contract."""

    def __init__(self, thing: str, fault: str, remedy: str) -> None:
        super().__init__(thing, fault, remedy, error_class="invalid_output")


class SidecarError(EdgeInferError):
    """A call to the sidecar failed.

    Args:
        error_type: one of `edgeinfer.catalog.labels.INFERENCE_ERROR_TYPES`.
        retryable: whether the same call may succeed on another try.
    """

    is_busy = False
    """Whether the sidecar works, and asks to be left alone for a moment."""

    def __init__(self, thing: str, fault: str, remedy: str, *, error_type: str, retryable: bool) -> None:
        super().__init__(thing, fault, remedy)
        self.error_type = error_type
        self.retryable = retryable


class MonitoringError(EdgeInferError):
    """Prometheus, Alertmanager or, where the console asks it, the gateway did not answer, or refused.

    Args:
        kind: "unreachable", "timeout", "starting", "refused" or "too_large".
    """

    def __init__(self, thing: str, fault: str, remedy: str, *, kind: str) -> None:
        super().__init__(thing, fault, remedy)
        self.kind = kind


class ContractViolation(SidecarError):
    """The sidecar's answer breaks the model's contract.

    Args:
        check: one of `edgeinfer.catalog.labels.CONTRACT_CHECKS`.
    """

    def __init__(self, thing: str, fault: str, remedy: str, *, check: str, error_type: str) -> None:
        super().__init__(thing, fault, remedy, error_type=error_type, retryable=False)
        self.check = check


class StorageError(EdgeInferError):
    """Samples could not be stored; none of the request was accepted."""


class StackError(EdgeInferError):
    """A process of the native stack did not start, or kept crashing."""


class ConfigurationError(EdgeInferError):
    """The operator can fix it, before the service starts."""


class SettingsError(ConfigurationError):
    """A setting is unknown or has a value that cannot be used."""


class ModelFileError(ConfigurationError):
    """A model file or card is missing, damaged, or does not fit."""


class PortInUse(ConfigurationError):
    """Another process listens on a port that a service needs."""


class DataFolderError(ConfigurationError):
    """The data folder is locked by another run, not writable, or full."""


class BinaryNotFound(ConfigurationError):
    """Prometheus or Alertmanager cannot be found or fetched."""
