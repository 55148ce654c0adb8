//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// issuings are the tokens that the nodes of a lane say they issued, each time in
// a line of their logs. A client whose connection ended, or whose node was
// killed, does not know of a success; the log does: the line is written before
// the answer is sent.
type issuings struct {
	codes map[uint64]*[nodes]uint8 // by the code's ref, how often at each node
	count int                      // in all
	twice []uint64                 // refs whose second line was found since the last judging
}

// issuingLine is what matters of a line of the plugin's.
type issuingLine struct {
	Event string `json:"event"`
	Ref   string `json:"code_ref"`
}

// note takes a line of a node's log. Nearly all are of other kinds, and half a
// line, the last of a process that was killed, does not parse.
func (s *issuings) note(node int, line []byte) {
	if !bytes.Contains(line, []byte(`"token_issued"`)) && !bytes.Contains(line, []byte(`"issued_undelivered"`)) {
		return
	}
	var l issuingLine
	if json.Unmarshal(line, &l) != nil || l.Event != "token_issued" && l.Event != "issued_undelivered" {
		return
	}
	ref, err := strconv.ParseUint(l.Ref, 16, 64)
	if err != nil {
		return
	}
	if s.codes == nil {
		s.codes = make(map[uint64]*[nodes]uint8)
	}
	at := s.codes[ref]
	if at == nil {
		at = new([nodes]uint8)
		s.codes[ref] = at
	}
	at[node]++
	s.count++
	if sum(at) == 2 {
		s.twice = append(s.twice, ref)
	}
}

// judge finds codes that yielded tokens twice, whoever got them, and makes sure
// that the logs can tell: no 200 is without its line, and where nothing failed no
// line is without its 200.
func (s *issuings) judge(v *verdict, r rules, histories []*history) {
	known := make(map[uint64]*history, len(histories))
	for _, h := range histories {
		ref, err := strconv.ParseUint(storage.Ref(h.code), 16, 64)
		if err != nil {
			v.found(h, "a code has no ref")
			continue
		}
		known[ref] = h
		s.compare(v, r, h, s.codes[ref])
	}
	for _, ref := range s.twice {
		v.found(known[ref], "the nodes logged two issuings for one code, code_ref %016x: %v by node", ref, *s.codes[ref])
	}
	s.twice = nil
}

// compare holds the lines for a code against the answers that arrived.
func (s *issuings) compare(v *verdict, r rules, h *history, lines *[nodes]uint8) {
	var delivered [nodes]uint8
	for i := range h.operations {
		if o := &h.operations[i]; o.answer == issued {
			delivered[o.node]++
		}
	}
	if lines == nil {
		lines = new([nodes]uint8)
	}
	for n := range nodes {
		switch {
		case lines[n] < delivered[n]:
			v.found(h, "node %d issued tokens and logged nothing", n)
		case r.faultless && lines[n] > delivered[n]:
			v.found(h, "node %d logged an issuing that no client got, though nothing failed", n)
		}
	}
}

func sum(at *[nodes]uint8) (n int) {
	for _, m := range at {
		n += int(m)
	}
	return n
}

// logTail is a log that is read on from where the last reading ended. It goes on
// over restarts of its process.
type logTail struct {
	file string
	at   int64
}

// each calls f with every line that was completed since.
func (t *logTail) each(f func(line []byte)) error {
	log, err := os.Open(t.file)
	if err != nil {
		return err
	}
	defer log.Close()
	if _, err := log.Seek(t.at, io.SeekStart); err != nil {
		return err
	}
	for r := bufio.NewReader(log); ; {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // what is left of it is read when it is whole
		}
		if err != nil {
			return err
		}
		t.at += int64(len(line))
		f(line)
	}
}

// trouble finds what no fault may cause in a line of a log.
func trouble(line []byte) error {
	for _, sign := range []string{"panic", "DATA RACE", "fatal error"} {
		if at := bytes.Index(line, []byte(sign)); at >= 0 {
			return fmt.Errorf("%q: %.300s", sign, line[at:])
		}
	}
	return nil
}

// readLog takes what is new in the log of a node, and returns the first thing in
// it that no fault may cause.
func (s *issuings) readLog(n *node) error {
	var found error
	err := n.tail.each(func(line []byte) {
		s.note(n.index, line)
		if found == nil {
			found = trouble(line)
		}
	})
	if found != nil {
		found = fmt.Errorf("%s has %w", filepath.Base(n.tail.file), found)
	}
	return errors.Join(found, err)
}
