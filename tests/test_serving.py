"""The real server: what it answers, what it refuses, and that it survives all of it."""

import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import requests

from mnistlib import MnistError, serving
from mnistlib.export import ExportedClassifier, export_classifier

V1, V2 = "/v1/models/mnist:predict", "/v2/models/mnist/infer"
IMAGES = np.random.default_rng(0).integers(0, 256, (10_000, 28, 28), np.uint8)
FEW = IMAGES[:3]
OCTETS = {"content-type": "application/octet-stream"}


def export(folder, seed):
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)]
    return export_classifier(keras.Sequential(layers), folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "mnist"
    export(path / "1", seed=1)
    return path


@pytest.fixture(scope="module")
def exported(folder):
    return ExportedClassifier(folder / "1")


@pytest.fixture(scope="module")
def server(folder):
    with serving.serve(folder) as server:
        yield server


def rows(images, **more):
    return json.dumps({"instances": np.asarray(images).tolist()} | more)


def in_bytes(images):
    return rows(images, signature_name="serving_bytes")


def columns(images, datatype="UINT8", **more):
    name = {"UINT8": "serving_bytes"}.get(datatype, "serving_default")
    images = np.asarray(images)
    tensor = {"name": "images", "datatype": datatype, "shape": images.shape}
    return {
        "parameters": {"signature_name": name, "binary_data_output": True},
        "inputs": [tensor | {"data": images.ravel().tolist()} | more],
    }


def binary(images):
    """The same with the pixels behind the JSON, and its headers."""
    body = columns(images)
    del body["inputs"][0]["data"]
    body["inputs"][0]["parameters"] = {"binary_data_size": images.nbytes}
    head = json.dumps(body).encode()
    length = {"inference-header-content-length": str(len(head))}
    return head + images.tobytes(), OCTETS | length


def probabilities(reply):
    assert reply.status_code == 200, reply.text
    return np.array([row["probabilities"] for row in reply.json()["predictions"]])


def probabilities_v2(reply):
    assert reply.status_code == 200, reply.text
    head = int(reply.headers["inference-header-content-length"])
    classes, found = json.loads(reply.content[:head])["outputs"]
    start = head + classes["parameters"]["binary_data_size"]
    return np.frombuffer(reply.content[start:], np.float32).reshape(found["shape"])


def test_both_protocols_answer_as_the_export_does(server, exported):
    expected = exported(FEW)
    for body in (in_bytes(FEW), rows(FEW / 255)):
        reply = requests.post(server.url + V1, body)  # as curl's: no type of content
        np.testing.assert_allclose(probabilities(reply), expected.probabilities, atol=1e-6)
        assert [r["classes"] for r in reply.json()["predictions"]] == list(expected.classes)
    for body in (columns(FEW), columns(FEW / 255, "FP32")):
        reply = requests.post(server.url + V2, json=body)
        np.testing.assert_allclose(probabilities_v2(reply), expected.probabilities, atol=1e-6)
    body, headers = binary(FEW)
    reply = requests.post(server.url + V2, body, headers=headers)
    np.testing.assert_allclose(probabilities_v2(reply), expected.probabilities, atol=1e-6)


def test_it_says_how_it_is_and_what_it_takes(server):
    assert requests.get(server.url + "/v2/health/ready").json() == {"ready": True}
    metadata = requests.get(server.url + "/v2/models/mnist").json()
    assert metadata["versions"] == ["1"]
    expected = {"name": "images", "datatype": "FP32", "shape": [-1, 28, 28]}
    assert metadata["inputs"] == [expected]
    assert server.url.startswith("http://127.0.0.1:")


WRONG = {
    "cut off": (V1, '{"instances": [[', "unexpected end of data"),
    "nothing": (V1, "", "empty document"),
    "no instances": (V1, "[1]", "the body must be"),
    "empty": (V1, in_bytes([]), "nothing to answer"),
    "one image": (V1, in_bytes(FEW[0]), r"shape \(28, 28\), not \(None, 28, 28\)"),
    "other shape": (V1, in_bytes(FEW.reshape(3, 14, 56)), r"shape \(3, 14, 56\)"),
    "ragged": (V1, '{"instances": [[1, 2], [3]]}', "rows of equal lengths"),
    "words": (V1, in_bytes(np.full((1, 28, 28), "a")), "must be numbers"),
    "booleans": (V1, in_bytes(FEW > 9), "must be numbers"),
    "fractions as bytes": (V1, in_bytes(FEW / 255), "whole numbers from 0 to 255"),
    "300 as a byte": (V1, in_bytes(FEW + 300.0), "whole numbers from 0 to 255"),
    "2**70 as a byte": (V1, in_bytes([[[2.0**70] * 28] * 28]), "numbers"),
    "255 as a float": (V1, rows(FEW), "pixels must be from 0 to 1"),
    "1e39": (V1, rows([[[1e39] * 28] * 28]), "pixels must be from 0 to 1"),
    "NaN in JSON": (V1, rows(FEW * np.nan), "expected a JSON value"),
    "other signature": (V1, rows(FEW, signature_name="x"), "no signature 'x': there are"),
    "other input": (V1, '{"instances": [{"x": 1}]}', "must have the inputs images"),
    "other model": ("/v1/models/x:predict", in_bytes(FEW), "x does not exist"),
    "v2: cut off": (V2, '{"inputs": [', "JSON decode error"),
    "v2: no list": (V2, "[]", "valid dictionary"),
    "v2: nothing": (V2, "{}", "inputs: Field required"),
    "v2: no input": (V2, '{"inputs": []}', "inputs must be images FP32"),
    "v2: other type": (V2, json.dumps(columns(FEW, "FP64")), "inputs must be images FP32"),
    "v2: NaN": (V2, json.dumps(columns(FEW * np.nan, "FP32")), "pixels must be from 0 to 1"),
    "v2: other shape": (V2, json.dumps(columns(FEW, shape=[3, 14, 56])), r"\(3, 14, 56\)"),
    "v2: parameters": (V2, json.dumps(columns(FEW) | {"parameters": [1]}), "parameters"),
    "v2: negative": (V2, json.dumps(columns(FEW, shape=[-1, 28, 28])), "don't fill shape"),
    "to unload": ("/v2/repository/models/mnist/unload", "", "keeps its model"),
    "v2: too few": (V2, json.dumps(columns(FEW, shape=[4, 28, 28])), "don't fill shape"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_request_gets_a_reason_and_the_next_one_an_answer(server, exported, name):
    path, body, message = WRONG[name]
    json_body = {"content-type": "application/json"}
    reply = requests.post(server.url + path, body, headers=json_body)
    assert 400 <= reply.status_code < 500
    [reason] = reply.json().values()
    assert re.search(message, reason), reason
    np.testing.assert_allclose(
        probabilities(requests.post(server.url + V1, in_bytes(FEW))),
        exported(FEW).probabilities,
        atol=1e-6,
    )


def test_bytes_that_are_no_request_are_refused(server):
    body, headers = binary(FEW)
    for wrong in (body[:-1], b"{", body.replace(b"{", b"[1]", 1)):
        reply = requests.post(server.url + V2, wrong, headers=headers)
        assert reply.status_code == 400
        assert "not a request" in reply.text or "Unrecognized" in reply.text


def test_ten_thousand_images_in_one_request(server, exported):
    found = probabilities(requests.post(server.url + V1, in_bytes(IMAGES)))
    np.testing.assert_allclose(found, exported(IMAGES).probabilities, atol=1e-6)


def test_ten_clients_at_once_get_their_own_answers(server, exported):
    def client(i):
        images = IMAGES[100 * i : 100 * i + 1 + i]
        until, expected = time.monotonic() + 2, exported(images).probabilities
        with requests.Session() as session:
            while time.monotonic() < until:
                found = probabilities(session.post(server.url + V1, in_bytes(images)))
                np.testing.assert_allclose(found, expected, atol=1e-6)
                reply = session.post(server.url + V1, in_bytes(images[:, :9]))
                assert reply.status_code == 400
        return True

    with ThreadPoolExecutor(10) as pool:
        assert all(pool.map(client, range(10)))
    assert server.process.poll() is None


def test_a_new_version_is_taken_up_when_asked_for(tmp_path):
    export(tmp_path / "9", seed=9)
    with serving.serve(tmp_path) as server:

        def ask():
            return probabilities(requests.post(server.url + V1, in_bytes(FEW)))

        def load():
            return requests.post(server.url + "/v2/repository/models/mnist/load").status_code

        nine = ask()
        ten = ExportedClassifier(export(tmp_path / "10", seed=10))(FEW).probabilities
        np.testing.assert_array_equal(ask(), nine)
        assert load() == 200
        np.testing.assert_allclose(ask(), ten, atol=1e-6)
        (tmp_path / "11").mkdir()  # no SavedModel: the one before stays
        assert load() == 503
        np.testing.assert_allclose(ask(), ten, atol=1e-6)


def test_killed_and_started_again_at_the_same_address(folder, exported):
    with serving.serve(folder) as first:
        first.process.kill()
        first.process.wait()
        with pytest.raises(requests.ConnectionError):
            requests.get(first.url)
    port = int(first.url.rpartition(":")[2])
    with serving.serve(folder, port=port) as second:
        found = probabilities(requests.post(second.url + V1, in_bytes(FEW)))
        np.testing.assert_allclose(found, exported(FEW).probabilities, atol=1e-6)
        with (
            pytest.raises(MnistError, match=r"didn't start: .*in use"),
            serving.serve(folder, port=port),
        ):
            pass


def test_the_command_prints_a_request_that_works_and_ends_with_its_server(folder):
    command = [sys.executable, "-m", "mnistlib.serving", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        _, _, file, url = process.stdout.readline().split()
        with open(file[1:]) as body:
            assert requests.post(url, body.read()).json()["predictions"][0]["classes"] in range(10)
        process.kill()
    for _ in range(100):  # the server ends by itself
        try:
            requests.get(url.partition("/v1")[0], timeout=5)
        except requests.ConnectionError:
            return
        time.sleep(0.1)
    pytest.fail("the server outlived its parent by ten seconds")


def test_where_it_cannot_be(tmp_path, monkeypatch):
    with pytest.raises(MnistError, match=r"didn't start: .*No such file"), serving.serve("nowhere"):
        pass
    monkeypatch.setenv("MNISTLIB_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(serving, "REQUIREMENTS", tmp_path / "requirements.txt")
    serving.REQUIREMENTS.write_text("no-such-package-of-ours==0\n")
    with pytest.raises(MnistError, match="can't be made: "):
        serving.environment()
    assert os.listdir(tmp_path) == ["requirements.txt"]
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(MnistError, match="uv isn't here"):
        serving.environment()
    monkeypatch.setenv("MNISTLIB_SERVING", "off")
    with pytest.raises(MnistError, match="MNISTLIB_SERVING=off"):
        serving.environment()
