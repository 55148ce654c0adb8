//go:build linux

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// clocksOf is what the nodes' clocks are in the scenario of that name: node 1 is
// a minute behind, node 3 a minute ahead.
var clocksOf = map[string]*circumstances{"calm": {}, "clocks": {offsets: clock.offsets}}

func TestFate(t *testing.T) {
	for _, row := range []struct {
		name     string
		clocks   string
		mintedBy int
		ops      []operation // the last is afterwards'
		want     fate
	}{
		{"good after 503", "calm", 0, []operation{op(1, 2, unavailable), op(3, 4, unsent), op(5, 6, issued)}, succeeded},
		{"still 503", "calm", 0, []operation{op(1, 2, unavailable), op(3, 4, unavailable)}, denied},
		{"refused after 503", "calm", 0, []operation{op(1, 2, unavailable), op(3, 4, refused)}, denied},
		{"500 after 503", "calm", 0, []operation{op(1, 2, unavailable), op(3, 4, failed)}, denied},
		{"never answered", "calm", 0, []operation{op(1, 2, unsent), op(3, 4, unanswered)}, denied},
		{"refused before, and again", "calm", 0, []operation{op(1, 2, refused), op(3, 4, refused)}, undecided},
		{"refused before, and good", "calm", 0, []operation{op(1, 2, refused), op(3, 4, issued)}, succeeded},
		{"refused before by a node that it was too early for, and good", "clocks", 3, []operation{op(1, 2, refused, 1), op(3, 4, issued, 3)}, succeeded},
		{"refused before by a node that it was too early for, and again at its own", "clocks", 3, []operation{op(1, 2, refused, 1), op(3, 4, refused, 3)}, denied},
		{"refused by a node that it is too early for", "clocks", 3, []operation{op(1, 2, unavailable, 1), op(3, 4, refused, 1)}, undecided},
		{"refused when it may have expired", "calm", 0, []operation{op(1, 2, unavailable), op(3, int(codeLifetime/time.Millisecond), refused)}, undecided},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := clocksOf[row.clocks]
			h := &history{mintedBy: row.mintedBy, operations: row.ops}
			before := &history{mintedBy: row.mintedBy, operations: row.ops[:len(row.ops)-1]}
			if got := c.fate(h, c.untouched(before)); got != row.want {
				t.Errorf("got %d, want %d", got, row.want)
			}
		})
	}
}

func TestLastNode(t *testing.T) {
	for _, row := range []struct {
		name                 string
		clocks               string
		mintedBy, only, want int
	}{
		{"a code for any node goes to its own", "calm", 2, anyNode, 2},
		{"a code for one node goes there", "calm", 2, 1, 1},
		{"a code for one node that it is not too early for goes there", "clocks", 3, 0, 0},
		{"a code for one node that it is too early for goes to its own", "clocks", 3, 1, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := &history{mintedBy: row.mintedBy, only: row.only}
			if got := h.last(clocksOf[row.clocks]); got != row.want {
				t.Errorf("it goes to node %d", got)
			}
		})
	}
}

func TestAfterwards(t *testing.T) {
	var asked []string
	node0 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code := r.FormValue("code")
		asked = append(asked, code)
		if strings.HasPrefix(code, "good") {
			io.WriteString(w, `{"access_token":"eyJraWQiOiJrIn0.e30.s","id_token":"eyJraWQiOiJrIn0.e30.s"}`)
			return
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, `{"error":"temporarily_unavailable"}`)
	}))
	t.Cleanup(node0.Close)
	began := time.Now()
	l := &lane{now: func() time.Duration { return time.Since(began) }}
	l.nodes[0] = &node{site: node0.Listener.Addr().String()}
	histories := []*history{
		{code: "good", operations: []operation{op(1, 2, unavailable)}},
		{code: "good-before", operations: []operation{op(1, 2, issued)}},
		{code: "spent-perhaps", operations: []operation{op(1, 2, unavailable), op(3, 4, failed)}},
		{code: "spent-unheard", operations: []operation{op(1, 2, unanswered)}},
		{code: "bad", operations: []operation{op(1, 2, unavailable)}},
		{code: "good-though-refused", operations: []operation{op(1, 2, refused)}},
		{code: "refused", operations: []operation{op(1, 2, refused)}},
	}
	good, bad := l.afterwards(&circumstances{}, histories)
	t.Run("codes that may have been redeemed are not sent again, all others are", func(t *testing.T) {
		if want := []string{"good", "bad", "good-though-refused", "refused"}; !slices.Equal(asked, want) {
			t.Errorf("sent %q, want %q", asked, want)
		}
	})
	t.Run("those that succeed are counted, and those that should have are found", func(t *testing.T) {
		if good != 2 || len(bad) != 1 || bad[0].code != "bad" {
			t.Errorf("%d good, %d bad", good, len(bad))
		}
	})
}
