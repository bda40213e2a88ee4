package nutcracker

import (
	"errors"
	"fmt"
)

// Of returns the pools of one kind, Redis or memcached, of a file from which only
// these are served. It is an error when there are none.
func Of(pools []Pool, redis bool) ([]Pool, error) {
	var of []Pool
	for _, p := range pools {
		if p.Redis == redis {
			of = append(of, p)
		}
	}
	switch {
	case len(of) > 0:
		return of, nil
	case redis:
		return nil, errors.New("no pool has redis: true, and memcached is not served here")
	}
	return nil, errors.New("every pool has redis: true, and Redis is not served here")
}

// SameListeners tells whether the pools of a changed file have the listeners of
// those before. They are opened once: another one is a matter for a restart.
func SameListeners(before, after []Pool) error {
	if len(after) != len(before) {
		return fmt.Errorf("%d pools to serve instead of %d: restart to add or remove one", len(after), len(before))
	}
	for i, p := range after {
		if old := before[i]; p.Name != old.Name || p.Listen != old.Listen {
			return fmt.Errorf("pool %s on %s was pool %s on %s: restart to change a name or an address", p.Name, p.Listen, old.Name, old.Listen)
		}
	}
	return nil
}
