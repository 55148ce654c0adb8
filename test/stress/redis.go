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
	return eventually(ctx, 20*time.Second, func() error { return redisSays(address, "PING", "+PONG") })
}

// redisSyncs says whether a write is answered only when it is on disk. Where
// Redis is not to be killed that proves nothing, and a disk that takes a second
// for it would pass for a fault.
func redisSyncs(address string, always bool) error {
	policy := "no"
	if always {
		policy = "always"
	}
	return redisSays(address, "CONFIG SET appendfsync "+policy, "+OK")
}

// redisSays sends a command and wants a reply.
func redisSays(address, command, reply string) error {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return err
	}
	said := make([]byte, 64)
	n, err := conn.Read(said)
	if err == nil && !strings.HasPrefix(string(said[:n]), reply) {
		return fmt.Errorf("redis answers %s with %q", command, said[:n])
	}
	return err
}
