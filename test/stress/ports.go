//go:build linux

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// ports gives out addresses for servers that start later. Caddy shares a port
// with another Caddy that has it, and so two nodes would get each other's
// requests: no port is given twice, and none that the kernel gives to others
// that ask for any.
type ports struct {
	mu    sync.Mutex // guards given
	given map[int]bool
}

// Below them are the well-known ports, above those the kernel chooses from.
const firstPort, lastPort = 11_000, 32_000

func (p *ports) address() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if p.given[port] {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue // somebody has it
		}
		if p.given == nil {
			p.given = make(map[int]bool)
		}
		p.given[port] = true
		return l.Addr().String(), l.Close()
	}
	return "", errors.New("there is no free port")
}
