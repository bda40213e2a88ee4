package redismetrics

import (
	"errors"
	"net"
	"strconv"
	"strings"
)

// target is a Redis that is asked.
type target struct {
	addr string // host:port
	tls  bool
}

var errTarget = errors.New("want host:port, redis://host:port or rediss://host:port")

// parseTarget reads an address. One with a user and a password is refused:
// addresses are logged and shown, by this program and by those that call it.
func parseTarget(text string) (target, error) {
	var t target
	scheme, rest, found := strings.Cut(text, "://")
	switch {
	case !found:
		rest = text
	case scheme == "rediss":
		t.tls = true
	case scheme != "redis":
		return t, errTarget
	}
	host, port, err := net.SplitHostPort(strings.TrimSuffix(rest, "/"))
	if err != nil || host == "" || strings.ContainsAny(host, "@/?# ") {
		return t, errTarget
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return t, errTarget
	}
	t.addr = net.JoinHostPort(host, port)
	return t, nil
}
