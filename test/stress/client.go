//go:build linux

package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// answerLimit is how long a client waits: longer than a node is stopped, so
// that what it does afterwards is seen.
const answerLimit = 25 * time.Second

// client sends requests one after the other, over one connection to each node
// that it keeps. It is not net/http's, for that sends some requests again
// without telling; here one operation is one request.
type client struct {
	id          int
	now         func() time.Duration
	credentials string // value of the Authorization header
	connections [nodes]*connection
}

type connection struct {
	*net.TCPConn
	reader *bufio.Reader
}

func newClient(id int, secret string, now func() time.Duration) *client {
	credentials := base64.StdEncoding.EncodeToString([]byte(clientID + ":" + secret))
	return &client{id: id, now: now, credentials: "Basic " + credentials}
}

// tokens is the body of a 200.
type tokens struct {
	AccessToken string `json:"access_token"`
	IDToken     string `json:"id_token"`
}

// redeem sends a code to a node, once.
func (c *client) redeem(n *node, code string) (operation, tokens) {
	o := operation{client: c.id, node: n.index}
	conn, err := c.connect(n)
	if err != nil {
		o.call = c.now()
		o.ret, o.answer, o.detail = o.call, unsent, text(err)
		return o, tokens{}
	}
	form := "grant_type=authorization_code&redirect_uri=" + url.QueryEscape(redirectURI) + "&code=" + code
	request := fmt.Sprintf("POST /token HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", n.site, c.credentials, len(form), form)
	o.call = c.now()
	written, err := io.WriteString(conn, request)
	if err != nil {
		o.ret, o.answer, o.detail = c.now(), unanswered, text(err)
		if written == 0 {
			o.answer = unsent
		}
		c.disconnect(n)
		return o, tokens{}
	}
	var t tokens
	o.answer, t, o.detail = c.read(n, conn)
	o.ret = c.now()
	return o, t
}

// connect returns the connection to a node: the one that was kept, unless the
// node has closed it.
func (c *client) connect(n *node) (*connection, error) {
	deadline := time.Now().Add(answerLimit)
	if kept := c.connections[n.index]; kept != nil {
		if kept.SetDeadline(deadline) == nil && kept.open() {
			return kept, nil
		}
		c.disconnect(n)
	}
	// Each client has an address of its own: one that had so many refused would
	// be answered late.
	own := net.Dialer{Timeout: 2 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(c.id>>8), byte(c.id))}}
	conn, err := own.Dial("tcp", n.site)
	if err != nil {
		return nil, err
	}
	kept := &connection{conn.(*net.TCPConn), bufio.NewReader(conn)}
	c.connections[n.index] = kept
	return kept, kept.SetDeadline(deadline)
}

// open reports whether the other end has neither closed the connection nor sent
// what nobody asked for.
func (c *connection) open() bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var received error
	err = raw.Read(func(fd uintptr) bool {
		_, _, received = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	return err == nil && errors.Is(received, syscall.EAGAIN)
}

func (c *client) disconnect(n *node) {
	if conn := c.connections[n.index]; conn != nil {
		_ = conn.Close() // nothing more is expected of it
		c.connections[n.index] = nil
	}
}

func (c *client) close() {
	for _, conn := range c.connections {
		if conn != nil {
			_ = conn.Close()
		}
	}
}

func (c *client) read(n *node, conn *connection) (answer, tokens, string) {
	response, err := http.ReadResponse(conn.reader, nil)
	if err != nil {
		c.disconnect(n)
		return unanswered, tokens{}, text(err)
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		c.disconnect(n)
		return unanswered, tokens{}, text(err)
	}
	if response.Close {
		c.disconnect(n)
	}
	return classify(response, body)
}

// classify decides what an answer is: status, code and headers must agree.
func classify(response *http.Response, body []byte) (answer, tokens, string) {
	var content struct {
		tokens
		Error string `json:"error"`
	}
	other := fmt.Sprintf("status %d", response.StatusCode)
	if err := json.Unmarshal(body, &content); err != nil {
		return unexpected, tokens{}, other + " without JSON"
	}
	retry := response.Header.Get("Retry-After") != ""
	switch {
	case response.StatusCode == http.StatusOK && content.AccessToken != "" && content.IDToken != "":
		return issued, content.tokens, ""
	case response.StatusCode == http.StatusBadRequest && content.Error == "invalid_grant":
		return refused, tokens{}, ""
	case response.StatusCode == http.StatusServiceUnavailable && content.Error == "temporarily_unavailable" && retry:
		return unavailable, tokens{}, ""
	case response.StatusCode == http.StatusInternalServerError && content.Error == "server_error" && !retry:
		return failed, tokens{}, ""
	}
	return unexpected, tokens{}, fmt.Sprintf("%s, error %.40q, Retry-After %v", other, content.Error, retry)
}

// text names an error of a connection without its addresses.
func text(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "time out"
	}
	return strings.TrimSpace(fmt.Sprintf("%T", err))
}
