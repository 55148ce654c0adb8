package oidctoken

import "time"

// FillLiveCodes has a client of a running issuer have all codes but n that it
// may have, which expire in an hour, until they are forgotten.
func FillLiveCodes(issuer, client string, n int) (forget func()) {
	owner, now := codeOwner{issuer, client}, time.Now()
	for range maxLiveCodes - n {
		codeCounts.add(owner, now, now.Add(time.Hour), 0)
	}
	return func() {
		codeCounts.mu.Lock()
		defer codeCounts.mu.Unlock()
		delete(codeCounts.counts, owner)
	}
}

// LiveCodes is how many codes of a client are counted as live.
func LiveCodes(issuer, client string) int {
	codeCounts.mu.Lock()
	defer codeCounts.mu.Unlock()
	if c := codeCounts.counts[codeOwner{issuer, client}]; c != nil {
		return c.total
	}
	return 0
}
