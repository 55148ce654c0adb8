// Package load sends HTTP/1.1 requests that were written beforehand, at a
// fraction of what net/http would cost, so that one core of load is enough to
// keep one core of server busy. The same for every server.
package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// dialLimit is how long connecting may take.
const dialLimit = 30 * time.Second

// Conn is a keep-alive connection. One request at a time.
type Conn struct {
	net  net.Conn
	buf  []byte // what was read and not consumed
	body []byte // of the last answer, where it came in chunks
}

// Dial connects to host:port.
func Dial(address string) (*Conn, error) {
	c, err := net.DialTimeout("tcp", address, dialLimit)
	if err != nil {
		return nil, err
	}
	return &Conn{net: c, buf: make([]byte, 0, 16<<10)}, nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.net.Close() }

// Answer is what a server answered. Head, its status line and fields, and Body
// hold until the next request.
type Answer struct {
	Status int
	Head   []byte
	Body   []byte
}

// Do sends one request, complete with its header, and reads the answer to its
// end.
func (c *Conn) Do(request []byte) (Answer, error) {
	if _, err := c.net.Write(request); err != nil {
		return Answer{}, err
	}
	c.buf = c.buf[:0]
	head, err := c.readHead()
	if err != nil {
		return Answer{}, fmt.Errorf("reading the header: %w", err)
	}
	status, err := statusOf(c.buf[:head])
	if err != nil {
		return Answer{}, err
	}
	length, chunked, err := framing(c.buf[:head])
	if err != nil {
		return Answer{}, err
	}
	if chunked {
		body, err := c.readChunks(head)
		return Answer{status, c.buf[:head], body}, err
	}
	for len(c.buf) < head+length {
		if err := c.fill(); err != nil {
			return Answer{}, fmt.Errorf("reading the body: %w", err)
		}
	}
	return Answer{status, c.buf[:head], c.buf[head : head+length]}, nil
}

// readHead returns the length of the header, with the empty line.
func (c *Conn) readHead() (int, error) {
	for {
		if end := bytes.Index(c.buf, []byte("\r\n\r\n")); end >= 0 {
			return end + 4, nil
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
}

// fill reads what there is.
func (c *Conn) fill() error {
	if len(c.buf) == cap(c.buf) {
		c.buf = append(c.buf, make([]byte, len(c.buf)+1)...)[:len(c.buf)]
	}
	n, err := c.net.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	if n > 0 {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func statusOf(head []byte) (int, error) {
	if len(head) < 12 || !bytes.HasPrefix(head, []byte("HTTP/1.1 ")) {
		return 0, errors.New("the answer is not HTTP/1.1")
	}
	return strconv.Atoi(string(head[9:12]))
}

// framing is RFC 9112 §6.3 for what servers here send.
func framing(head []byte) (length int, chunked bool, err error) {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found {
			continue
		}
		switch value = bytes.TrimSpace(value); {
		case len(name) == 14 && bytes.EqualFold(name, []byte("Content-Length")):
			length, err = strconv.Atoi(string(value))
			return length, false, err
		case len(name) == 17 && bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return 0, true, nil
		}
	}
	return 0, false, nil
}

// readChunks is RFC 9112 §7.1 without trailers.
func (c *Conn) readChunks(at int) ([]byte, error) {
	c.body = c.body[:0]
	for {
		end := bytes.Index(c.buf[at:], []byte("\r\n"))
		if end < 0 {
			if err := c.fill(); err != nil {
				return nil, fmt.Errorf("reading a chunk: %w", err)
			}
			continue
		}
		size, err := strconv.ParseUint(string(c.buf[at:at+end]), 16, 31)
		if err != nil {
			return nil, fmt.Errorf("reading the size of a chunk: %w", err)
		}
		at += end + 2
		for len(c.buf) < at+int(size)+2 {
			if err := c.fill(); err != nil {
				return nil, fmt.Errorf("reading a chunk: %w", err)
			}
		}
		if size == 0 {
			return c.body, nil
		}
		c.body = append(c.body, c.buf[at:at+int(size)]...)
		at += int(size) + 2
	}
}
