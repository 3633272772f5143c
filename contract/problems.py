"""The codes of all errors that the server answers with (RFC 9457), a closed list: one meaning each, and it stays."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """A code with its `meaning`.

    A newer server may send others: whoever reads one that it does not know goes by the status.
    """

    meaning: str

    def __new__(cls, value: str, meaning: str) -> "ErrorCode":
        """A member of this value."""
        code = str.__new__(cls, value)
        code._value_, code.meaning = value, meaning
        return code

    # the request itself
    BAD_REQUEST = "bad_request", "the request cannot be read, as where its body is no JSON"
    BLOBS_AWAY = (
        "blobs_away",
        "the server's blob store does not answer; nothing is lost, try again after Retry-After",
    )
    BODY_TOO_LARGE = "body_too_large", "the body has more bytes than this operation takes"
    BODY_TOO_SLOW = "body_too_slow", "the body did not come in time"
    BUSY = "busy", "nothing was done, for the server has too much to do; try again after Retry-After"
    DATABASE_AWAY = (
        "database_away",
        "the server's database does not answer; what was asked for may have been done",
    )
    FORM_FROM_ELSEWHERE = (
        "form_from_elsewhere",
        "no page of this server, as it was made for this browser, sent this form; load the page again",
    )
    HEADERS_TOO_LARGE = "headers_too_large", "too many headers, or too many bytes of them"
    HEADERS_TOO_SLOW = "headers_too_slow", "the headers did not come in time"
    INTERNAL_ERROR = "internal_error", "an error of the server's own"
    INVALID_FORM = "invalid_form", "this is no form of a page, or a value is not what its field takes"
    INVALID_REQUEST = "invalid_request", "fields are missing or wrong; `problems` names them"
    INVALID_VALUE = "invalid_value", "a value that no record can have"
    LINK_FROM_ELSEWHERE = (
        "link_from_elsewhere",
        "another site led to what is hidden, where each look is on record; open it from a page of this server",
    )
    METHOD_NOT_ALLOWED = "method_not_allowed", "this address takes other methods; `Allow` names them"
    NESTED_TOO_DEEPLY = "nested_too_deeply", "lists and objects of the body lie too deep in each other"
    NOT_A_HEAD = "not_a_head", "no head of the audit chain: its number, a colon and its hash"
    NOT_AN_ID = "not_an_id", "no beginning of an id"
    NOT_FOUND = "not_found", "there is nothing at this address"
    NOT_HTTP = "not_http", "this is no request of HTTP/1.1"
    TOO_MANY_REQUESTS = (
        "too_many_requests",
        "the token, or the address, has sent too many requests within a minute",
    )
    # who asks
    ACCOUNT_CLOSED = "account_closed", "the organizers closed this account"
    ADMINS_ONLY = "admins_only", "only an admin may do this, with a token of scope admin"
    ORGANIZERS_ONLY = "organizers_only", "only an organizer of this challenge may do or see this"
    CAPTAIN_ONLY = "captain_only", "only the team's captain may do this"
    INVALID_TOKEN = "invalid_token", "the token is unknown"
    NOT_A_SESSION = "not_a_session", "an API token is revoked by its id and not as a session"
    NOT_A_WORKER = "not_a_worker", "run workers need a token of their own"
    NOT_SIGNED_IN = "not_signed_in", "no token came with the request"
    SCOPE_MISSING = "scope_missing", "the token lacks a scope that this takes"
    SESSION_NEEDED = "session_needed", "this takes a log-in's session, and the token is an API token"
    TOKEN_EXPIRED = "token_expired", "the token has expired"
    TOKEN_REVOKED = "token_revoked", "the token was revoked"
    WORKER_TOKEN = "worker_token", "this is for people, and the token is a run worker's"
    # accounts
    ADDRESS_UNVERIFIED = "address_unverified", "it is not shown yet that mail to your address reaches you"
    CODE_OVER = "code_over", "the code has run out"
    EMAIL_TAKEN = "email_taken", "the address has an account"
    LAST_ADMIN = "last_admin", "one admin has to stay"
    LAST_ORGANIZER = (
        "last_organizer",
        "the only organizer of a challenge cannot leave it; an admin can decide so",
    )
    ERASED = "erased", "the person was erased"
    OTHER_ADDRESS = "other_address", "the account is not the one of this address"
    NO_ROLE = "no_role", "this person has no role in this challenge"
    NO_MAIL = "no_mail", "this server sends no mail"
    NOT_CLOSED = "not_closed", "the account is open"
    PASSWORD_CHANGED = "password_changed", "the password was changed at the same moment"
    PROVIDER_FAILED = "provider_failed", "a provider of log-ins did not answer, or its answer proves nothing"
    RESERVED_NAME = "reserved_name", "the name is kept for the organizers"
    SIGN_IN_OVER = (
        "sign_in_over",
        "the log-in through a provider was used, has run out, or was begun elsewhere",
    )
    SIGN_IN_REFUSED = "sign_in_refused", "the log-in through a provider came to nothing; the text says why"
    SETUP_DONE = "setup_done", "the setup token works for the first admin only"
    TOO_MANY_LOG_INS = "too_many_log_ins", "too many log-ins or wrong passwords in a window of time"
    TOO_MANY_MAILS = "too_many_mails", "too many mails were asked for in a window of time"
    TOO_MANY_NEW_TOKENS = "too_many_new_tokens", "too many tokens were made within a day"
    TOO_MANY_REGISTRATIONS = "too_many_registrations", "too many accounts were made in a window of time"
    TOO_MANY_ROLES = "too_many_roles", "a challenge has at most so many organizers and observers"
    TOO_MANY_TOKENS = "too_many_tokens", "one person has at most so many valid tokens"
    TOO_MANY_SIGN_INS = (
        "too_many_sign_ins",
        "too many log-ins through a provider were begun in a window of time",
    )
    UNKNOWN_ACCOUNT = "unknown_account", "there is no such account"
    UNKNOWN_IDENTITY = "unknown_identity", "no such identity at a provider is linked to your account"
    UNKNOWN_PROVIDER = "unknown_provider", "nobody logs in through a provider of this name here"
    UNKNOWN_SESSION = "unknown_session", "you have no such session"
    UNKNOWN_TOKEN = "unknown_token", "you have no such token"
    WRONG_CODE = "wrong_code", "the code is wrong or was used"
    WRONG_CREDENTIALS = "wrong_credentials", "the address or the password is wrong"
    WRONG_PASSWORD = "wrong_password", "the old password is wrong"
    WRONG_SIGN_IN_CODE = "wrong_sign_in_code", "this is not what the terminal shows"
    WRONG_SETUP_TOKEN = "wrong_setup_token", "the setup token is wrong"
    # teams
    ALREADY_IN_A_TEAM = "already_in_a_team", "one person has one team in a challenge"
    BAD_TEAM_NAME = "bad_team_name", "a team cannot have this name"
    INVITATION_OVER = "invitation_over", "the invitation was used or taken back, or has run out"
    LAST_MEMBER = "last_member", "a team keeps at least one member"
    MERGE_UNDECIDED = (
        "merge_undecided",
        "it is not said which team gets all, or whose results count where both have some",
    )
    NO_TEAM = "no_team", "you have no team in this challenge"
    REGISTRATION_CLOSED = "registration_closed", "no new teams are taken"
    STANDING_DIFFERS = "standing_differs", "the two teams do not stand alike"
    TEAM_DISQUALIFIED = "team_disqualified", "the organizers disqualified the team"
    TEAM_FULL = "team_full", "a team has at most so many members"
    TEAM_MERGED = "team_merged", "the team was merged into another one"
    TEAM_NAME_TAKEN = "team_name_taken", "another team has this name, or one that looks like it"
    TEAM_WAITS = "team_waits", "the team waits until the organizers approve it"
    TOO_MANY_INVITATIONS = "too_many_invitations", "too many invitations are open, or were made within a day"
    TOO_MANY_TEAMS = "too_many_teams", "one person founds at most so many teams of a challenge within a day"
    UNKNOWN_INVITATION = "unknown_invitation", "there is no such invitation"
    UNKNOWN_MEMBER = "unknown_member", "there is no such member in this team"
    UNKNOWN_TEAM = "unknown_team", "there is no such team, or none that you may see"
    # agreements and questions
    AGREEMENT_PUBLISHED = "agreement_published", "the text was published before, and a text is published once"
    AGREEMENT_REPLACED = "agreement_replaced", "a newer version of the document is there to be accepted"
    CONSENT_MISSING = "consent_missing", "a document has to be accepted first; `agreements` has its digest"
    NEEDS_PUBLIC_TEXT = "needs_public_text", "what everybody reads of a question has to be written for them"
    QUESTION_SETTLED = "question_settled", "the question was answered or closed; `instead` replaces that"
    TOO_MANY_AGREEMENTS = "too_many_agreements", "a challenge has at most so many documents and versions"
    TOO_MANY_QUESTIONS = "too_many_questions", "the team has asked too often within a day"
    UNKNOWN_AGREEMENT = "unknown_agreement", "the challenge has no such agreement"
    UNKNOWN_QUESTION = "unknown_question", "the challenge has no such question"
    # uploads and images
    BACKUP_RUNS = "backup_runs", "a backup is being made, and nothing is removed meanwhile"
    BAD_HEADER = "bad_header", "a header of the upload is no whole number of bytes"
    BAD_METADATA = "bad_metadata", "Upload-Metadata cannot be read"
    CHECK_LOST = "check_lost", "another checker took the upload"
    CONTENT_TYPE = "content_type", "the bytes of an upload have a content type of their own"
    EMPTY_UPLOAD = "empty_upload", "an upload has at least one byte"
    IMAGE_IN_USE = "image_in_use", "an evaluation that could be run again needs the image"
    NO_REGISTRY = "no_registry", "this server takes no pushed images"
    NOT_THE_REGISTRY = "not_the_registry", "only the registry may tell of pushes"
    PLAN_CHANGED = "plan_changed", "something else would be deleted now than the plan that was seen says"
    SHA256_MISSING = "sha256_missing", "Upload-Metadata needs the archive's sha256"
    STORAGE_FULL = "storage_full", "the server's disk has no room"
    STREAM_TOO_SLOW = "stream_too_slow", "the bytes came too slowly while others waited"
    TEAM_STORAGE_FULL = "team_storage_full", "the team may store no more"
    TOO_MANY_BYTES = "too_many_bytes", "more bytes came than were announced"
    TOO_MANY_IMAGES = "too_many_images", "the team has as many images as it may have"
    TOO_MANY_UPLOADS = "too_many_uploads", "too many uploads of the team are unfinished or not checked"
    TOTAL_STORAGE_FULL = "total_storage_full", "all teams together may store no more"
    TUS_VERSION = "tus_version", "the server speaks another version of tus"
    UNKNOWN_IMAGE = "unknown_image", "the team has no image of this digest"
    UNKNOWN_UPLOAD = "unknown_upload", "there is no such upload, or it is another team's"
    UPLOAD_COMPLETE = "upload_complete", "all bytes of the upload are here"
    UPLOAD_EXPIRED = "upload_expired", "the upload ran out"
    UPLOAD_LOCKED = "upload_locked", "another request is writing to the upload"
    UPLOAD_PUSHED = "upload_pushed", "the server fetches this upload from the registry itself"
    UPLOAD_STALLED = "upload_stalled", "no byte came for a while; what came is kept"
    UPLOAD_TOO_LARGE = "upload_too_large", "an archive has at most so many bytes"
    WRONG_OFFSET = "wrong_offset", "the upload stands at another offset, which `offset` says"
    # challenges and cases
    BOARD_NOT_FINAL = (
        "board_not_final",
        "the leaderboard is not final, and a release before that takes a reason",
    )
    BOARD_NOT_RELEASED = "board_not_released", "the leaderboard is not released"
    BOARD_NOT_TASK = "board_not_task", "this is a board; what is submitted is its task"
    BOARD_PUBLIC = "board_public", "the leaderboard was never sealed"
    BOARD_RELEASED = "board_released", "the leaderboard has been released already"
    BOARD_SEALED = "board_sealed", "the leaderboard is sealed until the organizers release it"
    BUNDLE_FAILED = "bundle_failed", "the bundle could not be completed; nothing of it was kept"
    CANNOT_DRAW = "cannot_draw", "the image of a case is not drawn here"
    CASES_ARCHIVE = "cases_archive", "an archive of cases is none that is unpacked"
    CASES_ODD = "cases_odd", "the cases have warnings, which have to be accepted"
    CASES_REFUSED = "cases_refused", "the cases cannot be brought in as they are"
    CASES_UNFIT = "cases_unfit", "the cases do not fit the challenge file as it is now"
    CHALLENGE_CHANGED = (
        "challenge_changed",
        "the challenge is another than the one that the change was planned for",
    )
    CHALLENGE_FILE = "challenge_file", "the challenge file is wrong"
    RESULTS_DIFFER = "results_differ", "the phase has other published results"
    RESULTS_FILE = "results_file", "the file of results is wrong; `problems` names each mistake with its line"
    RESULTS_PHASE = "results_phase", "the phase cannot show results that were published elsewhere"
    RESULTS_PUBLISHED = (
        "results_published",
        "the phase shows published results, and has nothing of single cases",
    )
    CONSIGNMENT_LOST = "consignment_lost", "score workers that had the files ended without a word"
    DATASET_DROPPED = "dataset_dropped", "the files of these cases were dropped"
    DATASET_IN_FORCE = "dataset_in_force", "these cases are in force"
    DATASET_USED = "dataset_used", "evaluations ran on these cases"
    FILES_ELSEWHERE = "files_elsewhere", "the server cannot reach the files"
    LABELS_COMMITTED = "labels_committed", "the labels of these cases are committed to already"
    NAMES_A_CASE = "names_a_case", "a text for participants names a hidden case, which `word` says"
    NEEDS_CONFIRMATION = "needs_confirmation", "it has consequences, and takes a yes"
    NO_BOARD = "no_board", "the phase has no leaderboard"
    NO_DATASET = "no_dataset", "the phase has no cases for this task yet"
    NOTHING_CORRECTED = "nothing_corrected", "the correction changes nothing"
    PHASE_DATES = "phase_dates", "the phase cannot have these dates"
    PHASE_UNCHANGED = "phase_unchanged", "the phase has these dates already"
    REASON_MISSING = "reason_missing", "this takes a reason, which everybody reads"
    SCANS_PUBLIC = "scans_public", "hidden scans would be in a public phase"
    SEVERAL_DATASETS = "several_datasets", "several versions of cases begin so"
    TOO_MANY_CONSIGNMENTS = (
        "too_many_consignments",
        "too many files for cases of the challenge wait to be worked off",
    )
    UNKNOWN_AMENDMENT = "unknown_amendment", "the challenge has no such amendment"
    UNKNOWN_BOARD = "unknown_board", "the challenge has no such board"
    UNKNOWN_CHALLENGE = "unknown_challenge", "there is no such challenge"
    UNKNOWN_CONSIGNMENT = "unknown_consignment", "no such files were sent for cases of the challenge"
    UNKNOWN_DATASET = "unknown_dataset", "there is no such version of any cases"
    UNKNOWN_EDITION = "unknown_edition", "the board has no such edition, or it is not shown"
    UNKNOWN_ENTRY = "unknown_entry", "no such team has an entry on the board"
    UNKNOWN_PHASE = "unknown_phase", "the challenge has no such phase"
    UNKNOWN_TASK = "unknown_task", "the challenge has no such task"
    UNKNOWN_TRACK = "unknown_track", "the challenge has no such track"
    # submissions and evaluations
    ALREADY_ENDED = "already_ended", "the evaluation has ended"
    AMBIGUOUS_ID = "ambiguous_id", "several ids begin so"
    NOTHING_TO_FIND = "nothing_to_find", "too little of a name, an id or a digest to look for"
    UNKNOWN_ID = "unknown_id", "nothing that the asker may see has an id that begins so"
    CHECKPOINT_REFUSED = "checkpoint_refused", "the images do not hold one checkpoint that they declare"
    HIDDEN_CASES = "hidden_cases", "the cases of this phase are not shown"
    IDEMPOTENCY_KEY = "idempotency_key", "a submission takes an Idempotency-Key"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused", "the key was used for another submission"
    NOT_ERRORED = "not_errored", "only what ended as errored is retried"
    NOT_FAILED = "not_failed", "only what was rejected or cancelled is excused"
    NOTHING_TO_RUN = "nothing_to_run", "the evaluation has no cases to run"
    NO_RECEIPT = "no_receipt", "a receipt is signed once the evaluation is scored"
    NOT_ENDED = "not_ended", "an evaluation that this concerns goes on"
    NOT_IN_FORCE = "not_in_force", "another evaluation counts in its place"
    NOT_SCORED = "not_scored", "only a scored evaluation is on a board"
    PHASE_CLOSED = "phase_closed", "the phase takes no submissions now"
    QUOTA_SPENT = "quota_spent", "no attempt is left"
    SCORING_LOST = "scoring_lost", "another score worker has the evaluation, or it has ended"
    TOO_MANY_REJECTED = "too_many_rejected", "too many evaluations of the team failed within a week"
    TOO_MANY_STREAMS = "too_many_streams", "one person has at most so many event streams open"
    UNCHANGED = "unchanged", "it is so already"
    UNKNOWN_CASE = "unknown_case", "the evaluation, or the version of the cases, has no such case"
    UNKNOWN_EVALUATION = "unknown_evaluation", "there is no such evaluation, or none that you may see"
    UNKNOWN_SUBMISSION = "unknown_submission", "there is no such submission, or none that you may see"
    # re-evaluations
    ALREADY_APPLIED = "already_applied", "the re-evaluation has been applied already"
    APPLIED_SINCE = "applied_since", "what it brought into force has been changed again since"
    BOARD_MOVED = "board_moved", "what counts is not what it was when the preview was made; look at it again"
    NOT_APPLIED = "not_applied", "only what was applied is reverted"
    NOT_A_DRAFT = "not_a_draft", "only a draft is started"
    NOT_READY = "not_ready", "the re-evaluation has not come to its end"
    NOTHING_IN_SCOPE = (
        "nothing_in_scope",
        "there is no evaluation that the scope holds and that can be made anew",
    )
    REEVALUATION_OVER = "reevaluation_over", "the re-evaluation was applied, cancelled or reverted"
    UNKNOWN_REEVALUATION = "unknown_reevaluation", "the challenge has no such re-evaluation"
    # webhooks
    TOO_MANY_WEBHOOKS = "too_many_webhooks", "there are as many webhooks as there may be"
    UNKNOWN_WEBHOOK = "unknown_webhook", "there is no such webhook, or none of yours"
    WEBHOOK_ADDRESS = "webhook_address", "nothing is sent to such an address"
    WEBHOOK_DISABLED = "webhook_disabled", "nothing is sent to this webhook until it is enabled again"
    WEBHOOK_EXISTS = "webhook_exists", "there is a webhook with this address"
    WEBHOOK_KIND = "webhook_kind", "whose webhook it is is never told of such a kind"
    # run workers and the installation
    BLOB_DAMAGED = "blob_damaged", "the server's blob store gives other bytes of a file than it took"
    DATA_MISSING = "data_missing", "a file or report that the server should have is gone"
    LEASE_LOST = "lease_lost", "the case is not leased to this worker any more"
    LOCAL_WORKER = (
        "local_worker",
        "a command on the server's machine replaces the token of its own run workers",
    )
    OTHER_SECRET_KEY = "other_secret_key", "the secret key is not the one that this installation works with"
    OUTPUT_AND_FAULT = "output_and_fault", "a valid case has an output, any other one a fault"
    OUTPUT_TOO_LARGE = "output_too_large", "an output of this task has at most so many bytes"
    READ_TOO_OFTEN = "read_too_often", "a lease reads each file so many times at most"
    SLOT_IS_FULL = "slot_is_full", "the slot holds as many cases as it may"
    SLOT_PAUSED = "slot_paused", "the slot gave back too many cases, and has a pause"
    TOO_MANY_SLOTS = "too_many_slots", "the token has as many slots as it may"
    UNKNOWN_BLOB = "unknown_blob", "the blob is no part of the leased case's image"
    UNKNOWN_INPUT = "unknown_input", "the case has no such input"
    UNKNOWN_OUTPUT = "unknown_output", "the output of the case was not uploaded under this lease"
    UNKNOWN_SLOT = "unknown_slot", "the run worker has no such slot"
    UNKNOWN_WORKER = "unknown_worker", "there is no such run worker"
    WORKER_EXISTS = "worker_exists", "a run worker of this name exists"
    WORKER_HOLDS_CASES = "worker_holds_cases", "the run worker holds cases, and is to drain first"
    WORKER_REVOKED = "worker_revoked", "the run worker's token was revoked"
