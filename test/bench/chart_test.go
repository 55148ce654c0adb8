//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestChart(t *testing.T) {
	r := &report{}
	for _, s := range []struct {
		name string
		cpu  float64
	}{
		{"lean/ES256", 112}, {"lean/RS256", 1960}, {"respond", 36},
		{"oidc_token/memory/ES256/sha256", 140}, {"oidc_token/file_system/ES256/sha256", 171}, {"oidc_token/file_system/ES256/bcrypt", 999},
		{"oidc_token/file_system/RS256/sha256", 2001}, {"oidc-provider/ES256", 453}, {"zitadel/RS256", 2180}, {"zitadel/EdDSA", 777},
	} {
		r.Subjects = append(r.Subjects, measured{Name: s.name, Samples: []sample{{Connections: wide, CPU: s.cpu}}})
	}
	file := filepath.Join(t.TempDir(), "chart.svg")
	if err := r.draw(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">112<", ">1960<", ">36<", ">140<", ">171<", ">2001<", ">453<", ">2180<", "oidc_token, file system", "oidc-provider, memory"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the picture lacks %s", want)
		}
	}
	for _, unwanted := range []string{">999<", ">777<"} {
		if strings.Contains(string(text), unwanted) {
			t.Errorf("the picture has %s", unwanted)
		}
	}
}
