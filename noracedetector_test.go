//go:build !race

package oidctoken_test

// raceDetector: the tests run without it.
const raceDetector = false
