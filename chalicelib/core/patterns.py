r"""What may be written where a pattern says it, in words: for errors that people read.

A pattern stands where its field is declared; here is only what it means. A test looks that every
pattern of a model in ``core`` has its words, so none can be forgotten.
"""

from __future__ import annotations

from typing import Final

_NAME: Final = "letters (A-Z, a-z), digits, dots, hyphens and underscores"
_WEB: Final = "a web address that begins with https:// or http://"

WORDS: Final = {
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$": f"1 to 128 {_NAME}, of which the first is a letter or "
    "a digit",
    r"^[A-Za-z0-9._-]{1,128}$": f"1 to 128 {_NAME}",
    r"^[A-Za-z0-9._-]{1,150}$": f"1 to 150 {_NAME}",
    r"^[A-Za-z0-9._-]{1,64}$": f"1 to 64 {_NAME}",
    r"^[A-Za-z0-9_-]{1,100}$": "1 to 100 letters (A-Z, a-z), digits, hyphens and underscores",
    r"^[A-Za-z][A-Za-z0-9_-]{0,63}$": "1 to 64 letters (A-Z, a-z), digits, hyphens and "
    "underscores, of which the first is a letter",
    r"^[a-z0-9][a-z0-9-]{0,30}$": "1 to 31 small letters, digits and hyphens, of which the first "
    "is no hyphen",
    r"^[^\x00]*$": "text without NUL characters",
    r"^[^\x00-\x1f\x7f]+$": "text without control characters",
    r"^[A-Za-z0-9!_.*'()/-]{0,200}$": "at most 200 letters (A-Z, a-z), digits and !_.*'()/-",
    r"^[A-Za-z0-9:_.$-]{1,170}$": "the name or the ARN of a Lambda function, 170 characters at "
    "most",
    r"^[a-z2-7]{20}$": "20 of the characters a-z and 2-7",
    r"^[0-9a-f]{24}$": "24 of the characters 0-9 and a-f",
    r"^[0-9a-f]{64}$": "a SHA-256 as 64 of the characters 0-9 and a-f",
    r"^(s3://[^/]+/(.*/)?)?$": "s3://BUCKET/ or s3://BUCKET/FOLDER/, with / at the end",
    r"^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+|env:[A-Za-z_][A-Za-z0-9_]*)$": (
        "the ARN of a secret of Secrets Manager, or env:VARIABLE"
    ),
    r"^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:execution:[^:]+:[^:]+$": "the ARN of an "
    "execution of Step Functions",
    r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$": "the ARN of an SNS topic",
    r"^https?://": _WEB,
    r"^https?://[^\s]+$": f"{_WEB}, without blanks",
    r"^(dev|test|prod)(-\w+)?$": "dev, test or prod; after a hyphen a word may follow: dev-me",
    r"^\d{12}$": "the 12 digits of an AWS account",
    r"^fs-[0-9a-f]{8,40}$": "the id of a file system: fs- and 8 to 40 of 0-9 and a-f",
    r"^fsap-[0-9a-f]{8,40}$": "the id of an access point: fsap- and 8 to 40 of 0-9 and a-f",
    r"^/": "a path that begins with /",
    r"^[A-Z]{3}$": "a currency as three capital letters, such as USD",
    r"^\$file$": "$file",
    r"^[0-9.]+$": "a number in digits",
}
"""Pattern → what fits it, to stand after "give"."""
