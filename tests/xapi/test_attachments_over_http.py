"""Statements with the data of their attachments, in and out, and signed ones."""
from __future__ import annotations

import base64
import datetime
import hashlib
import json
import uuid
from email import message_from_bytes
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask.testing import FlaskClient

from lrs.services import Services

PATH = "/xapi/statements"
DATA = bytes(range(256)) + b"\r\n--b\r\n--\n\r" * 3
SIGNATURE = "http://adlnet.gov/expapi/attachments/signature"


def sha2(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def attachment(data: bytes = DATA, **more: Any) -> dict[str, Any]:
    return {"usageType": "http://x.example/use", "display": {"en": "A file"}, "contentType": "image/png", "length": len(data),
            "sha2": sha2(data), **more}


def statement(*attachments: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "actor": {"mbox": "mailto:ann@example.com"}, "verb": {"id": "http://x.example/did"},
            "object": {"id": "http://x.example/a"}, **({"attachments": list(attachments)} if attachments else {}), **more}


def part(data: bytes, **headers: str | None) -> tuple[dict[str, str], bytes]:
    given = {"Content_Type": "image/png", "Content_Transfer_Encoding": "binary", "X_Experience_API_Hash": sha2(data), **headers}
    return {name.replace("_", "-"): value for name, value in given.items() if value is not None}, data


def multipart(first: Any, *parts: tuple[dict[str, str], bytes], boundary: str = "edge-42", kind: str = "application/json") -> bytes:
    text = first if isinstance(first, bytes) else json.dumps(first).encode()
    pieces = [({"Content-Type": kind}, text), *parts]
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + b"".join(f"{n}: {v}\r\n".encode() for n, v in headers.items()) + b"\r\n"
                    + content + b"\r\n" for headers, content in pieces)
    return body + b"--" + boundary.encode() + b"--\r\n"


def post(client: FlaskClient, body: bytes, content_type: str = "multipart/mixed; boundary=edge-42") -> Any:
    return client.post(PATH, data=body, content_type=content_type)


def rule(answer: Any) -> str:
    assert answer.status_code == 400, answer.text
    return str(answer.json["findings"][0]["rule"])


def test_data_comes_back_byte_for_byte_once_for_each_hash(client: FlaskClient) -> None:
    first, second = statement(attachment()), statement(attachment(), attachment(b"", contentType="text/plain"))
    assert post(client, multipart([first, second], part(DATA), part(b""))).status_code == 200
    answer = client.get(PATH, query_string={"attachments": "true"})
    message = message_from_bytes(b"Content-Type: " + answer.headers["Content-Type"].encode() + b"\r\n\r\n" + answer.data)
    statements, *data = message.get_payload()
    assert {one["id"] for one in json.loads(statements.get_payload(decode=True))["statements"]} == {first["id"], second["id"]}
    assert {one["X-Experience-API-Hash"]: one["Content-Type"] for one in data} == {sha2(DATA): "image/png", sha2(b""): "text/plain"}
    assert DATA in answer.data
    assert answer.data.count(DATA) == 1


def test_without_asking_no_data_is_sent(client: FlaskClient) -> None:
    post(client, multipart(statement(attachment()), part(DATA)))
    assert client.get(PATH).mimetype == "application/json"
    assert client.get(PATH, query_string={"attachments": "false"}).mimetype == "application/json"


def test_an_attachment_with_a_url_needs_no_data(client: FlaskClient) -> None:
    assert client.post(PATH, json=statement(attachment(fileUrl="http://x.example/f"))).status_code == 200
    answer = client.get(PATH, query_string={"attachments": "true"})
    assert answer.data.count(b"X-Experience-API-Hash") == 0


def test_the_length_is_not_held_against_the_data_for_a_case_of_adl_s_suite_sends_another(client: FlaskClient) -> None:
    assert post(client, multipart(statement(attachment(length=len(DATA) // 2)), part(DATA))).status_code == 200
    assert DATA in client.get(PATH, query_string={"attachments": "true"}).data


@pytest.mark.parametrize(("bits", "digits"), [(224, 56), (256, 64), (384, 96), (512, 128)])
def test_each_length_of_sha2_is_checked(client: FlaskClient, bits: int, digits: int) -> None:
    name = hashlib.new(f"sha{bits}", DATA).hexdigest()
    assert len(name) == digits
    good = multipart(statement(attachment(sha2=name.upper())), part(DATA, X_Experience_API_Hash=name))
    assert post(client, good).status_code == 200
    wrong = "0" * digits
    assert rule(post(client, multipart(statement(attachment(sha2=wrong)), part(DATA, X_Experience_API_Hash=wrong)))) == "multipart.hash"


def test_a_statement_sent_again_needs_no_data_and_another_one_does(client: FlaskClient) -> None:
    one = statement(attachment())
    assert rule(client.post(PATH, json=one)) == "attachment.data"
    assert post(client, multipart(one, part(DATA))).status_code == 200
    assert client.post(PATH, json=one).status_code == 200
    assert post(client, multipart(one, part(DATA))).status_code == 200
    assert rule(client.post(PATH, json=statement(attachment()))) == "attachment.data"


@pytest.mark.parametrize(("body", "wanted"), [
    (lambda s: multipart(s, part(DATA), part(b"more")), "multipart.excess"),
    (lambda s: multipart(s, part(DATA, X_Experience_API_Hash=None)), "multipart.hash"),
    (lambda s: multipart(s, part(DATA, Content_Transfer_Encoding=None)), "multipart.encoding"),
    (lambda s: multipart(s, part(DATA, Content_Transfer_Encoding="base64")), "multipart.encoding"),
    (lambda s: multipart(s, part(DATA + b"!", X_Experience_API_Hash=sha2(DATA))), "multipart.hash"),
    (lambda s: multipart(s, part(DATA, X_Experience_API_Hash="zz")), "multipart.hash"),
    (lambda s: multipart(s, part(DATA), kind="text/plain"), "multipart.first"),
    (lambda s: multipart(s, part(DATA), boundary="other"), "multipart.boundary"),
    (lambda s: multipart(s, part(DATA))[:-20], "multipart.end"),
    (lambda s: b"--edge-42--\r\n", "multipart.first"),
    (lambda s: b"--edge-42\r\nContent-Type: application/json\r\n--edge-42--", "multipart.headers"),
    (lambda s: b"", "multipart.boundary"),
    (lambda s: multipart(s), "attachment.data"),
])
def test_a_broken_form_says_what_is_broken_and_stores_nothing(client: FlaskClient, services: Services, body: Any, wanted: str) -> None:
    assert rule(post(client, body(statement(attachment())))) == wanted
    assert services.store.statements.count() == 0
    assert rule(post(client, b"x", "multipart/mixed")) == "multipart.boundary"


def test_a_reader_of_his_own_gets_no_data_of_others(client_of: Any) -> None:
    post(client_of("all"), multipart(statement(attachment()), part(DATA)))
    other = client_of("statements/write", "statements/read/mine")
    assert DATA not in other.get(PATH, query_string={"attachments": "true"}).data


# --- signed ----------------------------------------------------------------------------------------------------------

KEY = rsa.generate_private_key(65537, 2048)
HASHES = {"RS256": hashes.SHA256(), "RS384": hashes.SHA384(), "RS512": hashes.SHA512()}


def certificate(key: rsa.RSAPrivateKey = KEY, issuer: rsa.RSAPrivateKey = KEY, name: str = "signer", by: str = "signer") -> str:
    now = datetime.datetime.now(datetime.UTC)
    made = (x509.CertificateBuilder().subject_name(_name(name)).issuer_name(_name(by)).public_key(key.public_key())
            .serial_number(7).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1)).sign(issuer, hashes.SHA256()))
    return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def url64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def jws(payload: Any, algorithm: str = "RS256", key: rsa.RSAPrivateKey = KEY, **header: Any) -> bytes:
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    head = url64(json.dumps({"alg": algorithm, **header}).encode()) + b"." + url64(text)
    return head + b"." + url64(key.sign(head, padding.PKCS1v15(), HASHES.get(algorithm, hashes.SHA256())))


def signed(client: FlaskClient, signature: bytes, one: dict[str, Any], **more: Any) -> Any:
    named = attachment(signature, usageType=SIGNATURE, **{"contentType": "application/octet-stream", **more})
    return post(client, multipart({**one, "attachments": [named]}, part(signature, Content_Type="application/octet-stream")))


@pytest.mark.parametrize("algorithm", HASHES)
@pytest.mark.parametrize("with_chain", [False, True])
def test_a_good_signature_is_taken(client: FlaskClient, algorithm: str, with_chain: bool) -> None:
    one = statement()
    header = {"x5c": [certificate()]} if with_chain else {}
    assert signed(client, jws(one, algorithm, **header), one).status_code == 200


def test_a_chain_of_certificates_is_followed(client: FlaskClient) -> None:
    authority, one = rsa.generate_private_key(65537, 2048), statement()
    chain = [certificate(KEY, authority, "signer", "authority"), certificate(authority, authority, "authority", "authority")]
    assert signed(client, jws(one, x5c=chain), one).status_code == 200
    broken = [chain[0], certificate(KEY, KEY, "authority", "authority")]
    assert rule(signed(client, jws(one, x5c=broken), one)) == "attachment.signature"


@pytest.mark.parametrize("signature", [
    lambda one: jws(one, "HS256"),
    lambda one: jws(one, "none"),
    lambda one: jws({**one, "verb": {"id": "http://x.example/other"}}),
    lambda one: jws(b"{'no': json}"),
    lambda one: jws(b"[]"),
    lambda one: jws(b'{"timestamp": 7}'),
    lambda one: jws(b'{"actor": "x", "verb": [], "object": 1, "context": 5}'),
    lambda one: b"a.b",
    lambda one: b"!.!.!",
    lambda one: b"",
    lambda one: jws(one, key=rsa.generate_private_key(65537, 2048), x5c=[certificate()]),
    lambda one: jws(one, x5c=["no certificate"]),
    lambda one: jws(one, x5c={}),
    lambda one: jws(one, x5c=[]),
])
def test_a_signature_that_does_not_hold_says_why(client: FlaskClient, signature: Any) -> None:
    one = statement()
    answer = signed(client, signature(one), one)
    assert rule(answer) == "attachment.signature"
    assert "the signature does not hold: " in answer.json["findings"][0]["why"]


def test_a_signature_of_another_media_type_is_refused(client: FlaskClient) -> None:
    one = statement()
    assert rule(signed(client, jws(one), one, contentType="text/plain")) == "attachment.signature"
