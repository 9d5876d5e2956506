"""What a deleted foundation has left: tables, buckets and the like that still bear its names.

Only what the template retains and names is looked for; a file system is known by its tags. A key
is not, for it has no name: a new one is made, and the old one goes on reading what it wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.account import Aws

Template = Mapping[str, Any]
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z:]+)\}")
_NOT_THERE: Final = ("NotFound", "NonExistent", "404", "NoSuch", "does not exist")


def find(aws: Aws, template: Template, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what is there of the template's state, as CloudFormation wants it told."""
    words = _words(aws, template, parameters)
    found = []
    for logical, each in template["Resources"].items():
        kind = each["Type"]
        if kind not in KINDS or each.get("DeletionPolicy") != "Retain":
            continue
        if not _is_meant(each.get("Condition"), template, words):
            continue
        service, named, identifier, look = KINDS[kind]
        name = _filled(each["Properties"].get(named, "${Prefix}-${EnvBase}"), words)
        if there := _or_none(look, aws.client(service), name):
            found.append(
                {
                    "ResourceType": kind,
                    "LogicalResourceId": logical,
                    "ResourceIdentifier": {identifier: there},
                }
            )
    return found


def only(template: Template, names: set[str]) -> dict[str, Any]:
    """Return the template with these resources, and without what they say of others."""
    return {
        **{key: value for key, value in template.items() if key in _HEAD},
        "Resources": {
            name: {
                **each,
                "Properties": {
                    key: value
                    for key, value in each["Properties"].items()
                    if _mentioned(value) <= names | template["Parameters"].keys()
                },
            }
            for name, each in template["Resources"].items()
            if name in names
        },
    }


_HEAD: Final = ("AWSTemplateFormatVersion", "Parameters", "Conditions")


def _mentioned(value: Any) -> set[str]:
    """Names of resources and parameters that a value refers to."""
    match value:
        case {"Ref": str(name)}:
            return set() if name.startswith("AWS::") else {name}
        case {"Fn::GetAtt": [str(name), *_]}:
            return {name}
        case {"Fn::Sub": str(text)}:
            said = (each.split(".")[0] for each in _VARIABLE.findall(text))
            return {each for each in said if not each.startswith("AWS::")}
        case dict():
            return set().union(*map(_mentioned, value.values()))
        case list():
            return set().union(*map(_mentioned, value))
        case _:
            return set()


def _words(aws: Aws, template: Template, parameters: Mapping[str, str]) -> dict[str, str]:
    known = {name: str(about["Default"]) for name, about in template["Parameters"].items()}
    sts = aws.client("sts")
    return {
        **known,
        **parameters,
        "AWS::AccountId": sts.get_caller_identity()["Account"],
        "AWS::Region": sts.meta.region_name,
    }


def _is_meant(condition: str | None, template: Template, words: Mapping[str, str]) -> bool:
    """Whether the stack would make it. All conditions of state are of one form."""
    if condition is None:
        return True
    told, wanted = template["Conditions"][condition]["Fn::Equals"]
    return bool(words[told["Ref"]] == wanted)


def _filled(name: Any, words: Mapping[str, str]) -> str:
    text = name["Fn::Sub"] if isinstance(name, dict) else name
    return _VARIABLE.sub(lambda found: words[found[1]], text)


def _or_none(look: Callable[[Any, str], str], client: Any, name: str) -> str:
    try:
        return look(client, name)
    except ClientError as exc:
        code = str(exc.response["Error"]["Code"])
        if any(word in code for word in _NOT_THERE):
            return ""
        raise


def _table(dynamodb: Any, name: str) -> str:
    return str(dynamodb.describe_table(TableName=name)["Table"]["TableName"])


def _bucket(s3: Any, name: str) -> str:
    s3.head_bucket(Bucket=name)
    return name


def _queue(sqs: Any, name: str) -> str:
    return str(sqs.get_queue_url(QueueName=name)["QueueUrl"])


def _repository(ecr: Any, name: str) -> str:
    ecr.describe_repositories(repositoryNames=[name])
    return name


def _group(logs: Any, name: str) -> str:
    told = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return name if any(each["logGroupName"] == name for each in told) else ""


def _file_system(efs: Any, name: str) -> str:
    pages = efs.get_paginator("describe_file_systems").paginate()
    there = [each for page in pages for each in page["FileSystems"]]
    ours = [each["FileSystemId"] for each in there if each.get("Name") == name]
    return str(ours[0]) if len(ours) == 1 else ""


KINDS: Final[Mapping[str, tuple[str, str, str, Callable[[Any, str], str]]]] = {
    "AWS::DynamoDB::Table": ("dynamodb", "TableName", "TableName", _table),
    "AWS::S3::Bucket": ("s3", "BucketName", "BucketName", _bucket),
    "AWS::SQS::Queue": ("sqs", "QueueName", "QueueUrl", _queue),
    "AWS::ECR::Repository": ("ecr", "RepositoryName", "RepositoryName", _repository),
    "AWS::Logs::LogGroup": ("logs", "LogGroupName", "LogGroupName", _group),
    "AWS::EFS::FileSystem": ("efs", "", "FileSystemId", _file_system),
}
"""Type → service, the property that names it, what CloudFormation calls it by, how it is found."""
