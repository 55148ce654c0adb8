package storagetest_test

import "slices"

// The tests of redeeming and sweeping. Some storage fails each of them. Three ask
// of the production code, too, what no storage can break: hostile, that such a
// code leads to no call; unused, that nothing else is called; and kinds, that a
// code of another kind of claim is refused.
const (
	once        = "claim/REQ-101 a code is redeemed once"
	oneNode     = "claim/REQ-104 A02 of many requests on one node exactly one wins"
	manyNodes   = "claim/REQ-104 REQ-245 A04 F24 of requests on several nodes at most one wins"
	restart     = "claim/REQ-107 A22 A23 codes and used-marks outlive the process"
	storedAgain = "claim/F22 a record that is stored again makes no second success"
	grant       = "claim/the record of a redeemed code is found by its grant, on every node"
	issuers     = "claim/REQ-085 A13 the issuer is part of a code"
	hostile     = "claim/A25 A26 hostile codes are unknown and reach no key"

	swept        = "sweeping/what expired is swept, and nothing else"
	sweptLater   = "sweeping/what expired later is swept later"
	markStays    = "sweeping/REQ-106 a used-mark stays while an access token may live"
	sweepers     = "sweeping/F52 several nodes sweep at once"
	foreignSweep = "sweeping/another process sweeps what was minted here"

	kinds = "REQ-104 REQ-245 a code is redeemed by the kind of claim it was issued for"

	unused       = "generic claim/faults/Exists, Stat and locks are not relied on, and no folder is deleted"
	failsBefore  = "generic claim/faults/REQ-105 F01 F05 F07 F08 a call that fails without effect makes no second success"
	failsAfter   = "generic claim/faults/REQ-105 F18 a call that fails after its effect makes no second success"
	panicsBefore = "generic claim/faults/REQ-105 F53 a call that panics makes no second success"
	panicsAfter  = "generic claim/faults/REQ-105 F53 a call that panics after its effect makes no second success"
	hangs        = "generic claim/faults/REQ-105 F02 F19 a call that hangs and then has its effect makes no second success"
)

// byAny returns tests of the own claim and of the generic one.
func byAny(tests ...string) []string {
	return slices.Concat(in("own claim", tests), in("generic claim", tests))
}

func byGeneric(tests ...string) []string { return in("generic claim", tests) }
