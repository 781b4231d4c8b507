"""Puts the kits' files where customers' clouds can read them: the provider's own bucket, with the provider's own credentials."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CORSRuleOutputTypeDef

TEXT = "text/plain; charset=utf-8"
CONTENT_TYPES = {".yaml": TEXT, ".sh": TEXT, ".sha256": TEXT, ".json": "application/json", ".zip": "application/zip"}
ABSENT = {"404", "NoSuchBucket", "NoSuchKey"}
# "Deploy to Azure": the template is fetched by the page of the Azure portal, in the customer's browser. A rule is of the whole bucket;
# what anybody may read there is another question, and the answer is the kits alone.
AZURE_PORTAL: "CORSRuleOutputTypeDef" = {
    "ID": "AzurePortalMayReadKits",
    "AllowedOrigins": ["https://portal.azure.com"],
    "AllowedMethods": ["GET"],
}


class PublishError(Exception):
    """The bucket could not be written, or holds other content under a kit's name; the message says what to do."""


@dataclass(frozen=True)
class Published:
    key: str
    is_new: bool


def publish(files: Mapping[str, bytes], *, bucket: str, region: str) -> list[Published]:
    """Upload `{key: content}`. The same content stays as it is; other content under the same key is an error: then nothing is
    uploaded.

    Raises PublishError. Safe to run any number of times.
    """
    s3 = boto3.Session().client("s3", region_name=region)
    try:
        _require_bucket(s3, bucket, region)
        missing = [key for key, content in sorted(files.items()) if _is_missing(s3, bucket, key, content)]
        for key in missing:
            s3.put_object(Bucket=bucket, Key=key, Body=files[key], ContentType=CONTENT_TYPES[PurePath(key).suffix])
        _let_azures_page_read(s3, bucket)
        return [Published(key, key in missing) for key in sorted(files)]
    except (ClientError, BotoCoreError) as error:
        message = f"S3 refused: {error}. Check the credentials of this command, and that bucket {bucket} in {region} is yours."
        raise PublishError(message) from error


def _require_bucket(s3: "S3Client", bucket: str, region: str) -> None:
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ABSENT:
            raise
        if region == "us-east-1":  # the one region that must not be named
            s3.create_bucket(Bucket=bucket)
        else:
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})  # type: ignore[typeddict-item]
        _let_customers_read(s3, bucket)


def _let_customers_read(s3: "S3Client", bucket: str) -> None:
    """The console opens a link in the customer's own account, so the kits must be readable by anybody. They hold no secret."""
    kits = {
        "Sid": "AnybodyMayReadKits",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/kits/*",
    }
    still_blocked = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False, "RestrictPublicBuckets": False}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=still_blocked)  # type: ignore[arg-type]
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [kits]}))


def _let_azures_page_read(s3: "S3Client", bucket: str) -> None:
    """Writing replaces all rules of a bucket, so those of others are kept, and nothing is written twice."""
    rules = _rules_of(s3, bucket)
    others = [rule for rule in rules if rule.get("ID") != AZURE_PORTAL["ID"]]
    if rules != [*others, AZURE_PORTAL]:
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [*others, AZURE_PORTAL]})


def _rules_of(s3: "S3Client", bucket: str) -> "list[CORSRuleOutputTypeDef]":
    try:
        return s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchCORSConfiguration":
            return []
        raise


def _is_missing(s3: "S3Client", bucket: str, key: str, content: bytes) -> bool:
    try:
        there = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return True
        raise
    if there != content:
        message = f"{bucket}/{key} holds other content. Customers may have read it: raise the kit's version instead of replacing it."
        raise PublishError(message)
    return False
