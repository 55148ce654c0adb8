//go:build linux

package main

import (
	"reflect"
	"testing"
	"time"
)

func TestPlan(t *testing.T) {
	t.Run("the same seed makes the same choices", func(t *testing.T) {
		a, b, other := newPlan(7, "kill"), newPlan(7, "kill"), newPlan(8, "kill")
		var same, differs bool
		for range 100 {
			x, xOnly := a.sendings(time.Second)
			y, yOnly := b.sendings(time.Second)
			z, _ := other.sendings(time.Second)
			same = same || reflect.DeepEqual(x, z)
			differs = differs || !reflect.DeepEqual(x, y) || xOnly != yOnly
		}
		if differs || same {
			t.Errorf("one seed differs: %v, another is the same: %v", differs, same)
		}
	})
	t.Run("each code is sent 2 to 8 times, some at once, some later, some to one node only", func(t *testing.T) {
		p := newPlan(1, "")
		const latest = time.Second
		var only, later, many int
		seen := map[int]bool{}
		for range 1000 {
			list, node := p.sendings(latest)
			seen[len(list)] = true
			if list[0].delay != 0 {
				t.Fatal("the first is late")
			}
			for _, s := range list {
				if node != anyNode && s.node != node || s.node < 0 || s.node >= nodes || s.delay > latest {
					t.Fatalf("%+v of a code for node %d", s, node)
				}
				if s.delay > 0 {
					later++
				}
			}
			if node != anyNode {
				only++
			}
			many += len(list)
		}
		if len(seen) != maxSends-minSends+1 || !seen[minSends] || !seen[maxSends] {
			t.Errorf("codes are sent so many times: %v", seen)
		}
		if only < 100 || only > 250 || later < many/5 || later > many*4/5 {
			t.Errorf("%d of 1000 to one node, %d of %d later", only, later, many)
		}
	})
}
