"""The messages of the gRPC services that are spoken here, by the names and numbers that their publishers gave them.

They are built when the process starts, not generated ahead: generated code refuses every protobuf older than the one
that made it, and the traces' extra has a say in which one is installed. They are in a pool of their own, so that
stubs of the same protocol from another package can be used in the same process.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "inference.GRPCInferenceService"
HEALTH_SERVICE = "grpc.health.v1.Health"
SERVING, NOT_SERVING = 1, 2
_Field = descriptor_pb2.FieldDescriptorProto
_FIELD = re.compile(r"(repeated )?(map )?([\w.]+) (\w+) = (\d+)( in \w+)?")

# One message a line, "type name = number" as a .proto file has it; "map" is from string to the type.
_INFERENCE: Mapping[str, str] = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "bool live = 1",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "bool ready = 1",
    "ModelReadyRequest": "string name = 1; string version = 2",
    "ModelReadyResponse": "bool ready = 1",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "string name = 1; string version = 2; repeated string extensions = 3",
    "ModelMetadataRequest": "string name = 1; string version = 2",
    "ModelMetadataResponse": "string name = 1; repeated string versions = 2; string platform = 3; "
    "repeated ModelMetadataResponse.TensorMetadata inputs = 4; "
    "repeated ModelMetadataResponse.TensorMetadata outputs = 5",
    "ModelMetadataResponse.TensorMetadata": "string name = 1; string datatype = 2; repeated int64 shape = 3",
    "ModelInferRequest": "string model_name = 1; string model_version = 2; string id = 3; "
    "map InferParameter parameters = 4; repeated ModelInferRequest.InferInputTensor inputs = 5; "
    "repeated ModelInferRequest.InferRequestedOutputTensor outputs = 6; repeated bytes raw_input_contents = 7",
    "ModelInferRequest.InferInputTensor": "string name = 1; string datatype = 2; repeated int64 shape = 3; "
    "map InferParameter parameters = 4; InferTensorContents contents = 5",
    "ModelInferRequest.InferRequestedOutputTensor": "string name = 1; map InferParameter parameters = 2",
    "ModelInferResponse": "string model_name = 1; string model_version = 2; string id = 3; "
    "map InferParameter parameters = 4; repeated ModelInferResponse.InferOutputTensor outputs = 5; "
    "repeated bytes raw_output_contents = 6",
    "ModelInferResponse.InferOutputTensor": "string name = 1; string datatype = 2; repeated int64 shape = 3; "
    "map InferParameter parameters = 4; InferTensorContents contents = 5",
    "InferParameter": "bool bool_param = 1 in parameter_choice; int64 int64_param = 2 in parameter_choice; "
    "string string_param = 3 in parameter_choice; double double_param = 4 in parameter_choice; "
    "uint64 uint64_param = 5 in parameter_choice",
    "InferTensorContents": "repeated bool bool_contents = 1; repeated int32 int_contents = 2; "
    "repeated int64 int64_contents = 3; repeated uint32 uint_contents = 4; repeated uint64 uint64_contents = 5; "
    "repeated float fp32_contents = 6; repeated double fp64_contents = 7; repeated bytes bytes_contents = 8",
}
# A status is an enumeration there, which travels as the number that it is.
_HEALTH: Mapping[str, str] = {
    "HealthCheckRequest": "string service = 1",
    "HealthCheckResponse": "int32 status = 1",
}


def message_classes() -> dict[str, Any]:
    """Protobuf's class for each message, by its name without the package; nested ones with their outer name."""
    pool = descriptor_pool.DescriptorPool()
    return _classes(pool, "inference", _INFERENCE) | _classes(pool, "grpc.health.v1", _HEALTH)


def _classes(pool: Any, package: str, messages: Mapping[str, str]) -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name=f"edgeinfer/{package}.proto", package=package, syntax="proto3")
    made: dict[str, Any] = {}
    for name, fields in messages.items():
        outer, _, inner = name.rpartition(".")
        made[name] = (made[outer].nested_type if outer else file.message_type).add(name=inner)
        _add_fields(made[name], package, name, fields)
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"{package}.{name}") for name in messages}
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}


def _add_fields(message: Any, package: str, full_name: str, fields: str) -> None:
    for text in _split(fields):
        found = _FIELD.fullmatch(text)
        assert found is not None, text  # noqa: S101 - the table above is wrong
        repeated, mapped, kind, name, number, oneof = found.groups()
        field = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
        if mapped:
            _make_map(message, field, package, full_name, kind)
        else:
            field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            _set_type(field, package, kind)
        if oneof:
            if not message.oneof_decl:
                message.oneof_decl.add(name=oneof.removeprefix(" in "))
            field.oneof_index = 0


def _split(fields: str) -> Iterable[str]:
    return [text.strip() for text in fields.split(";") if text.strip()]


def _set_type(field: Any, package: str, kind: str) -> None:
    if kind[0].isupper():
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{package}.{kind}"
    else:
        field.type = _Field.Type.Value(f"TYPE_{kind.upper()}")


def _make_map(message: Any, field: Any, package: str, full_name: str, kind: str) -> None:
    """A map is a repeated message of key and value, which the wire and protobuf's own classes agree on."""
    entry = message.nested_type.add(name="".join(part.capitalize() for part in field.name.split("_")) + "Entry")
    entry.options.map_entry = True
    _set_type(entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL), package, "string")
    _set_type(entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL), package, kind)
    field.label = _Field.LABEL_REPEATED
    field.type, field.type_name = _Field.TYPE_MESSAGE, f".{package}.{full_name}.{entry.name}"
