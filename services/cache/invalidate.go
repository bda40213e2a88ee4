package cache

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/services/cache/fanout"
	"github.com/flotilla-dev/flotilla/services/cache/store"
)

// checkCommand finds what only a cache knows to be wrong with an invalidation; its shape is validated
// already.
func checkCommand(c fanout.Command) error {
	if c.Ban != "" {
		if _, err := regexp.Compile(c.Ban); err != nil {
			return fmt.Errorf("ban: %w", err)
		}
	}
	if c.URL != "" && c.URL[0] == '/' && c.Host == "" {
		return errors.New("url: without a host; send an absolute URL, or host beside it")
	}
	return nil
}

// Apply carries out an invalidation in this replica. When it returns no response stored before, and none
// that is arriving, is sent to a later request. It may be called again with the same command. removed counts
// the resources that went at once; bans and keys are applied lazily and count nothing.
func (s *Server) Apply(c fanout.Command) (removed int, err error) {
	if err := errors.Join(c.Validate(), checkCommand(c)); err != nil {
		return 0, err
	}
	switch {
	case c.URL != "":
		if s.invalidate(s.keyOf(c)) {
			removed = 1
		}
	case c.Ban != "":
		s.ban(store.Ban{Host: c.Host, Pattern: regexp.MustCompile(c.Ban)}) // checkCommand compiled it
	default:
		for _, key := range c.Keys {
			s.ban(store.Ban{Host: c.Host, Tag: key})
		}
	}
	return removed, nil
}

func (s *Server) ban(b store.Ban) {
	s.Store.Ban(b)
	s.metrics.bans.Inc()
}

// keyOf is the key of the resource that a command names by its URL.
func (s *Server) keyOf(c fanout.Command) string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return "" // Validate parsed it
	}
	host, path := u.Host, u.EscapedPath()
	if host == "" {
		host = c.Host
	}
	if path == "" {
		path = "/"
	}
	path = plainPath(path)
	return store.Key(strings.ToLower(host), s.policy.Load().Match(path).Target(path, u.RawQuery))
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
