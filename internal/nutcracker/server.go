package nutcracker

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// errSocket: a pod's containers share a network but seldom a directory.
var errSocket = errors.New("unix sockets are not supported: give host:port")

// parseServer reads "host:port:weight [name]" from its end, as twemproxy does,
// so that an IPv6 address needs no brackets.
func parseServer(text string) (Server, error) {
	if strings.HasPrefix(text, "/") {
		return Server{}, errSocket
	}
	addr, name := text, ""
	if at := strings.LastIndexByte(text, ' '); at >= 0 {
		addr, name = strings.TrimSpace(text[:at]), text[at+1:]
	}
	addr, weightText, ok := cutLast(addr)
	host, portText, hasPort := cutLast(addr)
	if !ok || !hasPort || host == "" || strings.ContainsAny(addr, " \t") {
		return Server{}, errors.New("want host:port:weight and perhaps a name after a space")
	}
	port, err := portOf(portText)
	if err != nil {
		return Server{}, err
	}
	weight, err := number(weightText, 1, maxWeight)
	if err != nil {
		return Server{}, fmt.Errorf("weight %q: %w", weightText, err)
	}
	if name == "" {
		name = addr
		if port == libmemcachedPort {
			name = host
		}
	}
	if len(name) > maxName {
		return Server{}, fmt.Errorf("a name of %d characters: at most %d are possible", len(name), maxName)
	}
	return Server{Name: name, Addr: net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port)), Weight: weight}, nil
}

// libmemcachedPort is the port that is no part of a server's name, because
// libmemcached leaves it out.
const libmemcachedPort = 11211

func cutLast(s string) (before, after string, found bool) {
	at := strings.LastIndexByte(s, ':')
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+1:], true
}

func portOf(text string) (int, error) {
	port, err := number(text, 1, 65535)
	if err != nil {
		return 0, fmt.Errorf("port %q: %w", text, err)
	}
	return port, nil
}

func number(text string, low, high int) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || int(n) < low || int(n) > high {
		return 0, fmt.Errorf("want a number from %d to %d", low, high)
	}
	return int(n), nil
}

// parseListen reads host:port.
func parseListen(text string) (string, error) {
	if strings.HasPrefix(text, "/") {
		return "", errSocket
	}
	host, portText, ok := cutLast(text)
	if !ok {
		return "", errors.New("want host:port")
	}
	port, err := portOf(portText)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port)), nil
}

// ParseServers reads servers from one line, separated by commas: each as in a
// file, or host:port for weight 1.
func ParseServers(text string) ([]Server, error) {
	var servers []Server
	var errs []error
	for one := range strings.SplitSeq(text, ",") {
		one = strings.TrimSpace(one)
		addr, name, _ := strings.Cut(one, " ")
		if host, port, err := net.SplitHostPort(addr); err == nil && host != "" && port != "" {
			one = strings.TrimSpace(addr + ":1 " + name)
		}
		server, err := parseServer(one)
		if err != nil {
			errs = append(errs, fmt.Errorf("server %q: %w", one, err))
			continue
		}
		servers = append(servers, server)
	}
	sortServers(servers)
	if twice := duplicate(servers); twice != "" {
		errs = append(errs, fmt.Errorf("two servers are called %q: give them names", twice))
	}
	if len(servers) > maxServers {
		errs = append(errs, fmt.Errorf("%d servers, at most %d are possible", len(servers), maxServers))
	}
	return servers, errors.Join(errs...)
}

// sortServers numbers servers as twemproxy does.
func sortServers(servers []Server) {
	slices.SortStableFunc(servers, func(a, b Server) int {
		if len(a.Name) != len(b.Name) {
			return len(a.Name) - len(b.Name)
		}
		return strings.Compare(a.Name, b.Name)
	})
}

// duplicate returns a name that occurs twice in sorted servers, or "".
func duplicate(servers []Server) string {
	for i := 1; i < len(servers); i++ {
		if servers[i].Name == servers[i-1].Name {
			return servers[i].Name
		}
	}
	return ""
}
