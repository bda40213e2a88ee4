package cache

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/services/cache/store"
)

// Order takes stored responses out of use. Exactly one of URL, Pattern and Key is set.
type Order struct {
	// URL purges all variants of one URL: https://host/path?query, or /path with Host.
	URL string `json:"url,omitempty"`
	// Pattern bans what an RE2 regular expression finds in path and query.
	Pattern string `json:"pattern,omitempty"`
	// Key bans what carries this surrogate key.
	Key string `json:"key,omitempty"`
	// Host restricts a ban to one host; empty: all hosts.
	Host string `json:"host,omitempty"`
}

// Distributor carries an order to every replica of the cache, this one included: each then calls
// [Server.Apply].
type Distributor interface {
	Distribute(context.Context, Order) error
}

// The bounds of an order.
const (
	maxOrderURL = 8 << 10
	maxPattern  = 1 << 10
	maxKey      = 256
)

// Validate names what is wrong with an order.
func (o *Order) Validate() error {
	set := 0
	for _, s := range []string{o.URL, o.Pattern, o.Key} {
		if s != "" {
			set++
		}
	}
	if set != 1 {
		return errors.New("want exactly one of url, pattern and key")
	}
	switch {
	case o.URL != "":
		_, _, err := o.target()
		return err
	case len(o.Pattern) > maxPattern:
		return fmt.Errorf("pattern: longer than %d bytes", maxPattern)
	case o.Pattern != "":
		if _, err := regexp.Compile(o.Pattern); err != nil {
			return fmt.Errorf("pattern: %w", err)
		}
	case len(o.Key) > maxKey || strings.ContainsAny(o.Key, " \t\r\n"):
		return fmt.Errorf("key: want at most %d bytes without spaces", maxKey)
	}
	return nil
}

// target splits the URL of a purge.
func (o *Order) target() (host, target string, err error) {
	if len(o.URL) > maxOrderURL {
		return "", "", fmt.Errorf("url: longer than %d bytes", maxOrderURL)
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return "", "", errors.New("url: not a URL")
	}
	host = u.Host
	if host == "" {
		host = o.Host
	}
	if host == "" {
		return "", "", errors.New("url: without a host; send an absolute URL, or host beside it")
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if path[0] != '/' {
		return "", "", errors.New("url: the path does not begin with /")
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return host, path, nil
}

// Apply carries out an order in this replica. When it returns no response stored before, and none that is
// arriving, is sent to a later request. It may be called again with the same order. removed counts the
// resources that went at once; bans are applied lazily and count nothing.
func (s *Server) Apply(o Order) (removed int, err error) {
	if err := o.Validate(); err != nil {
		return 0, err
	}
	if o.URL != "" {
		host, target, _ := o.target()
		path, query, _ := strings.Cut(target, "?")
		path = plainPath(path)
		if s.invalidate(store.Key(host, s.policy.Load().Match(path).Target(path, query))) {
			removed = 1
		}
		return removed, nil
	}
	ban := store.Ban{Host: o.Host, Tag: o.Key}
	if o.Pattern != "" {
		ban.Pattern = regexp.MustCompile(o.Pattern) // Validate compiled it
	}
	s.Store.Ban(ban)
	s.metrics.bans.Inc()
	return 0, nil
}

// Flush takes everything out of use: for a replica that cannot know what it missed. What is arriving is not
// stored either.
func (s *Server) Flush() {
	s.Store.Ban(store.Ban{})
	s.Store.Sweep(time.Now())
}

// invalidate removes all variants of a key and keeps what is arriving for it from being stored. It reports
// whether there was anything.
func (s *Server) invalidate(key string) bool {
	s.flights.doom(key)
	if !s.Store.Purge(key) {
		return false
	}
	s.metrics.invalidated.Inc()
	return true
}

// order distributes, or applies here when there is nobody to distribute to.
func (s *Server) order(ctx context.Context, o Order) error {
	if s.Distributor != nil {
		return s.Distributor.Distribute(ctx, o)
	}
	_, err := s.Apply(o)
	return err
}
