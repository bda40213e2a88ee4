package binding

import (
	"errors"
	"net"
	"net/url"
)

// Addresses returns host:port of the service: of the entries host and port, or,
// where there is no host, of the entry uri. An error tells nothing of the values
// but host and port, for a URI holds a password.
func (e Entries) Addresses(defaultPort string) (string, error) {
	host, port := e["host"], e["port"]
	if host == "" && e["hostname"] != "" { // as many service brokers say it
		host = e["hostname"]
	}
	if host == "" && e["uri"] != "" {
		u, err := url.Parse(e["uri"])
		if err != nil || u.Hostname() == "" {
			return "", errors.New("its uri has no host")
		}
		host = u.Hostname()
		if port == "" {
			port = u.Port()
		}
	}
	if host == "" {
		return "", errors.New("it has neither host nor uri")
	}
	if port == "" {
		port = defaultPort
	}
	return net.JoinHostPort(host, port), nil
}
