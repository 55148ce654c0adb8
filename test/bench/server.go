//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startLimit is how long a server may take until it answers.
const startLimit = 60 * time.Second

// server is a running process.
type server struct {
	name    string
	address string // host:port it serves on
	pid     int
	door    *http.Client // to what the benchmark does to it outside the measured intervals
	doorURL string
	cmd     *exec.Cmd
	log     string
	ended   chan struct{} // closed after err is set
	err     error
	took    time.Duration // until it answered
}

// command is how to start a server.
type command struct {
	name    string
	core    int
	argv    []string
	dir     string // working directory
	env     []string
	address string
	door    string // unix:PATH or host:port; "": none
}

// start starts a server and waits until it accepts connections. Its output is
// appended to a file, as a service's is.
func (c command) start(ctx context.Context, logs string) (*server, error) {
	s := &server{name: c.name, address: c.address, log: filepath.Join(logs, strings.ReplaceAll(c.name, "/", "-")+".log"), ended: make(chan struct{})}
	output, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	s.cmd = exec.Command(c.argv[0], c.argv[1:]...)
	s.cmd.Dir, s.cmd.Env = c.dir, append(os.Environ(), c.env...)
	s.cmd.Stdout, s.cmd.Stderr = output, output
	// The servers end with this program, however it ends, and not before it.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	s.openDoor(c.door)
	began := time.Now()
	if err := pinned(c.core, s.cmd.Start); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.name, err)
	}
	s.pid = s.cmd.Process.Pid
	go func() {
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	if err := s.await(ctx, began); err != nil {
		s.stop()
		return nil, fmt.Errorf("starting %s: %w\n%s", c.name, err, tail(s.log))
	}
	return s, nil
}

func (s *server) openDoor(door string) {
	path, unix := strings.CutPrefix(door, "unix:")
	s.doorURL = "http://" + door
	transport := &http.Transport{}
	if unix {
		s.doorURL = "http://127.0.0.1"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
	}
	s.door = &http.Client{Transport: transport, Timeout: time.Hour}
}

// await waits for the server's port.
func (s *server) await(ctx context.Context, began time.Time) error {
	for {
		conn, err := net.DialTimeout("tcp", s.address, time.Second)
		if err == nil {
			s.took = time.Since(began)
			return conn.Close()
		}
		select {
		case <-s.ended:
			return fmt.Errorf("it ended: %w", errors.Join(s.err, errEarly))
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
		if time.Since(began) > startLimit {
			return errors.New("it does not answer")
		}
	}
}

var errEarly = errors.New("before it answered")

// stop ends the server and waits for its end. It may be called again.
func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(5 * time.Second):
		s.cmd.Process.Kill()
		<-s.ended
	}
	s.door.CloseIdleConnections()
}

// ask posts to the server's door.
func (s *server) ask(path string) (string, error) {
	response, err := s.door.Post(s.doorURL+path, "application/json", nil)
	if err != nil {
		return "", fmt.Errorf("asking %s: %w", s.name, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("asking %s: %w", s.name, err)
	}
	if response.StatusCode/100 != 2 {
		return "", fmt.Errorf("asking %s: %s: %.300s", s.name, response.Status, body)
	}
	return string(body), nil
}

// residentSet is the server's RSS in bytes.
func (s *server) residentSet() (int64, error) { return s.memory("VmRSS") }

// private is the part of the RSS that is no file's: of the program itself, which
// is most of the rest, the kernel maps more or less as it happens to be cached.
func (s *server) private() (int64, error) { return s.memory("RssAnon") }

// memory is a field of /proc/PID/status in bytes.
func (s *server) memory(field string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		return 0, err
	}
	var kib int64
	_, after, _ := strings.Cut(string(status), field+":")
	if _, err := fmt.Sscan(after, &kib); err != nil {
		return 0, fmt.Errorf("reading %s of %s: %w", field, s.name, err)
	}
	return kib << 10, nil
}

// tail is the end of a log, for an error that it explains.
func tail(file string) string {
	text, _ := os.ReadFile(file)
	return string(text[max(0, len(text)-2000):])
}

// freePort returns a port of the loopback interface that nothing listens on. It
// is below those that systems take for outgoing connections.
func freePort() (string, error) {
	for range 100 {
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(10_000+rand.IntN(20_000))); err == nil {
			defer l.Close()
			return l.Addr().String(), nil
		}
	}
	return "", errors.New("no port is free")
}

// complaint is the last line of a log that tells of a fault.
func complaint(file string) string {
	text, _ := os.ReadFile(file)
	last := ""
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"level":"error"`) {
			last = line
		}
	}
	return last
}
