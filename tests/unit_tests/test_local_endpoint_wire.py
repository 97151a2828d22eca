import json

import pytest

from langchain_hfendpoint.local._endpoint import wire
from langchain_hfendpoint.local._endpoint.refusals import RefusalError
from langchain_hfendpoint.local._endpoint.serde import Inputs, UnreadableError
from langchain_hfendpoint.local._endpoint.settings import TEISettings

SHAPE = "Failed to deserialize the JSON body into the target type: "


def embed(content, **options):
    return wire.read_embed(json.dumps(content).encode(), lower_case=True, **options)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ("a", Inputs(("a",), batch=False)),
        (["a", "b"], Inputs(("a", "b"), batch=True)),
        ([101, 102], Inputs(((101, 102),), batch=False)),
        ([[101], "b"], Inputs(((101,), "b"), batch=True)),
        ([], Inputs(((),), batch=False)),
        ([[]], Inputs(((),), batch=True)),
    ],
)
def test_inputs_are_a_text_or_token_ids_or_a_list_of_them(inputs, expected):
    assert embed({"inputs": inputs}).inputs == expected


@pytest.mark.parametrize(
    "inputs", [None, 1, True, {"a": 1}, ["a", None], [1, "a", -1], [True], [1.5]]
)
def test_other_inputs_match_no_variant(inputs):
    content = {"inputs": inputs}
    with pytest.raises(UnreadableError) as caught:
        embed(content)
    size = len(json.dumps(content))
    assert caught.value.status == 422
    assert caught.value.message == (
        f"{SHAPE}inputs: data did not match any variant of untagged enum Input "
        f"at line 1 column {size}"
    )


def test_a_missing_field_is_named():
    with pytest.raises(UnreadableError) as caught:
        embed({"input": "a"})
    assert caught.value.message == f"{SHAPE}missing field `inputs` at line 1 column 14"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"normalize": None}, "normalize: invalid type: null, expected a boolean"),
        ({"normalize": 1}, "normalize: invalid type: integer `1`, expected a boolean"),
        ({"truncate": "yes"}, 'truncate: invalid type: string "yes", expected a boolean'),
        (
            {"truncation_direction": None},
            "truncation_direction: invalid type: null, expected string or map",
        ),
        (
            {"truncation_direction": "up"},
            "truncation_direction: unknown variant `up`, expected one of `Left`, `Right`, `left`,",
        ),
        ({"prompt_name": 3}, "prompt_name: invalid type: integer `3`, expected a string"),
        ({"dimensions": 1.5}, "dimensions: invalid type: floating point `1.5`, expected usize"),
        ({"dimensions": -1}, "dimensions: invalid value: integer `-1`, expected usize"),
    ],
)
def test_a_field_of_the_wrong_type_is_refused_in_serdes_words(content, words):
    with pytest.raises(UnreadableError) as caught:
        embed({"inputs": "a", **content})
    assert caught.value.status == 422
    assert caught.value.message.startswith(SHAPE + words)


def test_fields_that_may_be_null_may_be_null_and_unknown_ones_are_ignored():
    request = embed(
        {"inputs": "a", "truncate": None, "prompt_name": None, "dimensions": None, "parameters": {}}
    )
    assert request == wire.EmbedRequest(Inputs(("a",), batch=False), wire.Cutting())


def test_directions_in_lower_case_are_understood_only_where_the_version_does():
    body = b'{"inputs":"a","truncation_direction":"left"}'
    assert wire.read_embed(body, lower_case=True).cutting.from_left
    with pytest.raises(UnreadableError, match="expected `Left` or `Right`"):
        wire.read_embed(body, lower_case=False)


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"inputs": [}', b"\xff", b'{"inputs":"\\ud83d"}', b"nul"]
)
def test_what_is_no_json_is_a_syntax_error(body):
    with pytest.raises(UnreadableError) as caught:
        wire.read_embed(body, lower_case=True)
    assert caught.value.status == 400
    assert caught.value.message.startswith("Failed to parse the request body as JSON: ")


def test_a_null_encoding_format_is_refused():
    with pytest.raises(UnreadableError, match="encoding_format: invalid type: null"):
        wire.read_openai(b'{"input":"a","encoding_format":null}')


def test_an_inner_field_is_named_with_its_path():
    with pytest.raises(UnreadableError, match="inputs: missing field `source_sentence`"):
        wire.read_similarity(b'{"inputs":{"sentences":[]}}', lower_case=True)
    with pytest.raises(UnreadableError, match=r"inputs\.sentences\[1\]: invalid type: integer"):
        wire.read_similarity(
            b'{"inputs":{"source_sentence":"a","sentences":["b",2]}}', lower_case=True
        )


def test_an_instance_of_vertex_that_is_no_request_is_a_json_refusal():
    with pytest.raises(RefusalError) as caught:
        wire.read_vertex(b'{"instances":[{"inputs":"a"},{"text":"b"}]}', lower_case=True)
    assert (caught.value.error_type, caught.value.message) == (
        "Validation",
        "missing field `inputs`",
    )


@pytest.mark.parametrize(
    ("version", "statuses"),
    [
        ("1.9.3", {"Validation": 422, "Empty": 400, "Tokenizer": 422, "Overloaded": 429}),
        ("1.8.3", {"Validation": 413, "Empty": 400, "Tokenizer": 422, "Overloaded": 429}),
        ("1.5.0", {"Validation": 413, "Empty": 413, "Tokenizer": 422, "Overloaded": 429}),
    ],
)
def test_the_status_of_a_refusal_is_that_of_the_version(version, statuses):
    settings = TEISettings(version=version)
    assert {kind: settings.status(kind) for kind in statuses} == statuses
    assert settings.status("Backend") == 424
    assert settings.status("Unhealthy") == 503
