package load

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// serve answers each request on a connection as answer says, in pieces.
func serve(t *testing.T, answer func(request string) []string) *Conn {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close(); server.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			pieces := answer(string(buf[:n]))
			for _, piece := range pieces {
				io.WriteString(server, piece)
			}
			if pieces == nil {
				server.Close()
			}
		}
	}()
	return &Conn{net: client, buf: make([]byte, 0, 64)}
}

func TestDo(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer []string
		status int
		body   string
	}{
		{"a body has the length that the header says", []string{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}, 200, "hello"},
		{"a name in the header is known in any case", []string{"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"}, 200, "ok"},
		{"an answer may come in pieces", []string{"HTTP/1.1 40", "0 Bad\r\nContent-Len", "gth: 3\r\n\r", "\na", "bc"}, 400, "abc"},
		{"a body may be longer than the buffer", []string{"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", strings.Repeat("x", 1000)}, 200, strings.Repeat("x", 1000)},
		{"a body may come in chunks", []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "1", "0\r\n0123456789abcdef\r\n0\r\n\r\n"}, 200, "abc0123456789abcdef"},
		{"there may be no body", []string{"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n"}, 204, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn := serve(t, func(string) []string { return row.answer })
			for range 2 { // the second finds nothing left of the first
				answer, err := conn.Do([]byte("POST / HTTP/1.1\r\n\r\n"))
				if err != nil {
					t.Fatal(err)
				}
				if answer.Status != row.status || string(answer.Body) != row.body {
					t.Fatalf("got %d %q", answer.Status, answer.Body)
				}
			}
		})
	}
}

func TestDoFails(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer []string
	}{
		{"the connection ends before the header", nil},
		{"the answer is HTTP/1.0, which would not keep the connection", []string{"HTTP/1.0 200 OK\r\n\r\n"}},
		{"the length is no number", []string{"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"}},
		{"the size of a chunk is no number", []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := serve(t, func(string) []string { return row.answer }).Do([]byte("GET / HTTP/1.1\r\n\r\n")); err == nil {
				t.Fatal("got no error")
			}
		})
	}
}

func TestRunSendsEachRequestOnce(t *testing.T) {
	var mu sync.Mutex
	got := make(map[int]int) // by length
	answer := func(request string) []string {
		mu.Lock()
		defer mu.Unlock()
		got[len(request)]++
		return []string{"HTTP/1.1 404 Not Found\r\n\r\n"}
	}
	var conns []*Conn
	for range 3 {
		conns = append(conns, serve(t, answer))
	}
	var requests [][]byte
	for i := range 50 {
		requests = append(requests, bytes.Repeat([]byte{'a'}, i+1))
	}
	r, err := Run(conns, requests)
	if err != nil {
		t.Fatal(err)
	}
	for i := range requests {
		if got[i+1] != 1 {
			t.Errorf("request %d was sent %d times", i+1, got[i+1])
		}
	}
	if r.Statuses[404] != len(requests) {
		t.Errorf("the answers were %v", r.Statuses)
	}
}

func TestRunInTurnSendsWhatIsMadeOfEachAnswer(t *testing.T) {
	conn := serve(t, func(request string) []string {
		if request == "first" {
			return []string{"HTTP/1.1 303 See Other\r\nLocation: second\r\nContent-Length: 0\r\n\r\n"}
		}
		return []string{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}
	})
	var heads []string
	r, err := RunInTurn([]*Conn{conn}, [][]byte{[]byte("first"), []byte("first")}, func(a Answer) ([]byte, error) {
		heads = append(heads, string(a.Head))
		return []byte("second"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Statuses[200] != 2 || len(heads) != 2 || !strings.Contains(heads[1], "Location: second") {
		t.Errorf("the answers were %v after %q", r.Statuses, heads)
	}
	failed := errors.New("no Location")
	if _, err := RunInTurn([]*Conn{conn}, [][]byte{[]byte("first")}, func(Answer) ([]byte, error) { return nil, failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
}

func TestRunTellsOfAConnectionThatEnds(t *testing.T) {
	conn := serve(t, func(string) []string { return nil })
	if _, err := Run([]*Conn{conn}, [][]byte{[]byte("a")}); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		t.Fatalf("got %v", err)
	}
}

func TestRunPacedCountsFromWhenARequestWasDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := serve(t, func(request string) []string {
			if request == "slow" {
				time.Sleep(100 * time.Millisecond)
			}
			return []string{"HTTP/1.1 200 OK\r\n\r\n"}
		})
		requests := [][]byte{[]byte("slow"), []byte("quick"), []byte("quick"), []byte("quick")}
		r, err := RunPaced([]*Conn{conn}, requests, 10*time.Millisecond, func(at time.Time) { time.Sleep(time.Until(at)) })
		if err != nil {
			t.Fatal(err)
		}
		// The first takes 100 ms; the second, due at 10 ms, waits for it.
		if r.Quantile(0) < 20*time.Millisecond || r.Quantile(1) < 50*time.Millisecond {
			t.Fatalf("latencies are %v", r.latencies)
		}
	})
}

func TestQuantile(t *testing.T) {
	r := &Result{Elapsed: 2 * time.Second}
	for i := range 100 {
		r.latencies = append(r.latencies, time.Duration(i+1))
	}
	if r.Quantile(.5) != 51 || r.Quantile(.99) != 100 || r.Quantile(1) != 100 || r.Rate() != 50 {
		t.Fatalf("got %d %d %d %f", r.Quantile(.5), r.Quantile(.99), r.Quantile(1), r.Rate())
	}
}
