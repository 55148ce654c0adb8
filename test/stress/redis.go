//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"
)

// newRedis prepares a redis-server that answers a write only when it is in its
// log on disk.
func newRedis(l *launcher, dir, port string) (*process, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, err
	}
	return &process{
		launcher: l, name: "redis-server", path: path, log: dir + ".log",
		args: []string{"--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "",
			"--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning"},
	}, nil
}

// redisAnswers waits until the server serves, which is after it has read its
// log.
func redisAnswers(ctx context.Context, address string) error {
	return eventually(ctx, 20*time.Second, func() error {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write([]byte("PING\r\n")); err != nil {
			return err
		}
		reply := make([]byte, 64)
		n, err := conn.Read(reply)
		if err == nil && !strings.HasPrefix(string(reply[:n]), "+PONG") {
			return fmt.Errorf("redis answers %q", reply[:n])
		}
		return err
	})
}
