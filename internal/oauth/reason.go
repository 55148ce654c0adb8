package oauth

// Reason is the stable private cause of an error, for logs and metrics.
type Reason string

// Causes that are the HTTP request's.
const (
	TLSRequired         Reason = "tls_required"
	WrongMethod         Reason = "method_not_allowed"
	EarlyData           Reason = "early_data"
	BodyTooLarge        Reason = "content_too_large"
	BodyTimeout         Reason = "body_timeout"
	BodyTruncated       Reason = "body_truncated"
	ContentCoding       Reason = "content_coding"
	MediaType           Reason = "media_type"
	FormMalformed       Reason = "form_malformed"
	SecretInURI         Reason = "secret_in_uri"
	OriginNotAllowed    Reason = "origin_not_allowed"
	ParameterMissing    Reason = "parameter_missing"
	ParameterRepeated   Reason = "parameter_repeated"
	ParameterMalformed  Reason = "parameter_malformed"
	SeveralMechanisms   Reason = "several_auth_mechanisms"
	ClientIDConflict    Reason = "client_id_conflict"
	AuthorizationHeader Reason = "authorization_repeated"
)

// Causes that are the client's authentication.
const (
	ClientAuthFailed Reason = "client_auth_failed"
	RateLimited      Reason = "rate_limited"
	HashingBusy      Reason = "hashing_busy"
)

// Details of ClientAuthFailed and RateLimited.
const (
	CredentialsMissing   Reason = "credentials_missing"
	CredentialsMalformed Reason = "credentials_malformed"
	ClientUnknown        Reason = "client_unknown"
	MethodMismatch       Reason = "method_mismatch"
	SecretMismatch       Reason = "secret_mismatch"
)

// Causes that are the grant's.
const (
	GrantTypeUnknown    Reason = "grant_type_unknown"
	GrantTypeNotAllowed Reason = "grant_type_not_allowed"

	CodeUnknown     Reason = "code_unknown"
	CodeExpired     Reason = "code_expired"
	CodeNotYetValid Reason = "code_not_yet_valid"
	CodeOfOtherBoot Reason = "code_of_other_boot"
	CodeClaimKind   Reason = "code_claim_kind"
	CodeReplayed    Reason = "code_replayed"
	RecordCorrupt   Reason = "record_corrupt"
	ClaimContended  Reason = "claim_contended"

	ClientMismatch   Reason = "client_mismatch"
	IssuerMismatch   Reason = "issuer_mismatch"
	RedirectMismatch Reason = "redirect_mismatch"
	PKCEFailed       Reason = "pkce_failed"

	ScopeMalformed  Reason = "scope_malformed"
	ScopeNotAllowed Reason = "scope_not_allowed"
)

// Details of RedirectMismatch and PKCEFailed.
const (
	RedirectMissing    Reason = "redirect_missing"
	VerifierMissing    Reason = "verifier_missing"
	VerifierMismatch   Reason = "verifier_mismatch"
	VerifierUnexpected Reason = "verifier_unexpected"
	ChallengeMissing   Reason = "challenge_missing"
	ChallengeMethod    Reason = "challenge_method"
)

// Causes that are the authorization request's.
const (
	ResponseTypeUnknown  Reason = "response_type_unknown"
	ParameterUnsupported Reason = "parameter_unsupported"
	PromptUnsupported    Reason = "prompt_unsupported"
	NotAuthenticated     Reason = "not_authenticated"
	AuthenticationTooOld Reason = "authentication_too_old"
	SubjectMismatch      Reason = "subject_mismatch"
	CodesCapped          Reason = "codes_capped"
)

// Details of ParameterMalformed where it is client_id or redirect_uri.
const (
	ClientNotRegistered   Reason = "client_not_registered"
	RedirectNotRegistered Reason = "redirect_not_registered"
)

// Causes that are the configured identity's.
const (
	IdentityMissing   Reason = "identity_missing"
	IdentityMalformed Reason = "identity_malformed"
)

// Causes that are a UserInfo request's.
const (
	TokenMissing      Reason = "access_token_missing"
	TokenMalformed    Reason = "access_token_malformed"
	TokenInvalid      Reason = "access_token_invalid"
	TokenAudience     Reason = "access_token_audience"
	ScopeInsufficient Reason = "scope_insufficient"
	ClientRemoved     Reason = "client_removed"
	GrantUnknown      Reason = "grant_unknown"
	GrantMismatch     Reason = "grant_mismatch"
	SeveralTransports Reason = "several_token_transports"
)

// Causes that are ours.
const (
	Internal              Reason = "internal"
	ConfigReplaced        Reason = "config_replaced"
	Panic                 Reason = "panic"
	StorageUnavailable    Reason = "storage_unavailable"
	StorageRefused        Reason = "storage_refused"
	ClaimUnknown          Reason = "claim_unknown"
	SigningKeyUnavailable Reason = "signing_key_unavailable"
	KeysUnavailable       Reason = "keys_unavailable"
	IssueFailed           Reason = "issue_failed"
	Undelivered           Reason = "issued_undelivered"
)
