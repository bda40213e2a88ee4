package sharding

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// A Server takes part in a distribution by its name and in proportion to its
// weight. One of weight 0 takes no part but keeps its index: that is how a
// server is left out without renumbering the others.
type Server struct {
	Name   string
	Weight int
}

// A Distribution picks a server for the hash of a key.
type Distribution interface {
	// Pick returns an index of the servers that the distribution was built from,
	// or -1 when none of them takes part.
	Pick(hash uint64) int
}

// MaxServers and MaxWeight bound what a distribution is built from.
const (
	MaxServers = 1 << 15
	MaxWeight  = 1 << 20
)

// New builds the distribution with a name.
func New(name string, servers []Server) (Distribution, error) {
	if err := Check(name, servers); err != nil {
		return nil, err
	}
	return distributions[name](servers), nil
}

// Check tells why New would not build a distribution, and costs much less.
func Check(name string, servers []Server) error {
	if distributions[name] == nil {
		return fmt.Errorf("%q is no distribution: want one of %s", name, strings.Join(Names(), ", "))
	}
	return check(servers)
}

// Names lists the names that New knows, sorted.
func Names() []string { return slices.Sorted(maps.Keys(distributions)) }

var distributions = map[string]func([]Server) Distribution{
	"ketama": newKetama,
	"modula": newModula,
	"random": newRandom,
}

func check(servers []Server) error {
	var errs []error
	if len(servers) > MaxServers {
		errs = append(errs, fmt.Errorf("%d servers, at most %d are possible", len(servers), MaxServers))
	}
	total := 0
	for _, s := range servers {
		if s.Weight < 0 || s.Weight > MaxWeight {
			errs = append(errs, fmt.Errorf("server %q: weight %d, want 0 to %d", s.Name, s.Weight, MaxWeight))
		}
		total += s.Weight
	}
	if total > math.MaxInt32 {
		errs = append(errs, fmt.Errorf("the weights add up to more than %d", math.MaxInt32))
	}
	return errors.Join(errs...)
}
