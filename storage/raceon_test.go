//go:build race

package storage_test

// raceEnabled says that the race detector makes everything several times
// slower.
const raceEnabled = true
