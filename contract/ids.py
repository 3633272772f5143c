"""Ids of what a platform holds: a type for each, so that none is taken for another's."""

from typing import NewType
from uuid import UUID

UserId = NewType("UserId", UUID)
IdentityId = NewType("IdentityId", UUID)
"""Of somebody whom a provider vouches for."""
SignInId = NewType("SignInId", UUID)
TokenId = NewType("TokenId", UUID)
"""Of a token of any kind; a run worker is known by that of its own."""
TeamId = NewType("TeamId", UUID)
InvitationId = NewType("InvitationId", UUID)
ChallengeId = NewType("ChallengeId", UUID)
SpecVersionId = NewType("SpecVersionId", UUID)
DatasetId = NewType("DatasetId", UUID)
CaseId = NewType("CaseId", UUID)
UploadId = NewType("UploadId", UUID)
ImageId = NewType("ImageId", UUID)
SubmissionId = NewType("SubmissionId", UUID)
EvaluationId = NewType("EvaluationId", UUID)
CaseRunId = NewType("CaseRunId", UUID)
AgreementId = NewType("AgreementId", UUID)
QuestionId = NewType("QuestionId", UUID)
ReevaluationId = NewType("ReevaluationId", UUID)
ConsignmentId = NewType("ConsignmentId", UUID)
NoticeId = NewType("NoticeId", UUID)
EndpointId = NewType("EndpointId", UUID)
"""Of an address that webhooks go to."""
MessageId = NewType("MessageId", UUID)

EVERY = (
    UserId,
    IdentityId,
    SignInId,
    TokenId,
    TeamId,
    InvitationId,
    ChallengeId,
    SpecVersionId,
    DatasetId,
    CaseId,
    UploadId,
    ImageId,
    SubmissionId,
    EvaluationId,
    CaseRunId,
    AgreementId,
    QuestionId,
    ReevaluationId,
    ConsignmentId,
    NoticeId,
    EndpointId,
    MessageId,
)
"""All of them."""
