"""How each kind of API refuses a request whose signature it does not accept: codes, statuses and words of AWS."""

from datetime import UTC, datetime
from functools import cache

from cloudlet.core.errors import AwsError

_MISMATCH = "The request signature we calculated does not match the signature you provided. "


def timestamp(seconds: float) -> str:
    """`20261124T110000Z`"""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


class Refusals:
    """The errors of the query protocol's services (IAM, STS, SNS, SQS, CloudFormation)."""

    status = 403
    missing_code = "MissingAuthenticationToken"
    malformed_code = "IncompleteSignature"
    unknown_code = "InvalidClientTokenId"
    mismatch_code = "SignatureDoesNotMatch"
    expired_code = "ExpiredToken"

    def missing(self) -> AwsError:
        return AwsError(self.missing_code, "Missing Authentication Token", status=self.status)

    def malformed(self, what: str) -> AwsError:
        """An Authorization header that is not one of Signature Version 4."""
        return AwsError(self.malformed_code, what, status=self.status)

    def malformed_query(self, what: str) -> AwsError:
        return self.malformed(what)

    def unsupported(self, algorithm: str) -> AwsError:
        """Signature Version 2, 4A or anything else that is not Version 4."""
        return self.malformed(f"Unsupported AWS 'algorithm': '{algorithm}'. Please use AWS4-HMAC-SHA256.")

    def wrong_scope(self, part: str, given: str, expected: str) -> AwsError:
        """`part` is `date`, `region`, `service` or `terminator`."""
        if part == "date":
            words = "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            words += f"'{given}' != '{expected}'."
        elif part == "region":
            words = "Credential should be scoped to a valid region."
        elif part == "service":
            words = f"Credential should be scoped to correct service: '{expected}'."
        else:
            words = f"Credential should be scoped with a valid terminator: '{expected}', not '{given}'."
        return AwsError(self.mismatch_code, words, status=self.status)

    def unknown_key(self, access_key_id: str) -> AwsError:
        return self.invalid_token()

    def invalid_token(self) -> AwsError:
        return AwsError(self.unknown_code, "The security token included in the request is invalid.", status=self.status)

    def expired_token(self) -> AwsError:
        return AwsError(self.expired_code, "The security token included in the request is expired", status=self.status)

    def skewed(self, signed: float, now: float, allowed: float) -> AwsError:
        minutes = f"{timestamp(now)} {'-' if signed < now else '+'} {allowed / 60:.0f} min."
        if signed < now:
            words = f"Signature expired: {timestamp(signed)} is now earlier than {timestamp(now - allowed)} ({minutes})"
        else:
            limit = timestamp(now + allowed)
            words = f"Signature not yet current: {timestamp(signed)} is still later than {limit} ({minutes})"
        return AwsError(self.mismatch_code, words, status=self.status)

    def expired(self, signed: float, lasts: int, now: float) -> AwsError:
        """A presigned URL after its time: it was good for so many seconds."""
        return self.skewed(signed, now, lasts)

    def not_signed(self, names: list[str]) -> AwsError:
        """Headers that have an effect must be under the signature."""
        words = f"'{names[0]}' must be a 'SignedHeader' in the AWS Authorization."
        return AwsError(self.mismatch_code, words, status=self.status)

    def mismatch(self, access_key_id: str, given: str, canonical: str, to_sign: str) -> AwsError:
        words = (
            f"{_MISMATCH}Check your AWS Secret Access Key and signing method. Consult the service documentation for "
            f"details.\n\nThe Canonical String for this request should have been\n'{canonical}'\n\n"
            f"The String-to-Sign should have been\n'{to_sign}'\n"
        )
        return AwsError(self.mismatch_code, words, status=self.status)


class JsonRefusals(Refusals):
    """The errors of the JSON and CBOR protocols' services."""

    missing_code = "MissingAuthenticationTokenException"
    malformed_code = "IncompleteSignatureException"
    unknown_code = "UnrecognizedClientException"
    mismatch_code = "InvalidSignatureException"
    expired_code = "ExpiredTokenException"

    def __init__(self, status: int) -> None:
        self.status = status


class S3Refusals(Refusals):
    def missing(self) -> AwsError:
        return AwsError("AccessDenied", "Access Denied", status=403)

    def malformed(self, what: str) -> AwsError:
        return AwsError("AuthorizationHeaderMalformed", f"The authorization header is malformed; {what}", status=400)

    def malformed_query(self, what: str) -> AwsError:
        return AwsError("AuthorizationQueryParametersError", what, status=400)

    def unsupported(self, algorithm: str) -> AwsError:
        words = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        return AwsError("InvalidRequest", words, status=400)

    def wrong_scope(self, part: str, given: str, expected: str) -> AwsError:
        if part == "date":
            return self.malformed(
                f'Invalid credential date "{given}". This date is not the same as X-Amz-Date: "{expected}".'
            )
        if part == "region":
            return self.malformed(f"the region '{given}' is wrong; expecting '{expected}'")
        if part == "service":
            return self.malformed(f'incorrect service "{given}". This endpoint belongs to "{expected}".')
        return self.malformed(f'incorrect terminal "{given}". This endpoint uses "{expected}".')

    def unknown_key(self, access_key_id: str) -> AwsError:
        words = "The AWS Access Key Id you provided does not exist in our records."
        return AwsError("InvalidAccessKeyId", words, status=403, fields={"AWSAccessKeyId": access_key_id})

    def invalid_token(self) -> AwsError:
        return AwsError("InvalidToken", "The provided token is malformed or otherwise invalid.", status=400)

    def expired_token(self) -> AwsError:
        return AwsError("ExpiredToken", "The provided token has expired.", status=400)

    def skewed(self, signed: float, now: float, allowed: float) -> AwsError:
        fields = {
            "RequestTime": timestamp(signed),
            "ServerTime": _iso(now),
            "MaxAllowedSkewMilliseconds": str(int(allowed * 1000)),
        }
        words = "The difference between the request time and the current time is too large."
        return AwsError("RequestTimeTooSkewed", words, status=403, fields=fields)

    def expired(self, signed: float, lasts: int, now: float) -> AwsError:
        fields = {"X-Amz-Expires": str(lasts), "Expires": _iso(signed + lasts), "ServerTime": _iso(now)}
        return AwsError("AccessDenied", "Request has expired", status=403, fields=fields)

    def not_signed(self, names: list[str]) -> AwsError:
        words = "There were headers present in the request which were not signed"
        return AwsError("AccessDenied", words, status=403, fields={"HeadersNotSigned": ", ".join(names)})

    def mismatch(self, access_key_id: str, given: str, canonical: str, to_sign: str) -> AwsError:
        fields = {
            "AWSAccessKeyId": access_key_id,
            "StringToSign": to_sign,
            "SignatureProvided": given,
            "CanonicalRequest": canonical,
        }
        return AwsError(
            "SignatureDoesNotMatch", f"{_MISMATCH}Check your key and signing method.", status=403, fields=fields
        )


@cache
def refusals_of(api: str, protocol: str) -> Refusals:
    """SQS speaks JSON but keeps the query protocol's codes, as its model's awsQueryCompatible says."""
    if api == "s3":
        return S3Refusals()
    if protocol == "query" or api == "sqs":
        return Refusals()
    return JsonRefusals(403 if protocol == "rest-json" else 400)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
