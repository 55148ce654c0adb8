package storage_test

// fold returns one state for many that differ only by which redeemer is called
// which: two that stand in the same way to everything can change their names.
func (w *world) fold(s state) state {
	for i := 1; i < len(w.racers); i++ {
		for j := i; j > 0 && w.alike(j-1, j) && w.before(&s, j, j-1); j-- {
			s = w.swap(s, j-1, j)
		}
	}
	return s
}

// alike reports whether two redeemers can change their names: they are the same
// program on the same node, or each is alone on its own.
func (w *world) alike(i, j int) bool {
	return w.racers[i] == w.racers[j] && (w.nodes[i] == w.nodes[j] || w.alone(i) && w.alone(j))
}

func (w *world) alone(i int) bool {
	for j := range w.nodes {
		if j != i && w.nodes[j] == w.nodes[i] {
			return false
		}
	}
	return true
}

func (w *world) before(s *state, i, j int) bool {
	a, b := s.racers[i], s.racers[j]
	if a != b {
		return a.at < b.at || a.at == b.at && a.left < b.left
	}
	return s.used>>w.nodes[i]&1 < s.used>>w.nodes[j]&1
}

// swap gives two redeemers each other's name.
func (w *world) swap(s state, i, j int) state {
	s.racers[i], s.racers[j] = s.racers[j], s.racers[i]
	a, b := w.nodes[i], w.nodes[j]
	if s.used>>a&1 != s.used>>b&1 {
		s.used ^= 1<<a | 1<<b
	}
	s.marker = w.renamed(s.marker, i, j)
	var old uint16
	for marker := range uint8(16) {
		old |= s.oldMarkers >> marker & 1 << w.renamed(marker, i, j)
	}
	s.oldMarkers = old
	for k := range s.pending {
		s.pending[k].marker = w.renamed(s.pending[k].marker, i, j)
	}
	if p := &s.pending; p[1] != (write{}) && p[1].less(p[0]) {
		p[0], p[1] = p[1], p[0]
	}
	return s
}

// renamed returns what one's marker is called under the other's name.
func (w *world) renamed(marker uint8, i, j int) uint8 {
	if marker < firstMarker {
		return marker
	}
	owner, attempt := int((marker-firstMarker)/w.attempts), (marker-firstMarker)%w.attempts
	switch owner {
	case i:
		owner = j
	case j:
		owner = i
	}
	return firstMarker + uint8(owner)*w.attempts + attempt
}
