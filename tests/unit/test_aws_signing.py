"""Signatures, checked against the documented algorithm written out once more."""

from __future__ import annotations

import hashlib
import hmac
import sys
from urllib.parse import quote, urlsplit

import pytest
from botocore.credentials import Credentials

from chalicelib import bootstrap
from chalicelib.aws.gateway_hosts import gateway_region
from chalicelib.aws.signing import RequestSigner
from chalicelib.core.errors import Misconfigured

HOST = "abc123.execute-api.eu-west-1.amazonaws.com"
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def signature(method, url, headers, body, region):
    """AWS, "Create a signed AWS API request", for a query that is sorted and encoded already."""
    parts, day = urlsplit(url), headers["X-Amz-Date"][:8]
    signed = {name.lower(): value for name, value in headers.items() if name != "Authorization"}
    signed["host"] = parts.netloc
    names = ";".join(sorted(signed))
    lines = [
        method,
        quote(parts.path, safe="/~"),
        parts.query,
        *[f"{name}:{signed[name]}" for name in sorted(signed)],
        "",
        names,
        hashlib.sha256(body).hexdigest(),
    ]
    scope = f"{day}/{region}/execute-api/aws4_request"
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['X-Amz-Date']}\n{scope}\n{digest}"
    key = f"AWS4{SECRET}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    credential = f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}"
    return f"{credential}, SignedHeaders={names}, Signature={key.hex()}"


@pytest.mark.parametrize("token", [None, "session"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/runs?cursor=a%2Bb&limit=5", b""),
        ("GET", "/api/runs/a%20b/logs", b""),
        ("POST", "/api/demands", b'{"a": 1}'),
    ],
    ids=["query", "escaped path", "body"],
)
def test_a_request_is_signed_for_the_region_of_its_host(method, path, body, token):
    url = f"https://{HOST}{path}"
    signer = RequestSigner(Credentials(KEY, SECRET, token), region="us-east-1")
    headers = signer.sign(method, url, {"Content-Type": "application/json"}, body)
    assert headers["Content-Type"] == "application/json"
    assert headers.get("X-Amz-Security-Token") == token
    assert headers["Authorization"] == signature(method, url, headers, body, "eu-west-1")


def test_a_domain_of_ones_own_is_signed_for_the_sites_region():
    url = "https://falsework.example.org/runs"
    headers = RequestSigner(Credentials(KEY, SECRET), "ap-south-1").sign("GET", url, {})
    assert headers["Authorization"] == signature("GET", url, headers, b"", "ap-south-1")
    with pytest.raises(Misconfigured, match="AWS_REGION"):
        RequestSigner(Credentials(KEY, SECRET)).sign("GET", url, {})


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (f"https://{HOST}/api", "eu-west-1"),
        (f"https://{HOST.upper()}:443/api", "eu-west-1"),
        ("https://a1-vpce-0b.execute-api.us-gov-west-1.amazonaws.com/api", "us-gov-west-1"),
        ("https://a1.execute-api.cn-north-1.amazonaws.com.cn/api", "cn-north-1"),
        ("http://127.0.0.1:8000", None),
        (f"https://{HOST}.example.org/", None),
        (f"https://example.org/{HOST}", None),
        ("https://execute-api.eu-west-1.amazonaws.com/", None),
        ("", None),
    ],
)
def test_an_api_gateway_is_known_by_its_name(url, region):
    assert gateway_region(url) == region


def test_only_an_api_gateway_gets_signatures(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert not bootstrap.takes_signatures("http://127.0.0.1:8000")
    assert bootstrap.takes_signatures(f"https://{HOST}")
    assert "Authorization" in bootstrap.signer(f"https://{HOST}").sign(
        "GET", f"https://{HOST}/", {}
    )


@pytest.mark.usefixtures("without_credentials")
def test_without_credentials_the_mend_is_told():
    with pytest.raises(Misconfigured, match="AWS_PROFILE"):
        bootstrap.signer(f"https://{HOST}")


def test_without_boto3_the_mend_is_told(monkeypatch):
    monkeypatch.delitem(sys.modules, "chalicelib.aws.signing", raising=False)
    monkeypatch.delattr("chalicelib.aws.signing", raising=False)
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(Misconfigured, match=r"falsework\[aws\]"):
        bootstrap.signer(f"https://{HOST}")
