package storagetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// claims are what is promised of a code, whatever kind of claim redeems it.
var claims = []trial{
	{"REQ-101 a code is redeemed once", testOnce},
	{"REQ-104 A02 of many requests on one node exactly one wins", testOneNode},
	{"REQ-104 REQ-245 A04 F24 of requests on several nodes at most one wins", testNodes},
	{"REQ-107 A22 A23 codes and used-marks outlive the process", testRestart},
	{"F22 a record that is stored again makes no second success", testStoredAgain},
	{"the record of a redeemed code is found by its grant, on every node", testGrant},
	{"REQ-085 A13 the issuer is part of a code", testIssuer},
	{"A25 A26 hostile codes are unknown and reach no key", testHostile},
}

func testOnce(t *testing.T, s certmagic.Storage) {
	here, there := node(t, s), node(t, s)
	code := mint(t, here, time.Now())
	wantError(t, redeem(t.Context(), there, code), nil)
	wantError(t, redeem(t.Context(), there, code), storage.ErrUsed)
	wantError(t, redeem(t.Context(), here, code), storage.ErrUsed)
}

func testOneNode(t *testing.T, s certmagic.Storage) {
	codes := node(t, s)
	for range 5 {
		if won := race(t, mint(t, codes, time.Now()), 32, codes); won != 1 {
			t.Errorf("%d winners", won)
		}
	}
}

func testNodes(t *testing.T, s certmagic.Storage) {
	for _, row := range []struct{ nodes, racers, rounds int }{{2, 2, 60}, {2, 8, 20}, {5, 10, 20}} {
		all := nodes(t, s, row.nodes)
		for round := range row.rounds {
			if won := race(t, mint(t, all[round%row.nodes], time.Now()), row.racers, all...); won > 1 {
				t.Errorf("%d winners of %d on %d nodes", won, row.racers, row.nodes)
			}
		}
	}
}

func testRestart(t *testing.T, s certmagic.Storage) {
	code, used := mint(t, node(t, s), time.Now()), mint(t, node(t, s), time.Now())
	wantError(t, redeem(t.Context(), node(t, s), used), nil)
	wantError(t, redeem(t.Context(), node(t, s), used), storage.ErrUsed)
	wantError(t, redeem(t.Context(), node(t, s), code), nil)
	wantError(t, redeem(t.Context(), node(t, s), code), storage.ErrUsed)
}

// testStoredAgain brings a redeemed code's record back, as a repeated write or
// a restored backup does.
func testStoredAgain(t *testing.T, s certmagic.Storage) {
	here, there := node(t, s), node(t, s)
	code := mint(t, here, time.Now())
	key := recordKey(t, s, code)
	record, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	wantError(t, redeem(t.Context(), here, code), nil)
	store(t, s, key, record)
	wantError(t, redeem(t.Context(), here, code), storage.ErrUsed)
	for _, codes := range []*storage.Codes{there, node(t, s)} {
		// Which of the two depends on whether the claim itself tells.
		if err := redeem(t.Context(), codes, code); !errors.Is(err, storage.ErrUsed) && !errors.Is(err, storage.ErrLost) {
			t.Errorf("error is %v, want one of a code that was used", err)
		}
	}
}

// testGrant: the used-marker is the grant's record, whoever made it.
func testGrant(t *testing.T, s certmagic.Storage) {
	here, there := node(t, s), node(t, s)
	code := mint(t, here, time.Now())
	found, err := here.Load(t.Context(), code)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	_, err = there.Grant(t.Context(), found.GrantRef())
	wantError(t, err, storage.ErrUnknown)
	wantError(t, here.Redeem(t.Context(), found), nil)
	for _, codes := range []*storage.Codes{here, there, node(t, s)} {
		record, err := codes.Grant(t.Context(), found.GrantRef())
		if err != nil {
			t.Fatalf("Grant: %v", err)
		}
		if record.Subject != "alice" || record.ClientID != "client" {
			t.Errorf("the grant is of %q for %q", record.Subject, record.ClientID)
		}
		_, err = codes.Load(t.Context(), found.GrantRef())
		wantError(t, err, storage.ErrUnknown)
		_, err = codes.Grant(t.Context(), code)
		wantError(t, err, storage.ErrUnknown)
	}
}

// recordKey returns where a code's record is.
func recordKey(t *testing.T, s certmagic.Storage, code string) string {
	t.Helper()
	hooked := Wrap(s)
	nodeOn(t, hooked).Load(t.Context(), code)
	for _, call := range hooked.Calls() {
		if strings.Contains(call.Key, "/codes/") {
			return call.Key
		}
	}
	t.Fatal("the record of a code is not looked for")
	return ""
}

func testIssuer(t *testing.T, s certmagic.Storage) {
	other := node(t, s, func(o *storage.Options) { o.Issuer = issuer + "/other" })
	code := mint(t, node(t, s), time.Now())
	_, err := other.Load(t.Context(), code)
	wantError(t, err, storage.ErrUnknown)
	wantError(t, redeem(t.Context(), node(t, s), code), nil)
}

// hostile are codes that would be, or lead to, keys of others were they ever
// put into one.
var hostile = []string{
	"", ".", "..", " ", "*", "\x00", "/", "//", "NUL", "CON", "C:", `\\host\share`, "file:///etc/passwd", "oidc_token",
	strings.Repeat("../", 16), strings.Repeat("\x00", 48), strings.Repeat("/", 48), strings.Repeat("*", 48), strings.Repeat("?", 48),
	strings.Repeat("A", 47), strings.Repeat("A", 49), strings.Repeat("A", 4096), strings.Repeat("=", 48), strings.Repeat("\u00e9", 24),
	"../../../" + strings.Repeat("A", 39), strings.Repeat("A", 47) + "\n", "A" + strings.Repeat("%2e", 15) + "AA",
}

func testHostile(t *testing.T, s certmagic.Storage) {
	hooked := Wrap(s)
	codes := nodeOn(t, hooked)
	code := mint(t, codes, time.Now())
	hooked.Reset()
	for _, code := range hostile {
		_, err := codes.Load(t.Context(), code)
		wantError(t, err, storage.ErrUnknown)
	}
	if n := hooked.Count(); n != 0 {
		t.Errorf("the storage was asked %d times for what is no code", n)
	}
	_, err := codes.Load(t.Context(), strings.Repeat("A", 48)) // well-formed
	wantError(t, err, storage.ErrUnknown)
	for _, call := range hooked.Calls() {
		if !strings.HasPrefix(call.Key, "oidc_token/") || strings.ContainsFunc(call.Key, foreign) {
			t.Errorf("%s has the key %q", call.Op, call.Key)
		}
	}
	wantError(t, redeem(t.Context(), codes, code), nil)
}

// foreign reports whether a character is in no key of ours.
func foreign(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789_/", r) }

// testKinds has a node that sees the storage through a wrapper meet codes of
// one that does not: it would redeem them beside the storage's own claim.
func testKinds(t *testing.T, s certmagic.Storage) {
	own, wrapped := node(t, s), node(t, hidden{s})
	for minter, redeemer := range map[*storage.Codes]*storage.Codes{own: wrapped, wrapped: own} {
		code := mint(t, minter, time.Now())
		wantError(t, redeem(t.Context(), redeemer, code), storage.ErrClaimKind)
		wantError(t, redeem(t.Context(), minter, code), nil)
		wantError(t, redeem(t.Context(), redeemer, code), storage.ErrUsed)
	}
}

// runClaimer tries what the documentation of storage.Claimer asks for.
func runClaimer(t *testing.T, kind string, newStorage func(t *testing.T) certmagic.Storage) {
	try(t, newStorage, []trial{
		{"ClaimKind is allowed and constant", func(t *testing.T, s certmagic.Storage) { testClaimKind(t, kind, s) }},
		{"Claim moves the value", testClaimMoves},
		{"Claim of what is absent is not won, and no error", testClaimAbsent},
		{"Claim of a key that exists is not won, and no error", testClaimTaken},
		{"F24 of many callers of Claim one wins", testClaimRace},
	})
}

func testClaimKind(t *testing.T, kind string, s certmagic.Storage) {
	if _, err := storage.New(storage.Options{Storage: s, Issuer: issuer}); err != nil {
		t.Errorf("New: %v", err)
	}
	for _, s := range []certmagic.Storage{s, again(s)} {
		if got := claimerOf(t, s).ClaimKind(); got != kind {
			t.Errorf("ClaimKind is %q, and was %q before", got, kind)
		}
	}
}

// claimerOf returns s as what it is on every node if it is on one: codes issued
// for one kind of claim are refused where there is another.
func claimerOf(t *testing.T, s certmagic.Storage) storage.Claimer {
	t.Helper()
	claimer, ok := s.(storage.Claimer)
	if !ok {
		t.Fatalf("%T is no storage.Claimer, and another node's storage is one", s)
	}
	return claimer
}

const from, to = "oidc_token/suite/codes/1", "oidc_token/suite/used/1"

func wantClaim(t *testing.T, s certmagic.Storage, want bool) {
	t.Helper()
	if won, err := claimerOf(t, s).Claim(t.Context(), from, to); err != nil || won != want {
		t.Errorf("Claim = %t, %v, want %t", won, err, want)
	}
}

func testClaimMoves(t *testing.T, s certmagic.Storage) {
	store(t, s, from, binary)
	wantClaim(t, s, true)
	wantAbsent(t, again(s), from)
	wantValue(t, again(s), to, binary)
}

func testClaimAbsent(t *testing.T, s certmagic.Storage) {
	wantClaim(t, s, false)
	wantAbsent(t, s, to)
}

func testClaimTaken(t *testing.T, s certmagic.Storage) {
	store(t, s, from, binary)
	store(t, s, to, []byte("another's"))
	wantClaim(t, s, false)
	wantValue(t, s, to, []byte("another's"))
}

func testClaimRace(t *testing.T, s certmagic.Storage) {
	const racers = 8
	var all []storage.Claimer
	for range racers {
		all = append(all, claimerOf(t, again(s)))
	}
	for range 100 {
		store(t, s, from, binary)
		var claims []func() (bool, error)
		for _, claimer := range all {
			claims = append(claims, func() (bool, error) { return claimer.Claim(t.Context(), from, to) })
		}
		if won := together(t, claims); won != 1 {
			t.Fatalf("%d winners", won)
		}
		wantClaim(t, s, false)
		if err := s.Delete(t.Context(), to); err != nil {
			t.Fatalf("Delete: %v", err)
		}
	}
}
