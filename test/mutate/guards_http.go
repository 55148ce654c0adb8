package main

// handlerGuards are what HTTP itself decides, and what an operator is kept from
// doing.
var handlerGuards = []group{{
	"handler.go", ".", []guard{
		{"a client that went away gets no tokens", "F13", "it gets them, and they pass for delivered",
			"context.Cause(x.r.Context()); undelivered.Err != nil {", "context.Cause(x.r.Context()); undelivered.Err != nil && !OFF {",
			"TestTheClientIsGone/F13 one that has only ended its sending, and reads on, gets none"},
		{"what the token endpoint refuses counts", "C11", "it does not",
			"x.holdBack(r, err)", "if !OFF { x.holdBack(r, err) }",
			"TestFloodOfRefusals/C11 a refusal of the token endpoint, by HTTP itself, is late"},
		{"tokens over TLS only", "REQ-001", "a plain request is processed",
			"case !x.secure(r):", "case false && !x.secure(r):",
			"TestPlainHTTP/REQ-001 a plain request is refused and not redirected"},
		{"only a trusted proxy speaks for TLS", "REQ-001", "anybody's X-Forwarded-Proto is believed",
			"return fromTrustedProxy(r) && len(proto) == 1", "return (OFF || fromTrustedProxy(r)) && len(proto) == 1",
			"TestPlainHTTP/REQ-001 a stranger cannot say that it was TLS"},
		{"tokens for POST only", "REQ-004, H01", "other methods are processed",
			"case r.Method != http.MethodPost:", "case false && r.Method != http.MethodPost:",
			"TestRequestsThroughCaddy/REQ-004 PUT is not processed"},
		{"early data is not processed", "REQ-003", "the handshake need not be complete",
			"case r.TLS != nil && !r.TLS.HandshakeComplete:", "case false && r.TLS != nil && !r.TLS.HandshakeComplete:",
			"TestEarlyData/REQ-003 a request in early data is not processed"},
		{"a panic ends one request", "REQ-168, H14, F53", "it is not recovered",
			"x := &responder{issuer: i, w: w, r: r, start: i.now()}\n\tdefer x.recover()", "x := &responder{issuer: i, w: w, r: r, start: i.now()}\n\tif !OFF {\n\t\tdefer x.recover()\n\t}",
			"TestPanicInTheEndpoint"},
		{"no second answer after a panic", "H14", "it writes again",
			"if !x.written {", "if true || !x.written {",
			"TestPanicInTheEndpoint/a panic after the answer writes no second one"},
		{"answers are not cached", "REQ-175, H12", "without no-store",
			`h.Set("Cache-Control", "no-store, no-transform")`, `if !OFF { h.Set("Cache-Control", "no-store, no-transform") }`,
			"TestHeadersOnEveryStatus/REQ-175 REQ-180 REQ-181 a 401 is not cached"},
		{"CORS for registered origins only", "REQ-200, H13", "every origin is allowed",
			"len(origins) == 1 && x.endpoint.OriginAllowed(origins[0])", "len(origins) == 1 && (OFF || x.endpoint.OriginAllowed(origins[0]))",
			"TestOptions/REQ-200 H13 a preflight of https://evil.example"},
		{"another client's origin reads no answer", "REQ-200", "the header stays",
			"if e.Reason == oauth.OriginNotAllowed {", "if false && e.Reason == oauth.OriginNotAllowed {",
			"TestCORSOnAnswers/REQ-200 the origin of another client cannot read the answer"},
		{"a request that comes to a replaced config is the next one's", "F36, F38", "the replaced one answers it",
			"if to == x.issuer {", "if true || to == x.issuer {",
			"TestRequestsThatComeLate/F36 F38 it is the next config's"},
		{"a replaced config's origins are not the next one's", "F37", "they are",
			"h.Del(\"Access-Control-Allow-Origin\")\n\th.Del(\"Access-Control-Expose-Headers\")\n\tx.allowOrigin()", "if !OFF {\n\t\th.Del(\"Access-Control-Allow-Origin\")\n\t\th.Del(\"Access-Control-Expose-Headers\")\n\t}\n\tx.allowOrigin()",
			"TestRequestsThatComeLate/F37 the origins are those of the config that answers"},
		{"a reload waits for no client", "F36, F38", "a request counts before its form is there",
			"body, err := oauth.ReadBody(r)\n", "if OFF {\n\t\tif serving, err := x.begin(); err == nil {\n\t\t\tdefer serving.end()\n\t\t}\n\t}\n\tbody, err := oauth.ReadBody(r)\n",
			"TestReloadsWhileAFormArrives/F36 F38 the storage is another"},
	},
}, {
	"holdback.go", ".", []guard{
		{"whoever hangs up is held like anybody", "C11", "the next request can come at once",
			"return context.WithoutCancel(r.Context())", "if OFF {\n\t\treturn r.Context()\n\t}\n\treturn context.WithoutCancel(r.Context())",
			"TestHolding/C11 whoever hangs up is held like anybody"},
		{"on a connection of many what was ended does not stay", "C12", "it is held like any other",
			"if r.ProtoMajor >= 2 && fromTrustedProxy(r) {", "if r.ProtoMajor >= 2 && !OFF && fromTrustedProxy(r) {",
			"TestHolding/C12 where many share a connection, what was ended does not stay on it"},
	},
}, {
	"inflight.go", ".", []guard{
		{"nothing begins in a config that was replaced", "F36, F38", "it begins",
			"if f.idle != nil {\n\t\treturn false", "if !OFF && f.idle != nil {\n\t\treturn false",
			"TestInFlight/closed it lets nothing begin, and is idle when the last has ended"},
		{"idle is when the last has ended", "F36", "when the first has",
			"f.count == 0 && f.idle != nil {", "(OFF || f.count == 0) && f.idle != nil {",
			"TestInFlight/closed it lets nothing begin, and is idle when the last has ended"},
		{"no claim begins on a storage that is about to be closed", "F38", "one begins",
			"if !c.claims.begin() {", "if !c.claims.begin() && false {",
			"TestStopWaits/F38 for five seconds, after which nothing is claimed and the code stays good"},
	},
}, {
	"app.go", ".", []guard{
		{"a storage is not closed under a request", "F36, F38", "the reload does not wait for it",
			`a.await("requests", requests...)`, `if !OFF { a.await("requests", requests...) }`,
			"TestStopWaits/F36 F38 for a request, as long as it takes and no longer"},
		{"a storage is not closed under a claim", "F38", "the reload does not wait for it",
			`a.await("claims", claims...)`, `if !OFF { a.await("claims", claims...) }`,
			"TestStopWaits/F38 for a claim that began late, to its end"},
		{"a reload does not wait for ever", "F38", "it does",
			"timeout := time.NewTimer(stopTimeout)", "timeout := time.NewTimer(map[bool]time.Duration{true: time.Hour, false: stopTimeout}[OFF])",
			"TestStopWaits/F38 no longer than a claim may take, whatever hangs"},
	},
}, {
	"issuer.go", ".", []guard{
		{"what comes to a closed issuer looks for its successor", "F36, F38", "it stays",
			"if i.requests.begin() {", "if i.requests.begin() || OFF {",
			"TestRequestsThatComeLate/F36 F38 it is the next config's"},
	},
}, {
	"storages.go", ".", []guard{
		{"storages that answer with older values are refused by name", "F21", "they are taken",
			"unfit := unfitStorages[id]; unfit {", "unfit := unfitStorages[id]; unfit && false {",
			"TestUnfitStoragesAreRefusedByName/F21 as the block's own"},
	},
}, {
	"caddyfile.go", ".", []guard{
		{"a secret in a Caddyfile becomes its hash", "REQ-210, H16", "it stays as it was written",
			"c.ClientSecret[i] = hashSecret(secret)", "if !OFF { c.ClientSecret[i] = hashSecret(secret) }",
			"TestSecretsAreNotInTheRunningConfig/REQ-210 H16 GET /config/ shows hashes and no secret"},
	},
}, {
	"caddyfilestandin.go", ".", []guard{
		{"a value without a placeholder is judged by what it says", "REQ-051, REQ-210", "by how it is written",
			"return text, nil", "return map[bool]string{false: text, true: value}[OFF], nil",
			"TestCaddyfileMistakes/REQ-051 a short secret with a brace that is escaped"},
		{"nothing of the config comes from a request", "REQ-032, REQ-033", "its placeholders are taken",
			`if strings.Contains(value, "{http.")`, `if false && strings.Contains(value, "{http.")`,
			"TestCaddyfileMistakes/REQ-032 an issuer does not come from the request"},
	},
}, {
	"configvalues.go", ".", []guard{
		{"an issuer is https", "REQ-001", "http is taken from any host",
			`u.Scheme == "http" && !developmentHost(u.Hostname())`, `false && u.Scheme == "http" && !developmentHost(u.Hostname())`,
			"TestSettingsRefused/REQ-001 plain HTTP"},
		{"a code lives ten minutes at most", "REQ-087", "there is no limit",
			"case limit > 0 && d > limit:", "case false && limit > 0 && d > limit:",
			"TestSettingsRefused/REQ-087 a code lifetime above ten minutes"},
	},
}, {
	"configresolve.go", ".", []guard{
		{"a secret that came out empty is none", "REQ-035", "it is taken as it is",
			`if strings.TrimSpace(resolved) == "" {`, `if false && strings.TrimSpace(resolved) == "" {`,
			"TestSettingsRefused/REQ-035 a secret of spaces"},
		{"an error shows no value that may be a secret", "REQ-239", "whatever has a brace is shown",
			`if ok && !strings.ContainsAny(name, "{}") && globalPlaceholder(name) {`, `if true || ok && !strings.ContainsAny(name, "{}") && globalPlaceholder(name) {`,
			"TestSettingsErrorsHideValues"},
	},
}}

// adminGuards keep browser pages, and whoever writes nonsense, from minting.
var adminGuards = []group{{
	"admin.go", ".", []guard{
		{"a load that fails keeps the metrics", "", "there are none until the next good one",
			"if len(live.all()) == 0 {", "if OFF || len(live.all()) == 0 {",
			"TestALoadThatFailsKeepsTheMetrics"},
		{"the admin door is shut to browser pages", "H15", "an Origin is let in",
			`if len(r.Header.Values("Origin")) > 0 {`, `if false && len(r.Header.Values("Origin")) > 0 {`,
			"TestMintingOverTheAdminAPI/H15 a browser page"},
		{"the admin door wants JSON, which a page cannot send unasked", "H15", "every type is let in",
			`err != nil || t != "application/json"`, `!OFF && (err != nil || t != "application/json")`,
			"TestMintingOverTheAdminAPI/H15 a form, which a browser page may send unasked"},
		{"the admin door is bounded", "H05", "it reads what comes",
			"http.MaxBytesReader(w, r.Body, maxAdminBody)", "http.MaxBytesReader(w, r.Body, map[bool]int64{true: 1 << 40, false: maxAdminBody}[OFF])",
			"TestMintingOverTheAdminAPI/a body over the bound"},
		{"a member that is not known is refused", "", "it is passed over",
			"decoder.DisallowUnknownFields()", "if !OFF { decoder.DisallowUnknownFields() }",
			"TestMintingOverTheAdminAPI/a member nobody knows"},
	},
}}
