//go:build race

package oidctoken_test

// raceDetector: the tests run with it.
const raceDetector = true
